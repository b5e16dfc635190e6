# SPDX-License-Identifier: Apache-2.0
"""Hashes of files that events name: of the file that lies at a path now, if it has not changed since then.

The path is followed from the root of the workload, and never through a symbolic link: those of an event are
real paths, and a link that was put there later could lead to any file. A file that was changed, renamed or
made after the event has no hash here, and neither has one that is too large.
"""

import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

ALGORITHM: Final = "sha256"
LARGEST: Final = 64 << 20
"""Bytes of a file."""
TICK_NS: Final = 10_000_000
"""How much later than a change its time can be: file systems read a clock that stands still between ticks."""
REMEMBERED: Final = 4096
"""Files whose hash is known."""

_STEP: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_Identity = tuple[int, int, int, int, int]


class Hashes:
    """Computes hashes, and remembers them for as long as a file stays as it is."""

    def __init__(self, *, largest: int = LARGEST, remembered: int = REMEMBERED) -> None:
        self._largest = largest
        self._remembered = remembered
        self._known: OrderedDict[_Identity, str] = OrderedDict()

    def of(self, root: str, path: bytes, before_ns: int) -> str:
        """In hexadecimal, of the file at `path` below `root` that is as it was at `before_ns`, as Unix time;
        empty if there is none, or none that can be vouched for."""
        try:
            with _opened(root, path) as fd:
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode) or found.st_size > self._largest:
                    return ""
                if found.st_ctime_ns + TICK_NS > before_ns:
                    return ""
                identity = _identity(found)
                known = self._known.get(identity)
                if known is not None:
                    self._known.move_to_end(identity)
                    return known
                made = self._compute(fd)
                if _identity(os.fstat(fd)) != identity:
                    return ""
        except (OSError, ValueError):
            return ""
        self._known[identity] = made
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return made

    def _compute(self, fd: int) -> str:
        """Raises OSError; ValueError if there is more than the size says."""
        digest = hashlib.sha256()
        left = self._largest
        with open(
            f"/proc/self/fd/{fd}", "rb", buffering=0, opener=lambda name, _: os.open(name, _READ)
        ) as file:
            while data := file.read(1 << 20):
                left -= len(data)
                if left < 0:
                    raise ValueError("the file is too large")
                digest.update(data)
        return digest.hexdigest()


def container_root(pid: int) -> str:
    """The root of the container whose first process this is; empty if it is elsewhere by now.

    A process that has changed its root sees no mount at `/`, unless the new root is one.
    """
    try:
        with open(f"/proc/{pid}/mountinfo", "rb") as file:
            if any(line.split(b" ", 5)[4] == b"/" for line in file):
                return f"/proc/{pid}/root"
    except OSError:
        pass
    return ""


@contextmanager
def _opened(root: str, path: bytes) -> Iterator[int]:
    """What lies at a path, without links. Raises OSError, ValueError."""
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.split(b"/"):
            if name == b"..":
                raise ValueError("not a real path")
            if name:
                below = os.open(name, _STEP, dir_fd=fd)
                os.close(fd)
                fd = below
        yield fd
    finally:
        os.close(fd)


def _identity(found: os.stat_result) -> _Identity:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
