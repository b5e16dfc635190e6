# SPDX-License-Identifier: Apache-2.0
"""Names beside those that a table knows from its workload's mounts: the homes of other file systems, and the
names of files with several links."""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.table import Table, states
from hauberk.kernel.libbpf import Program, run_task_iter
from hauberk.kernel.maps import Map

_KEY_PARTS: Final = struct.Struct("=IQI")
_BATCH: Final = 256
"""Files that are open at one time."""


def note_links(
    links: Map, identify: Program, table: Table, root: bytes, names: Sequence[bytes]
) -> list[bytes]:
    """Let the kernel know the blocked `names`, below the directory `root`, of files with several links.

    Returns one name of each file that has more of them than are weighed. Raises KernelError.
    """
    too_many: list[bytes] = []
    known: dict[bytes, list[tuple[int, int]]] = {}
    for at in range(0, len(names), _BATCH):
        for name, identity in _identities(identify, root, names[at : at + _BATCH]):
            places = known.setdefault(identity, [])
            if (reached := states(table, name)) in places:
                continue
            if len(places) == abi.LINK_NAMES:
                too_many.append(name)
                continue
            dev, ino, generation = _KEY_PARTS.unpack(identity)
            key = abi.LINK_KEY.pack(table.offset, dev, ino, generation, len(places))
            links.update(key, abi.LINK.pack(*reached))
            places.append(reached)
    return too_many


def _identities(identify: Program, root: bytes, names: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Each name with its file's identity as the kernel's hooks know it, which stat(2) need not tell.

    A name whose file has gone, or has one link only by now, is left out.
    """
    with ExitStack() as stack:
        opened = {}
        for name in names:
            with suppress(OSError):
                fd = os.open(root + name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
                stack.callback(os.close, fd)
                opened[fd] = name
        pidfd = os.pidfd_open(os.getpid())
        stack.callback(os.close, pidfd)
        for fd, dev, ino, generation, links in abi.FILE_IDENTITY.iter_unpack(run_task_iter(identify, pidfd)):
            if fd in opened and links > 1:
                yield opened.pop(fd), _KEY_PARTS.pack(dev, ino, generation)
