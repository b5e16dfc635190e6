# SPDX-License-Identifier: Apache-2.0
"""What a process sees mounted: the ground on which files get their names.

Only mounts that can be reached count: one that lies under a later mount has no names to give.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hauberk.errors import HauberkError

MAX_MOUNTS = 8192
"""More mounts than this in one namespace are refused: the kernel's table would not hold many such workloads."""

_ESCAPE = re.compile(rb"\\([0-7]{3})")


class MountsError(HauberkError):
    """The mounts of a process could not be read."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of a superblock that is visible at a path.

    `dev` is the superblock's device as the kernel keeps it (major << 20 | minor), `whole` whether its root directory is
    what is mounted, `inode` the inode number of the mounted directory. `path` has no slash at its end: the root is empty.
    """

    dev: int
    whole: bool
    inode: int
    path: bytes


def mounts_of(pid: int) -> list[Mount]:
    """The mounts that process `pid` can reach, in the order in which they were made.

    Raises MountsError if the process is gone or its mounts cannot be read.
    """
    try:
        lines = Path(f"/proc/{pid}/mountinfo").read_bytes().splitlines()
    except OSError as error:
        raise MountsError(f"cannot read the mounts of process {pid}: {error.strerror}") from error
    if len(lines) > MAX_MOUNTS:
        raise MountsError(f"process {pid} has {len(lines)} mounts, of which at most {MAX_MOUNTS} can be known")
    found = []
    for line in lines:
        number, _, device, source, path, *_ = line.split(b" ")
        path = _unescape(path)
        inode = _inode_if_reached(pid, path, int(number))
        if inode is not None:
            major, minor = map(int, device.split(b":"))
            found.append(Mount(major << 20 | minor, _unescape(source) == b"/", inode, path.rstrip(b"/")))
    return found


def _inode_if_reached(pid: int, path: bytes, mount: int) -> int | None:
    """The inode number at `path` in the eyes of `pid`, if what is there is the mount with this number."""
    try:
        fd = os.open(os.fsencode(f"/proc/{pid}/root") + path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        # Below a mount that hides it, or a file system that does not answer: nothing can be reached by this path.
        return None
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines())
        return os.fstat(fd).st_ino if int(fields["mnt_id"]) == mount else None
    finally:
        os.close(fd)


def _unescape(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 8),)), text)
