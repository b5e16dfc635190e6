# SPDX-License-Identifier: Apache-2.0
"""What a process sees mounted: the ground on which files get their names.

Only mounts that can be reached count: one that lies under a later mount has no names to give.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hauberk.errors import HauberkError

MAX_MOUNTS = 8192
"""More mounts than this in one namespace are refused: the kernel's table would not hold many such
workloads."""

_LINE = re.compile(
    rb"([0-9]{1,10}) [0-9]+ ([0-9]{1,10}):([0-9]{1,10}) ([^ ]+) ([^ ]+) (?:(?:[^ ]+ )*?- ([^ ]+) )?"
)
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")

# How much of a line is told.
_SHOWN = 200


class MountsError(HauberkError):
    """The mounts of a process could not be read."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of a superblock that is visible at a path.

    `dev` is the superblock's device as the kernel keeps it (major << 20 | minor), `whole` whether its root
    directory is what is mounted, `inode` the inode number of the mounted directory (0 if it is whole). `path`
    has no slash at its end: the root is empty.
    """

    dev: int
    whole: bool
    inode: int
    path: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of mountinfo: a mount's number, its superblock's device, directory and place, and the file
    system's type."""

    number: int
    dev: int
    source: bytes
    path: bytes
    type: bytes


def parse_mountinfo(text: bytes) -> Iterator[Listed]:
    """The mounts that a /proc/PID/mountinfo lists, in the order in which they were made.

    Raises MountsError for what is no such list.
    """
    # Not splitlines(): of all line ends that a name can have, the kernel escapes only the line feed.
    for line in text.removesuffix(b"\n").split(b"\n") if text else ():
        found = _LINE.match(line)
        if found is None:
            raise MountsError(f"a line of mountinfo that cannot be read: {line[:_SHOWN]!r}")
        number, major, minor, source, path, type_ = found.groups()
        dev = int(major) << 20 | int(minor)
        yield Listed(int(number), dev, _unescape(source), _unescape(path).rstrip(b"/"), type_ or b"")


def listed_mounts(pid: int) -> list[Listed]:
    """All mounts in the namespace of process `pid`, hidden ones too. Raises MountsError."""
    try:
        return list(parse_mountinfo(Path(f"/proc/{pid}/mountinfo").read_bytes()))
    except OSError as error:
        raise MountsError(f"cannot read the mounts of process {pid}: {error.strerror}") from error


def mounts_of(pid: int) -> list[Mount]:
    """The mounts that process `pid` can reach, in the order in which they were made.

    Raises MountsError if the process is gone or its mounts cannot be read.
    """
    listed = listed_mounts(pid)
    if len(listed) > MAX_MOUNTS:
        raise MountsError(
            f"process {pid} has {len(listed)} mounts, of which at most {MAX_MOUNTS} can be known"
        )
    return [mount for each in listed if (mount := _if_reached(pid, each)) is not None]


def _if_reached(pid: int, listed: Listed) -> Mount | None:
    """The mount, if it is what `pid` finds at its path."""
    whole = listed.source == b"/"
    try:
        root = os.fsencode(f"/proc/{pid}/root")
        fd = os.open(root + (listed.path or b"/"), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if _mount_number(fd) != listed.number:
                return None
            # Only where it is needed: a FUSE file system of another user, or a server that is gone, would not
            # tell.
            return Mount(listed.dev, whole, 0 if whole else os.fstat(fd).st_ino, listed.path)
        finally:
            os.close(fd)
    except OSError:
        # Below a mount that hides it, or a file system that does not answer: nothing can be reached by this
        # path.
        return None


def _mount_number(fd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "mnt_id":
            return int(value)
    raise OSError("this kernel's fdinfo has no mnt_id")


def _unescape(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 8),)), text)
