# SPDX-License-Identifier: Apache-2.0
"""Automata, laid out as the image that the kernel walks.

The image is made of little-endian slots of 8 bytes. A row at the byte offset R owns the slot at R (low half: what the
state accepts, high half: where every byte leads that has no edge) and for each edge the slot at R + 8 * symbol (low half:
R, high half: where it leads). So one load and one comparison tell whether a slot is this row's. Rows lie in each other's
gaps (row displacement). What is led to is a *reference*: a row's offset, with bit 0 set if the state is absorbing, so that
the walk can stop there.
"""

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence

from hauberk.automaton.dfa import Automaton
from hauberk.automaton.errors import AutomatonError

SLOT = 8
MAX_BYTE = 255
MAX_IMAGE = 1 << 32
"""What a reference of 32 bits can address."""


class ImageTooLargeError(AutomatonError):
    """The image would not be addressable by a reference of 32 bits."""


class TableBuilder:
    """An image whose first byte will lie at the offset `base` of the arena; all offsets taken and given are the arena's.

    Accept words must have bit 0 set, which tells them from a row's offset. A row may be asked for the symbols up to 255,
    and for those up to the greatest of its own edges.
    """

    def __init__(self, base: int = 0) -> None:
        if base % SLOT:
            raise ValueError("base must be a multiple of 8")
        self._base = base
        self._slots = _Slots()
        # Two words a slot: low half, high half.
        self._words = array("I")
        self._rows: dict[tuple[int, int, tuple[tuple[int, int], ...]], int] = {}
        self._absorbing: dict[int, int] = {}
        if base == 0:
            # An unused slot would pass for an edge of a row at offset 0.
            self._slots.reserve(1)

    def add_row(self, accept: int, default: int, edges: Mapping[int, int]) -> int:
        """Add a row and return its offset, which is also the reference to it. Equal rows are added once.

        `default` and the values of `edges` are references, the keys symbols from 1.
        """
        _check_accept(accept)
        key = (accept, default, tuple(sorted(edges.items())))
        if key not in self._rows:
            symbols = tuple(c for c, _ in key[2])
            if symbols and symbols[0] < 1:
                raise ValueError("symbols begin at 1")
            (slot,) = self._slots.place(symbols, 1)
            self._grow()
            row = self._offset(slot)
            self._fill(slot, accept, default)
            for symbol, to in key[2]:
                self._fill(slot + symbol, row, to)
            self._rows[key] = row
        return self._rows[key]

    def add_automaton(self, automaton: Automaton, accept_words: Callable[[int], int] | Sequence[int]) -> int:
        """Add all states and return the reference to the start.

        `accept_words` gives the accept word of each state.
        """
        t = automaton.tables
        n = len(automaton)
        words = array("I", map(accept_words, range(n)) if callable(accept_words) else accept_words)
        if len(words) != n:
            raise ValueError("one accept word for each state is wanted")
        groups: dict[bytes, list[int]] = {}
        references = array("I", bytes(4 * n))
        for state, (first, count) in enumerate(zip(t.first, t.count, strict=True)):
            _check_accept(words[state])
            if not count and t.default[state] == state:
                references[state] = self._absorbing_row(words[state])
            else:
                groups.setdefault(bytes(t.symbols[first : first + count]), []).append(state)
        # The rows with most edges are the hardest to place.
        for symbols in sorted(groups, key=lambda s: (-len(s), s)):
            states = groups[symbols]
            for state, slot in zip(states, self._slots.place(tuple(symbols), len(states)), strict=True):
                references[state] = self._offset(slot)
        self._grow()
        for symbols, states in groups.items():
            for state in states:
                row = references[state]
                slot = (row - self._base) // SLOT
                self._fill(slot, words[state], references[t.default[state]])
                for at, symbol in enumerate(symbols, t.first[state]):
                    self._fill(slot + symbol, row, references[t.targets[at]])
        return references[automaton.start]

    def add_block(self, data: bytes) -> int:
        """Add bytes as they are and return the offset of the first, a multiple of 8."""
        length = -(-len(data) // SLOT)
        slot = self._slots.reserve(length)
        self._grow()
        block = array("I", data.ljust(length * SLOT, b"\0"))
        if sys.byteorder == "big":
            block.byteswap()
        self._words[2 * slot : 2 * (slot + length)] = block
        return self._offset(slot)

    def image(self) -> bytes:
        """The image so far, so long that no lookup of a row in it reaches beyond it."""
        words = self._words + array("I", bytes(SLOT * (self._slots.reach - len(self._words) // 2)))
        if sys.byteorder == "big":
            words.byteswap()
        return words.tobytes()

    def _offset(self, slot: int) -> int:
        return self._base + SLOT * slot

    def _fill(self, slot: int, low: int, high: int) -> None:
        self._words[2 * slot] = low
        self._words[2 * slot + 1] = high

    def _grow(self) -> None:
        if self._offset(self._slots.reach) > MAX_IMAGE:
            raise ImageTooLargeError("the tables would be larger than 4 GiB", "split the rules among workloads")
        missing = self._slots.end - len(self._words) // 2
        if missing > 0:
            self._words.frombytes(bytes(SLOT * missing))

    def _absorbing_row(self, accept: int) -> int:
        if accept not in self._absorbing:
            (slot,) = self._slots.place((), 1)
            self._grow()
            reference = self._offset(slot) | 1
            self._fill(slot, accept, reference)
            self._absorbing[accept] = reference
        return self._absorbing[accept]


def _check_accept(accept: int) -> None:
    if not accept & 1:
        raise ValueError("an accept word has bit 0 set")


_WINDOW = 4096
_ALL = (1 << _WINDOW) - 1
_AHEAD = (1 << (MAX_BYTE + 1)) - 1


class _Slots:
    """Which slots are taken. Free ones are kept as bits of large integers, one for each window of slots: a few shifts and
    conjunctions find all places of a window at which a row fits."""

    def __init__(self) -> None:
        self._free: list[int] = []
        # All windows before this one are nearly full.
        self._first = 0
        # One beyond the last slot taken, and beyond the last that a lookup can touch.
        self.end = 0
        self.reach = 0

    def place(self, symbols: tuple[int, ...], count: int) -> list[int]:
        """Take the slots for `count` rows with the given edges, and return where the rows begin."""
        if symbols and symbols[-1] > MAX_BYTE:
            width = symbols[-1] + 1
            found = [self.reserve(width) for _ in range(count)]
            self.reach = max(self.reach, self.end)
            return found
        offsets = (0, *symbols)
        own = sum(1 << c for c in offsets)
        # Bit 255 + d: a row at p forbids one at p + d, for one of its slots would be the other's.
        forbids = 0
        for c in offsets:
            forbids |= own << (MAX_BYTE - c)
        found = []
        window = self._first
        while len(found) < count:
            while len(self._free) < window + 2:
                self._free.append(_ALL)
            free = self._free[window] | (self._free[window + 1] & _AHEAD) << _WINDOW
            fits = free & _ALL
            for c in symbols:
                fits &= free >> c
            begin = window * _WINDOW
            rows = 0
            wanted = count - len(found)
            while fits and wanted:
                row = fits & -fits
                at = row.bit_length() - 1
                rows |= row
                fits &= ~(forbids << at >> MAX_BYTE)
                found.append(begin + at)
                wanted -= 1
            if rows:
                taken = 0
                for c in offsets:
                    taken |= rows << c
                self._free[window] &= ~taken
                self._free[window + 1] &= ~(taken >> _WINDOW)
                self.end = max(self.end, begin + taken.bit_length())
                self.reach = max(self.reach, found[-1] + MAX_BYTE + 1)
            window += 1
        while self._free[self._first].bit_count() < _WINDOW // 32:
            self._first += 1
        return found

    def reserve(self, count: int) -> int:
        """Take `count` slots in a row, beyond the reach of every row so far, and return the first."""
        begin = max(self.end, self.reach)
        last = (begin + count) // _WINDOW
        while len(self._free) < last + 2:
            self._free.append(_ALL)
        # What lies before may not be taken either: a row there would reach into these slots.
        self._first = last
        for window in range(last):
            self._free[window] = 0
        self._free[last] &= _ALL << (begin + count) % _WINDOW & _ALL
        self.end = self.reach = begin + count
        return begin
