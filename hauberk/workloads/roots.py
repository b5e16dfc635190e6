# SPDX-License-Identifier: Apache-2.0
"""The root directory that a workload began in, found again later.

Its processes may have gone to other roots since, of their own making. Links in the paths of rules are
followed in the first one only.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """A mount namespace by its number, and a root directory by device and inode."""

    namespace: int
    dev: int
    ino: int


def place_of(pid: int) -> Place:
    """Where process `pid` is. Raises OSError if it has gone."""
    root = os.stat(f"/proc/{pid}/root")
    return Place(os.stat(f"/proc/{pid}/ns/mnt").st_ino, root.st_dev, root.st_ino)


def open_root(place: Place, first: Iterable[int]) -> int | None:
    """A descriptor (O_PATH) of the root directory at `place`, by way of a process that has it: the processes
    `first` are asked before all others. None if there is none."""
    others = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    for pid in (*first, *others):
        try:
            fd = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if place_of(pid) == place:
                return fd
        except OSError:
            pass
        os.close(fd)
    return None
