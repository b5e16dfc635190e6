# SPDX-License-Identifier: Apache-2.0
"""Reading mountinfo, and leaving out what nobody can reach."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hauberk.workloads.mounts import Listed, MountsError, mounts_of, parse_mountinfo

TEXT = rb"""21 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
28 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw
60 28 259:1 /srv/a\040b /mnt/tab\011and\134slash rw,relatime shared:1 master:2 - ext4 /dev/nvme0n1p1 rw
61 28 0:50 / /overlay/merged rw - overlay overlay rw,lowerdir=/a,upperdir=/b
"""


def test_fields_are_found_whatever_optional_ones_there_are() -> None:
    assert list(parse_mountinfo(TEXT)) == [
        Listed(21, 20, b"/", b"/sys", b"sysfs"),
        Listed(28, 259 << 20 | 1, b"/", b"", b"ext4"),
        Listed(60, 259 << 20 | 1, b"/srv/a b", b"/mnt/tab\tand\\slash", b"ext4"),
        Listed(61, 50, b"/", b"/overlay/merged", b"overlay"),
    ]


def test_a_name_may_have_any_byte_that_the_kernel_does_not_escape() -> None:
    odd = bytes(c for c in range(1, 256) if c not in b" \t\n\\")
    assert list(parse_mountinfo(b"61 28 0:50 / /" + odd + b" rw - tmpfs tmpfs rw\n")) == [
        Listed(61, 50, b"/", b"/" + odd, b"tmpfs")
    ]


@pytest.mark.parametrize(
    "text", [b"\n", b"61 28 0:50 /", b"61 28 0-50 / /a rw", b"x 28 0:50 / /a rw", b"9" * 5000]
)
def test_what_is_no_mountinfo_is_an_error(text: bytes) -> None:
    with pytest.raises(MountsError, match="cannot be read"):
        list(parse_mountinfo(TEXT + text))


def test_a_process_sees_its_root_once() -> None:
    found = mounts_of(os.getpid())
    assert [mount.path for mount in found].count(b"") == 1


def test_a_process_that_is_gone_is_an_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(MountsError, match=str(process.pid)):
        mounts_of(process.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_what_lies_under_another_mount_has_no_names(tmp_path: Path) -> None:
    for name in ("under", "under/inner", "source", "file", "over"):
        (tmp_path / name).mkdir()
    script = """
        set -e
        mount -t tmpfs lower under && mkdir under/inner && mount -t tmpfs hidden under/inner
        mount --bind source over
        mount -t tmpfs upper under
        echo ready; read go
    """
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        mounts = {mount.path: mount for mount in mounts_of(process.pid)}
        listed = [each.path for each in parse_mountinfo(Path(f"/proc/{process.pid}/mountinfo").read_bytes())]
        process.stdin.write(b"\n")
        process.stdin.close()
    place = os.fsencode(tmp_path)
    assert listed.count(place + b"/under") == 2
    assert place + b"/under/inner" in listed
    assert place + b"/under/inner" not in mounts
    assert mounts[place + b"/under"].whole
    bound = mounts[place + b"/over"]
    assert (bound.whole, bound.inode) == (False, (tmp_path / "source").stat().st_ino)
