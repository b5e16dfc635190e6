# SPDX-License-Identifier: Apache-2.0
"""Files that have several names, one of which a rule blocks.

A hard link that was made before the workload began leads to a blocked file by a name that no rule speaks
of. So what Block rules name is looked through once: paths one by one, directories and patterns by walking.
There is a budget, since a rule may name a whole file system; what was not reached is told.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches
from hauberk.workloads.mounts import listed_mounts

ENTRIES: Final = 100_000
"""How many directory entries are looked at for one workload."""
FILES: Final = 4096
"""How many files with several links are noted for one workload."""

_LINKLESS: Final = frozenset(
    {b"proc", b"sysfs", b"cgroup", b"cgroup2", b"bpf", b"debugfs", b"tracefs", b"securityfs", b"devpts"}
)
_SPECIAL: Final = (b"*", b"?", b"[", b"{", b"\\")


@dataclass(slots=True)
class Links:
    """What was found: the blocked names of files with several links, and the patterns that were not looked
    through to the end."""

    names: set[bytes] = field(default_factory=set)
    left_out: dict[Pattern, bytes] = field(default_factory=dict)
    """Each with the directory at which looking ended."""


def find_links(root: bytes, blocked: Iterable[Pattern], skipped: frozenset[int]) -> Links:
    """Look for files with several links among what `blocked` names below the directory `root`.

    Directories on the devices `skipped` (st_dev) are not entered: file systems that have no links, such as
    /proc.
    """
    found = Links()
    budget = _Budget(ENTRIES)
    there: dict[bytes, bool] = {}
    for pattern in blocked:
        try:
            for path in _candidates(root, pattern, skipped, budget, there):
                if len(found.names) >= FILES:
                    raise _Exhausted(os.path.dirname(path))
                found.names.add(path)
        except _Exhausted as end:
            found.left_out[pattern] = end.directory or b"/"
    return found


def devices_without_links() -> frozenset[int]:
    """The devices (st_dev) of file systems that have no hard links to find, as far as this process sees them
    mounted."""
    devices = (each.dev for each in listed_mounts(os.getpid()) if each.type in _LINKLESS)
    return frozenset(os.makedev(dev >> 20, dev & 0xFFFFF) for dev in devices)


class _Exhausted(Exception):
    def __init__(self, directory: bytes) -> None:
        super().__init__(directory)
        self.directory = directory


class _Budget:
    def __init__(self, entries: int) -> None:
        self.entries = entries

    def spend(self, directory: bytes) -> None:
        if not self.entries:
            raise _Exhausted(directory)
        self.entries -= 1


def _candidates(
    root: bytes, pattern: Pattern, skipped: frozenset[int], budget: _Budget, there: dict[bytes, bool]
) -> Iterator[bytes]:
    """Names of files with several links that `pattern` matches.

    `there` remembers which directories exist: many rules are about files of one, and in one that does not
    exist nothing has to be looked for.
    """
    match pattern:
        case Exact(path):
            directory = path.rpartition(b"/")[0]
            budget.spend(directory)
            if not path.startswith(b"/"):
                return
            if directory not in there:
                there[directory] = os.path.lexists(root + (directory or b"/"))
            if there[directory] and _has_links(root + path):
                yield path
        case Directory(path, recursive):
            yield from _walk(root, path, recursive, skipped, budget)
        case Glob(text):
            special = min((at for at in map(text.find, _SPECIAL) if at >= 0), default=len(text))
            top = text[:special].rpartition(b"/")[0]
            for path in _walk(root, top, True, skipped, budget):
                if matches(pattern, path):
                    yield path
        case Name():
            # Wherever it lies: nothing less than the whole file system would tell.
            return


def _walk(
    root: bytes, top: bytes, recursive: bool, skipped: frozenset[int], budget: _Budget
) -> Iterator[bytes]:
    waiting = [top]
    while waiting:
        directory = waiting.pop()
        try:
            listing = os.scandir(root + (directory or b"/"))
        except OSError:  # is not there, or is no directory
            continue
        with listing:
            for entry in listing:
                budget.spend(directory)
                path = directory + b"/" + entry.name
                try:
                    if not entry.is_dir(follow_symlinks=False):
                        if entry.stat(follow_symlinks=False).st_nlink > 1:
                            yield path
                    elif recursive and (not skipped or entry.stat().st_dev not in skipped):
                        waiting.append(path)
                except OSError:  # it has gone meanwhile
                    continue


def _has_links(path: bytes) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)
