# SPDX-License-Identifier: Apache-2.0
"""Reading mountinfo: any bytes become mounts or a MountsError, and names that the kernel wrote come back.

Who may mount chooses names, and names are any bytes but NUL.
"""

import re
from collections.abc import Iterator
from typing import Final

from hauberk.workloads.mounts import Listed, MountsError, parse_mountinfo
from tests.fuzz import told
from tests.workloads.test_mounts import TEXT

MAX_LENGTH: Final = 1024


def seeds() -> Iterator[bytes]:
    """A list with escapes, and names."""
    yield TEXT
    yield b"/\0/\0/srv/a b\0/mnt/tab\there\\\0net:[4026531]\0/run/\xff#"


def check(data: bytes) -> None:
    try:
        found = list(parse_mountinfo(data))
    except MountsError as error:
        told(error)
    else:
        for each in found:
            assert each.number >= 0
            assert each.dev >= 0
            assert not each.path.endswith(b"/")
    _round_trip(data)


def _round_trip(data: bytes) -> None:
    names = [b"/" + name for name in data.split(b"\0")]
    text = b""
    written = []
    for number, (source, path) in enumerate(zip(names[::2], names[1::2], strict=False)):
        written.append(Listed(number, 259 << 20 | number, source, path.rstrip(b"/"), b"tmpfs"))
        head, tail = f"{number} 1 259:{number}".encode(), b"rw shared:7 - tmpfs none rw\n"
        text += b" ".join((head, _mangled(source), _mangled(path), tail))
    assert list(parse_mountinfo(text)) == written


def _mangled(name: bytes) -> bytes:
    """As the kernel's seq_path writes it in mountinfo."""
    return re.sub(rb"[ \t\n\\]", lambda found: b"\\%03o" % found[0][0], name)
