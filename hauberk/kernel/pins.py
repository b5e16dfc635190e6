# SPDX-License-Identifier: Apache-2.0
"""What an earlier process left pinned below a bpffs directory: maps/NAME, programs/NAME, links/NAME.

Adopting opens all of it again; removing it is what ends its life, and with the links the enforcement.
"""

import os
from pathlib import Path
from typing import Self

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import PinError, fail
from hauberk.kernel.libbpf import Link, Program
from hauberk.kernel.maps import Map


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
            for path in _entries(directory / "maps"):
                found.maps[path.name] = Map(open_pin(path), path.name)
            for path in _entries(directory / "programs"):
                found.programs[path.name] = Program(open_pin(path), path.name)
            for path in _entries(directory / "links"):
                found.links[path.name] = Link(open_pin(path), path.name)
        except BaseException:
            found.close()
            raise
        return found

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


def unpin(directory: Path) -> None:
    """Removes the pins below `directory` and the directory, links first."""
    try:
        for kind in ("links", "programs", "maps"):
            for path in _entries(directory / kind):
                path.unlink()
            if (directory / kind).is_dir():
                (directory / kind).rmdir()
        directory.rmdir()
    except OSError as error:
        raise PinError(f"unpinning {directory}: {error.strerror}", error.errno or 0) from error


def is_bpffs(directory: Path) -> bool:
    """Whether a directory lies in a bpffs, where alone things can be pinned."""
    return directory.is_dir() and _file_system_type(directory) == "bpf"


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _file_system_type(directory: Path) -> str:
    device = directory.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[2] == wanted:
            return right.split()[0]
    return ""
