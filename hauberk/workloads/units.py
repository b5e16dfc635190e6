# SPDX-License-Identifier: Apache-2.0
"""The system services of this machine: each is a directory `NAME.service` of systemd's in the cgroup tree.

Only cgroup v2 is looked at: there every task is in one directory, by whose number the kernel knows it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

SLICE: Final = "system.slice"
"""Where services run that do not ask for another slice."""

EXEMPT_UNITS: Final = frozenset(
    {
        "system-getty.slice",
        "system-serial\\x2dgetty.slice",
        "console-getty.service",
        "container-getty.slice",
        "system-container\\x2dgetty.slice",
        "emergency.service",
        "rescue.service",
        "debug-shell.service",
        "sulogin.service",
        "hauberk.service",
    }
)
"""Directories, at any depth, whose tasks host rules do not bind: consoles from which a node is mended, and
Hauberk itself. An instance of a template (getty@tty1.service) lies in a slice of the template's name."""

MAX_DEPTH: Final = 8


class Unit(NamedTuple):
    """A service that runs. `cgroup` is its directory below the root of the hierarchy."""

    name: str
    cgroup: str
    cgroup_id: int


def running_units(root: Path = Path("/sys/fs/cgroup")) -> list[Unit]:
    """The services in `system.slice` and the slices in it, by name; none without systemd or cgroup v2.

    A service is not looked into: what it has made in its own directory is its own.
    """
    if not (root / "cgroup.controllers").exists():
        return []
    return sorted(_services(str(root), f"/{SLICE}", 1))


def _services(root: str, path: str, depth: int) -> Iterator[Unit]:
    try:
        with os.scandir(root + path) as entries:
            for entry in entries:
                below = f"{path}/{entry.name}"
                if entry.name.endswith(".service") and entry.is_dir(follow_symlinks=False):
                    yield Unit(entry.name, below, entry.inode())
                elif entry.name.endswith(".slice") and depth < MAX_DEPTH:
                    yield from _services(root, below, depth + 1)
    except OSError:
        # A service that ended meanwhile takes its directory along.
        return
