# SPDX-License-Identifier: Apache-2.0
"""What the engines on this machine take of the kernel's memory, found by their pins.

Sizes of maps are the kernel's own account (`memlock` in fdinfo). Since 6.4 it is what a map takes now;
before, it is the most that the map can take, and nothing for a ring, whose size is taken instead. Programs
count with their bytecode and their machine code. Their BTF and the trampolines of their hooks, which have no
account, are left out.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hauberk.enforcers.bpf_lsm.abi import HEADS, HINTS, WORKLOAD
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.kernel.errors import PinError
from hauberk.kernel.maps import Map, pin_name
from hauberk.kernel.pins import Pinned

_HEADS: Final = pin_name(HEADS)
_ARENA: Final = "arena"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """One engine: whom it serves, and what it takes, in bytes."""

    name: str
    workloads: int
    """Those with a table."""
    tasks: int
    tables: int
    """Workloads with the same rules and mounts share one."""
    table_bytes: int
    """How far the arena has ever been filled; all of it was taken when the engine was loaded."""
    maps: dict[str, int]
    programs: int
    program_bytes: int

    @property
    def total(self) -> int:
        return sum(self.maps.values()) + self.program_bytes


def engines() -> list[EngineMemory]:
    """Every engine that is pinned here. Raises KernelError."""
    try:
        paths = sorted(path for path in PIN_ROOT.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PinError(
            f"the engines' pins cannot be read: {error.strerror}", error.errno or 0, "run as root"
        ) from error
    return [found for path in paths if (found := memory_of(path)) is not None]


def memory_of(path: Path) -> EngineMemory | None:
    """The engine that is pinned below `path`; None if it is only half there. Raises KernelError."""
    with Pinned.adopt(path) as pinned:
        if not {_HEADS, _ARENA} <= pinned.maps.keys():
            return None
        heads = _heads(pinned.maps[_HEADS])
        return EngineMemory(
            name=path.name,
            workloads=sum(table != 0 for table, _ in heads),
            tasks=sum(tasks for _, tasks in heads),
            tables=len({table for table, _ in heads} - {0}),
            table_bytes=_filled(pinned.maps[_ARENA]),
            maps={name: each.memory for name, each in pinned.maps.items()},
            programs=len(pinned.programs),
            program_bytes=sum(each.memory for each in pinned.programs.values()),
        )


def _heads(heads: Map) -> list[tuple[int, int]]:
    """Table and tasks of each workload."""
    with heads.mmap() as mapped:
        whole = len(mapped.view) // WORKLOAD.size * WORKLOAD.size
        return [
            (table & ~HINTS, tasks)
            for table, _, tasks in struct.iter_unpack(WORKLOAD.format, mapped.view[:whole])
        ]


def _filled(arena: Map) -> int:
    with arena.mmap() as mapped:
        for begin in range((len(mapped.view) - 1) // _CHUNK * _CHUNK, -1, -_CHUNK):
            if found := bytes(mapped.view[begin : begin + _CHUNK]).rstrip(b"\0"):
                return begin + len(found)
    return 0
