# SPDX-License-Identifier: Apache-2.0
"""The files that are held, whatever is done to their names.

A mark lies on a file; a package that is upgraded puts another one in its place. So the directories are
watched. Package managers write the new file beside the old one, under a name that has the old one in it
(runc.dpkg-new, runc;5f3e, .runc.Xy12), and rename it when it is complete: it is marked when it appears,
before anybody has a reason to execute it.
"""

import errno
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Final, Self

from hauberk.kernel import inotify
from hauberk.kernel.errors import KernelError
from hauberk.kernel.fanotify import ExecPermissions

_WATCHED: Final = inotify.CREATE | inotify.MOVED_TO | inotify.ONLYDIR


class Programs:
    """Marks files of `permissions`. `fileno()` is readable when `renew` has something to do."""

    def __init__(self, permissions: ExecPermissions) -> None:
        """Raises KernelError."""
        self._permissions = permissions
        self._inotify = inotify.Inotify()
        self._paths: tuple[str, ...] = ()
        self._never: frozenset[tuple[int, int]] = frozenset()
        self._held: set[str] = set()

    def fileno(self) -> int:
        return self._inotify.fileno()

    @property
    def held(self) -> list[str]:
        """The paths that exist and are held."""
        return sorted(self._held)

    def hold(self, paths: Iterable[str], needed: Collection[str]) -> list[str]:
        """Hold these and no others; returns what could not be done, in words.

        `needed` are programs that the gate itself has to execute: were they held, nobody would be left to
        answer. They are not, by whatever name.
        """
        self._paths = tuple(dict.fromkeys(paths))
        self._never = frozenset(_identity(path) for path in needed if os.path.exists(path))
        before = self._held
        faults = self._mark_all()
        kept = {_identity(path) for path in self._held if os.path.exists(path)}
        for path in before - self._held:
            # It may be another name of a file that is still held (/bin/runc), or another file's by now: then
            # the one that had it stays held until it is gone, which does no harm.
            with suppress(KernelError, OSError):
                if _identity(path) not in kept:
                    self._permissions.unmark(path)
        for path in self._inotify.paths - self._directories():
            self._inotify.remove(path)
        return faults

    def renew(self) -> None:
        """Hold what has come into the directories. Never blocks."""
        again = False
        names = {os.path.basename(each) for path in self._paths for each in _places(path)}
        for event in self._inotify.read():
            if event.mask & (inotify.OVERFLOW | inotify.IGNORED) or event.name in names:
                again = True
            if any(name in event.name for name in names):
                self._mark(os.path.join(event.path, event.name))
        if again:
            self._mark_all()

    def _mark_all(self) -> list[str]:
        faults = []
        # First the directories: what comes between the two steps is told by an event.
        for directory in self._directories():
            try:
                self._inotify.add(directory, _WATCHED)
            except KernelError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    faults.append(f"{error.message}: a new program there would not be held")
        self._held = set()
        for path in self._paths:
            fault = self._mark(path)
            if fault:
                faults.append(fault)
            elif os.path.exists(path):
                self._held.add(path)
        return faults

    def _mark(self, path: str) -> str:
        try:
            if _identity(path) in self._never:
                return f"{path} is not held: the gate needs it itself"
            self._permissions.mark(path)
        except (KernelError, OSError) as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return f"{path} is not held: {error}"
        return ""

    def _directories(self) -> set[str]:
        return {os.path.dirname(each) for path in self._paths for each in _places(path)}

    def close(self) -> None:
        self._inotify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _places(path: str) -> tuple[str, str]:
    """Where a new file would come to stand for it: at its name, or where this leads to."""
    return path, os.path.realpath(path)


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
