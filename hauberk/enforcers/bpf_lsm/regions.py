# SPDX-License-Identifier: Apache-2.0
"""Who has which part of the arena: first fit over what is free. Numbers only, no memory is touched here.

Giving space out and having it back are two calls with nothing between them: when a table comes into force,
how many workloads use it and when nobody walks it any more is for the caller to know.
"""

from bisect import bisect_left
from typing import Final

ALIGNMENT: Final = 64


class Regions:
    """The space from `begin` to `end`, both multiples of ALIGNMENT, all of it free."""

    def __init__(self, begin: int, end: int) -> None:
        if begin % ALIGNMENT or end % ALIGNMENT or not 0 <= begin <= end:
            raise ValueError(f"no space from {begin} to {end}")
        # Free parts in order, none of them empty, no two of them adjacent.
        self._free = [(begin, end)] if begin < end else []
        self._taken: dict[int, int] = {}

    def find(self, size: int) -> int | None:
        """The lowest offset at which `size` bytes are free; None if they are nowhere in one piece."""
        size = aligned(size)
        return next((begin for begin, end in self._free if end - begin >= size), None)

    def fits(self, begin: int, size: int) -> bool:
        """Whether `size` bytes from `begin` on are free."""
        return self._place(begin, aligned(size)) is not None

    def take(self, begin: int, size: int) -> None:
        """Give out `size` bytes from `begin` on. Raises ValueError if they are not free."""
        size = aligned(size)
        at = self._place(begin, size)
        if at is None:
            raise ValueError(f"{size} bytes at {begin} are not free")
        left, right = self._free[at]
        rest = [(left, begin), (begin + size, right)]
        self._free[at : at + 1] = [(first, last) for first, last in rest if first < last]
        self._taken[begin] = begin + size

    def release(self, begin: int) -> None:
        """Have back what was given out at `begin`. Raises KeyError if nothing was."""
        end = self._taken.pop(begin)
        at = bisect_left(self._free, (begin, end))
        first, last = at, at
        if at and self._free[at - 1][1] == begin:
            first, begin = at - 1, self._free[at - 1][0]
        if at < len(self._free) and self._free[at][0] == end:
            last, end = at + 1, self._free[at][1]
        self._free[first:last] = [(begin, end)]

    @property
    def largest(self) -> int:
        """Bytes of the largest free part."""
        return max((end - begin for begin, end in self._free), default=0)

    def _place(self, begin: int, size: int) -> int | None:
        """Which free part holds this."""
        if begin % ALIGNMENT or size <= 0:
            return None
        at = bisect_left(self._free, (begin + 1,)) - 1
        return at if at >= 0 and begin + size <= self._free[at][1] else None


def aligned(size: int) -> int:
    """The size, rounded up to what is given out."""
    return -(-size // ALIGNMENT) * ALIGNMENT
