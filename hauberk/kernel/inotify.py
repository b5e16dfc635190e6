# SPDX-License-Identifier: Apache-2.0
"""What happens to the entries of directories, as events to be read (inotify)."""

import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import KernelError
from hauberk.kernel.owned import Owned

CREATE: int = lib.IN_CREATE
DELETE: int = lib.IN_DELETE
MOVED_FROM: int = lib.IN_MOVED_FROM
MOVED_TO: int = lib.IN_MOVED_TO
MODIFY: int = lib.IN_MODIFY
ATTRIB: int = lib.IN_ATTRIB
CLOSE_WRITE: int = lib.IN_CLOSE_WRITE
DELETE_SELF: int = lib.IN_DELETE_SELF
MOVE_SELF: int = lib.IN_MOVE_SELF
ONLYDIR: int = lib.IN_ONLYDIR
"""For `add`: fail with ENOTDIR if it is no directory."""
ISDIR: int = lib.IN_ISDIR
"""In an event: the entry is a directory."""
IGNORED: int = lib.IN_IGNORED
"""In an event: `path` is not watched any more, as it is gone, unmounted, or was removed."""
OVERFLOW: int = lib.IN_Q_OVERFLOW
"""In an event, which has no path: events were lost, so that anything may have happened."""

_EVENT = struct.Struct("=iIII")  # struct inotify_event: watch, mask, cookie, length of the name
_BATCH = 1 << 16


class Event(NamedTuple):
    """Something that happened to what is watched as `path`, or to its entry `name`."""

    path: str
    mask: int
    name: str = ""


class Inotify(Owned):
    """A set of watched paths. `fileno()` becomes readable (poll) when there are events. One thread only."""

    def __init__(self) -> None:
        """Raises KernelError: EMFILE if the user has too many (fs.inotify.max_user_instances)."""
        self._paths: dict[int, str] = {}
        self._fd: int = lib.inotify_init1(lib.IN_CLOEXEC | lib.IN_NONBLOCK)
        if self._fd < 0:
            _fail("inotify", errno.EMFILE, "raise the sysctl fs.inotify.max_user_instances")

    def fileno(self) -> int:
        return self._fd

    def add(self, path: str | os.PathLike[str], mask: int) -> None:
        """Watch what is at `path` now for the events of `mask`. If it is watched already, `path` and `mask`
        take the place of the earlier ones. Raises KernelError: ENOENT if there is nothing."""
        watch = lib.inotify_add_watch(self._fd, os.fsencode(path), mask)
        if watch < 0:
            _fail(f"watching {path}", errno.ENOSPC, "raise the sysctl fs.inotify.max_user_watches")
        self._paths[watch] = str(path)

    def remove(self, path: str | os.PathLike[str]) -> None:
        """Watch `path` no more; it is no matter if it was not watched. An IGNORED event still comes."""
        for watch, watched in self._paths.items():
            if watched == str(path):
                lib.inotify_rm_watch(self._fd, watch)

    @property
    def paths(self) -> set[str]:
        """What is watched."""
        return set(self._paths.values())

    def read(self) -> list[Event]:
        """Some of the events that were not read yet, in their order; none if there are none."""
        try:
            data = os.read(self._fd, _BATCH)
        except BlockingIOError:
            return []
        return list(self._events(data))

    def _events(self, data: bytes) -> Iterator[Event]:
        at = 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
            at += length
            if mask & OVERFLOW:
                yield Event("", mask)
            elif watch in self._paths:
                yield Event(self._paths[watch], mask, name)
                if mask & IGNORED:
                    del self._paths[watch]


def _fail(doing: str, known: int, remedy: str) -> NoReturn:
    code = ffi.errno
    raise KernelError(f"{doing}: {os.strerror(code)}", code, remedy if code == known else "")
