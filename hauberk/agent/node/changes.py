# SPDX-License-Identifier: Apache-2.0
"""Directories whose entries tell that something has changed: containers come and go, policies are written."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from hauberk.kernel import inotify
from hauberk.kernel.errors import KernelError

_ENTRIES: Final = inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO | inotify.ONLYDIR
_FILES: Final = _ENTRIES | inotify.CLOSE_WRITE


class Changes:
    """A set of watched directories. `fileno()` becomes readable when something in one has changed."""

    def __init__(self) -> None:
        """Raises KernelError."""
        self._inotify = inotify.Inotify()

    def fileno(self) -> int:
        return self._inotify.fileno()

    def watch(self, directories: Iterable[Path], *, written: bool = False) -> bool:
        """Watch these from now on, besides those that are. `written`: tell of files that are written too.

        One that does not exist is passed over: its parent should be watched. Whether one has come to be
        watched: what has happened in it before, nobody was told.
        """
        before = len(self._inotify.paths)
        for directory in directories:
            if str(directory) not in self._inotify.paths:
                with suppress(KernelError):
                    self._inotify.add(directory, _FILES if written else _ENTRIES)
        return len(self._inotify.paths) > before

    def read(self) -> set[Path] | None:
        """The directories in which something has changed; None if that may be any."""
        changed: set[Path] = set()
        while events := self._inotify.read():
            for event in events:
                if event.mask & inotify.OVERFLOW:
                    return None
                changed.add(Path(event.path))
        return changed

    def close(self) -> None:
        self._inotify.close()
