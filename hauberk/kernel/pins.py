# SPDX-License-Identifier: Apache-2.0
"""What an earlier process left pinned below a bpffs directory: maps/NAME, programs/NAME, links/NAME.

Adopting opens all of it again; removing it (unpinning.py) is what ends its life, and with the links the
enforcement.
"""

import ctypes
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import PinError, fail
from hauberk.kernel.libbpf import Link, Program
from hauberk.kernel.maps import Map, pin_name

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
KINDS: Final = ("links", "programs", "maps")

_libc = ctypes.CDLL(None, use_errno=True)


class Pinned:
    """The adopted maps, programs and links of a directory, by name."""

    def __init__(self) -> None:
        self.maps: dict[str, Map] = {}
        self.programs: dict[str, Program] = {}
        self.links: dict[str, Link] = {}

    @classmethod
    def adopt(cls, directory: Path) -> Self:
        """Opens everything pinned below `directory`. Raises PinError."""
        found = cls()
        try:
            for path in entries(directory / "maps"):
                found.maps[path.name] = Map(open_pin(path), path.name)
            for path in entries(directory / "programs"):
                found.programs[path.name] = Program(open_pin(path), path.name)
            for path in entries(directory / "links"):
                found.links[path.name] = Link(open_pin(path), path.name)
        except BaseException:
            found.close()
            raise
        return found

    def map(self, name: str) -> Map:
        """A map by its name in C; KeyError if there is none."""
        return self.maps[pin_name(name)]

    def take_over(self, other: "Pinned", maps: Collection[str]) -> None:
        """Have the programs and links of `other` in place of one's own, and of its maps these; the rest of it
        is closed."""
        for name in maps:
            self.maps[name], other.maps[name] = other.maps[name], self.maps[name]
        self.programs, other.programs = other.programs, self.programs
        self.links, other.links = other.links, self.links
        other.close()

    def close(self) -> None:
        """Closes the descriptors; the pins stay."""
        things: list[Map | Program | Link] = [
            *self.links.values(),
            *self.programs.values(),
            *self.maps.values(),
        ]
        for each in things:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_pin(path: Path) -> int:
    """A descriptor of what is pinned at `path`. Raises PinError."""
    fd = int(lib.bpf_obj_get(os.fsencode(path)))
    if fd < 0:
        fail(PinError, f"opening what is pinned at {path}", ffi.errno)
    return fd


def exchange(one: Path, other: Path) -> None:
    """Swaps two names of one bpffs in one step (since 5.16, commit 3871cb8cf741, "libfs: Support
    RENAME_EXCHANGE in simple_rename()"). Raises PinError."""
    paths = os.fsencode(one), os.fsencode(other)
    if _libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) < 0:
        fail(PinError, f"exchanging {one} and {other}", ctypes.get_errno())


def is_bpffs(directory: Path) -> bool:
    """Whether a directory lies in a bpffs, where alone things can be pinned."""
    return directory.is_dir() and _file_system_type(directory) == "bpf"


def entries(directory: Path) -> list[Path]:
    """What is pinned in a directory, in order; nothing if there is none."""
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _file_system_type(directory: Path) -> str:
    device = directory.stat().st_dev
    wanted = b"%d:%d" % (os.major(device), os.minor(device))
    # Mounts have any names but for spaces and line feeds, which the kernel escapes.
    for line in Path("/proc/self/mountinfo").read_bytes().split(b"\n"):
        left, _, right = line.partition(b" - ")
        if left.split(b" ")[2:3] == [wanted]:
            return right.split(b" ")[0].decode()
    return ""
