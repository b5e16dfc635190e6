# SPDX-License-Identifier: Apache-2.0
"""Where the rows of a table lie: each in the gaps that others leave.

Rows with no edge or several are put, in the order of their states, where they first fit. Those with a single edge, most
of a table that is made from paths, are put without any search and without any gap: if rows are sorted by their symbol,
then a row that begins at the next free slot has its edge beyond all edges so far. They are sorted within batches of
states, so that the states of one path still lie close to each other.
"""

from array import array
from collections import deque
from collections.abc import Iterable
from itertools import compress

from hauberk.automaton.compile import Tables

SLOT = 8
"""Bytes of a slot."""

MAX_BYTE = 255

# How many slots behind the last row placed a gap is still tried.
_BEHIND = 192
# Slots by which the arrays grow.
_GROWTH = 1 << 16
# States that are sorted together.
_BATCH = 1 << 14

# Free slots in a row that are worth using: the layout would fray into ever smaller pieces.
_WORTHWHILE = 16

_IS_ONE = bytes(count == 1 for count in range(256))


class Gaps:
    """The slots that are free, near the end of those in use: the others are not worth a search."""

    __slots__ = ("floor", "taken")

    def __init__(self, floor: int) -> None:
        # Nothing is placed before `floor`; the bits of `taken` are the slots from there.
        self.floor = floor
        self.taken = 0

    def leave(self, slot: int) -> None:
        """Place nothing before `slot` any more."""
        self.floor = max(self.floor, slot)
        self.taken = 0

    def place(self, symbols: Iterable[int], mask: int) -> int:
        """Take the slots of a row with edges by `symbols` (its `row_mask` is `mask`) where it first fits; returns the
        first slot."""
        barred = taken = self.taken
        for symbol in symbols:
            barred |= taken >> symbol
        # The lowest bit that is not set.
        at = (~barred & (barred + 1)).bit_length() - 1
        taken |= mask << at
        slot = self.floor + at
        if at > _BEHIND:
            self.floor = slot - _BEHIND
            taken >>= at - _BEHIND
        self.taken = taken
        return slot


def row_mask(symbols: Iterable[int]) -> int:
    """The slots of a row as bits: the first, and one for each symbol."""
    mask = 1
    for symbol in symbols:
        mask |= 1 << symbol
    return mask


class Layout:
    """The rows of one automaton. `low` holds the low half of each slot; `source` tells where its high half comes from:
    1 + s for the default of state s, 1 + states + i for the target i, 0 for a slot that is free.
    """

    def __init__(self, tables: Tables, accepts: "array[int]", references: "array[int]", origin: int) -> None:
        """Place all states whose reference is 0, from the offset `origin`, and set their references.

        `accepts` has the accept word of each state.
        """
        self.tables = tables
        self.accepts = accepts
        self.references = references
        self.origin = origin
        self.low = array("I")
        self.source = array("I")
        self.end = 0
        self.place_singly()
        self.place_by_symbol()
        del self.low[self.end :], self.source[self.end :]

    def make_room(self) -> None:
        self.low.frombytes(bytes(4 * _GROWTH))
        self.source.frombytes(bytes(4 * _GROWTH))

    def place_singly(self) -> None:
        """Place the rows that have not exactly one edge."""
        t, references, accepts, low, source = self.tables, self.references, self.accepts, self.low, self.source
        gaps = Gaps(0)
        edges = 1 + len(accepts)
        # By symbols; to look a mask up is much cheaper than to make it anew.
        masks: dict[bytes, int] = {}
        room = end = 0
        for state, (first, count) in enumerate(zip(t.first, t.count, strict=True)):
            if count == 1 or references[state]:
                continue
            symbols = bytes(t.symbols[first : first + count])
            mask = masks.get(symbols) or masks.setdefault(symbols, row_mask(symbols))
            slot = gaps.place(symbols, mask)
            if slot >= room:
                self.make_room()
                room = len(low) - MAX_BYTE
            low[slot] = accepts[state]
            source[slot] = 1 + state
            references[state] = reference = self.origin + SLOT * slot
            for edge, symbol in enumerate(symbols, edges + first):
                low[slot + symbol] = reference
                source[slot + symbol] = edge
            end = max(end, slot + mask.bit_length())
        self.end = end

    def place_by_symbol(self) -> None:
        """Place the rows that have exactly one edge."""
        t = self.tables
        for batch in range(0, len(t.count), _BATCH):
            ones = t.count[batch : batch + _BATCH].translate(_IS_ONE)
            states = list(compress(range(batch, batch + len(ones)), ones))
            symbols = bytes(map(t.symbols.__getitem__, map(t.first.__getitem__, states)))
            order = sorted(range(len(states)), key=symbols.__getitem__)
            groups = [(symbol, symbols.count(symbol)) for symbol in sorted(set(symbols))]
            self.place_sorted(array("I", map(states.__getitem__, order)), groups)

    def place_sorted(self, states: "array[int]", groups: list[tuple[int, int]]) -> None:
        """Place rows with one edge each, sorted by its symbol: `groups` tells how many there are of each symbol."""
        t, low, source = self.tables, self.low, self.source
        while len(low) < self.end + 2 * len(states) + 2 * MAX_BYTE:
            self.make_room()
        slot = self.end
        # Where edges lie beyond `slot`, as stretches. Each new one lies beyond all others.
        ahead: deque[tuple[int, int]] = deque()
        done = 0
        for symbol, count in groups:
            last = done + count
            while done < last:
                while ahead and ahead[0][0] - slot < _WORTHWHILE:
                    slot = ahead.popleft()[1]
                free = ahead[0][0] - slot if ahead else symbol
                n = min(last - done, symbol, free)
                run = states[done : done + n]
                rows = array("I", range(self.origin + SLOT * slot, self.origin + SLOT * (slot + n), SLOT))
                edge = slot + symbol
                low[slot : slot + n] = array("I", map(self.accepts.__getitem__, run))
                low[edge : edge + n] = rows
                source[slot : slot + n] = array("I", map((1).__add__, run))
                source[edge : edge + n] = array("I", map((1 + len(self.accepts)).__add__, map(t.first.__getitem__, run)))
                deque(map(self.references.__setitem__, run, rows), maxlen=0)
                ahead.append((edge, edge + n))
                slot += n
                done += n
        self.end = ahead[-1][1] if ahead else slot
