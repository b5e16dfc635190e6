# SPDX-License-Identifier: Apache-2.0
"""Tables in the arena, each with its entries in the `mounts` map: put where nobody looks yet, and taken away
when nobody can look any more."""

from collections.abc import Collection, Iterable
from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.regions import Regions, aligned
from hauberk.enforcers.bpf_lsm.state import PlacedTable
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.protocol import EnforcerError
from hauberk.kernel.errors import KernelError
from hauberk.kernel.maps import Map

FIRST_TABLE: Final = 64
"""Where an engine's first table is placed: 0 stands for no table."""


def room_for(table: Table) -> int:
    """How many bytes of tables an engine needs for this one and, while it is replaced, for one like it."""
    return 2 * aligned(len(table.image))


class Tables:
    """The arena and the mounts of one engine. `placed` are those that are there, by where they begin."""

    def __init__(self, arena: Map, mounts: Map, links: Map) -> None:
        self._arena = arena
        self._mounts = mounts
        self._links = links
        # A row's lookup may reach beyond its table, never beyond the arena: offsets are masked.
        self._regions = Regions(FIRST_TABLE, arena.value_size)
        self.placed: dict[int, PlacedTable] = {}
        self._by_key: dict[bytes, int] = {}

    def base_for(self, size: int) -> int:
        """Where a table of this size has room. Raises EnforcerError."""
        base = self._regions.find(size)
        if base is None:
            raise EnforcerError(
                f"no room for a table of {size} bytes: of {self._arena.value_size}, "
                f"at most {self._regions.largest} are free in one piece",
                "what was in force before still is; a new run has as much room as its policies need",
            )
        return base

    def fits(self, table: Table) -> bool:
        """Whether there is room at the place that it was compiled for."""
        return self._regions.fits(table.base, len(table.image))

    def of_key(self, key: bytes) -> PlacedTable | None:
        """The table of this content (`sharing.content_key`), if there is one."""
        begin = self._by_key.get(key)
        return None if begin is None else self.placed[begin]

    def keys(self) -> frozenset[bytes]:
        """The keys of all tables that are there."""
        return frozenset(self._by_key)

    def room(self) -> dict[str, tuple[int, int]]:
        """How much is taken and how much there is: bytes of tables, and mounts of workloads."""
        placed = self.placed.values()
        return {
            "table bytes": (sum(aligned(table.size) for table in placed), self._arena.value_size),
            "mounts": (sum(len(table.mounts) for table in placed), self._mounts.max_entries),
        }

    def place(self, table: Table) -> PlacedTable:
        """Write a table to the place that it was compiled for. Raises EnforcerError; nothing has changed
        then."""
        begin, size = table.base, len(table.image)
        if not self.fits(table):
            raise EnforcerError(f"no room for a table of {size} bytes at {begin}")
        head = table.offset | table.flags & abi.HINTS
        mounts = tuple(key for key, _ in table.mounts)
        placed = PlacedTable(begin, size, head, mounts, table.classes, table.key)
        try:
            self._arena.write(begin, table.image)
        except KernelError as error:
            raise EnforcerError(error.message, error.remedy) from error
        self._regions.take(begin, size)
        self._add(placed)
        try:
            for key, value in table.mounts:
                self._mounts.update(key, value)
        except KernelError as error:
            self.release((begin,))
            raise EnforcerError(
                f"the workload's mounts found no room among those of all tables, "
                f"at most {self._mounts.max_entries}: {error.message}",
                error.remedy,
            ) from error
        return placed

    def restore(self, table: PlacedTable) -> None:
        """Know of a table that is there already."""
        try:
            self._regions.take(table.begin, table.size)
        except ValueError as error:
            raise EnforcerError(f"two tables lie at {table.begin} in the arena") from error
        self._add(table)

    def _add(self, table: PlacedTable) -> None:
        self.placed[table.begin] = table
        if table.key:
            self._by_key[table.key] = table.begin

    def release(self, begins: Iterable[int]) -> None:
        """Take tables away that no program can be walking."""
        offsets = set()
        for begin in begins:
            table = self.placed.pop(begin)
            if self._by_key.get(table.key) == begin:
                del self._by_key[table.key]
            for key in table.mounts:
                self._mounts.delete(key)
            offsets.add((table.head & ~abi.HINTS).to_bytes(4, "little"))
            self._regions.release(begin)
        # Those of files with several links, which came after the table was made.
        linked = list(self._links.keys())
        for key in linked:
            if key[:4] in offsets:
                self._links.delete(key)

    def sweep_mounts(self) -> None:
        """Remove what belongs to no table: a keeper was killed while it placed one."""
        known: Collection[bytes] = {key for table in self.placed.values() for key in table.mounts}
        found = list(self._mounts.keys())
        for key in found:
            if key not in known:
                self._mounts.delete(key)
