# SPDX-License-Identifier: Apache-2.0
"""Where the rows of a table lie: each in the gaps that others leave.

Most rows have a single edge that leads to the next state: the tails of paths, *chains*. They are put without any search
and nearly without gaps: if rows are sorted by their symbols, then a row that begins at the next free slot has its edge
beyond all edges so far. They are sorted within batches, so that one path's states still lie close to each other. All
other rows are put, in the order of their states, where they first fit.
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
    """The rows of one automaton, as the low and the high halves of the slots from the offset `origin`."""

    def __init__(self, tables: Tables, accepts: "array[int]", references: "array[int]", origin: int) -> None:
        """Place all states whose reference is 0 and set their references. `accepts` has each state's accept word."""
        self.tables = tables
        self.accepts = accepts
        self.references = references
        self.origin = origin
        self.low = array("I")
        self.high = array("I")
        # Slots, and the states whose references are to be their high halves.
        self.leads_to: list[tuple[array[int], array[int]]] = []
        self.place_one_by_one()
        batch: list[tuple[int, int]] = []
        states = 0
        for chain in tables.chains:
            batch.append(chain)
            states += chain[1]
            if states >= _BATCH:
                self.place_sorted(batch)
                batch = []
                states = 0
        if batch:
            self.place_sorted(batch)
        for slots, targets in self.leads_to:
            for slot, state in zip(slots, targets, strict=True):
                self.high[slot] = references[state]

    def place_one_by_one(self) -> None:
        """Place the rows outside of chains where they first fit."""
        t, references, accepts, low = self.tables, self.references, self.accepts, self.low
        loose = bytearray(b"\1") * len(accepts)
        for state, length in t.chains:
            loose[state : state + length] = bytes(length)
        slots, targets = array("I"), array("I")
        gaps = Gaps(0)
        # By symbols; to look a mask up is much cheaper than to make it anew.
        masks: dict[bytes, int] = {}
        room = end = 0
        for state in compress(range(len(loose)), loose):
            if references[state]:
                continue
            first = t.first[state]
            last = first + t.count[state]
            symbols = bytes(t.symbols[first:last])
            mask = masks.get(symbols) or masks.setdefault(symbols, row_mask(symbols))
            slot = gaps.place(symbols, mask)
            if slot >= room:
                low.frombytes(bytes(4 * _GROWTH))
                room = len(low) - MAX_BYTE
            low[slot] = accepts[state]
            references[state] = reference = self.origin + SLOT * slot
            slots.append(slot)
            targets.append(t.default[state])
            for symbol in symbols:
                low[slot + symbol] = reference
                slots.append(slot + symbol)
            targets += t.targets[first:last]
            end = max(end, slot + mask.bit_length())
        del low[end:]
        self.high.frombytes(bytes(4 * end))
        self.leads_to.append((slots, targets))

    def place_sorted(self, chains: list[tuple[int, int]]) -> None:
        """Place the rows of `chains` in the order of their symbols."""
        t = self.tables
        text = b"".join([t.symbols[t.first[state] : t.first[state] + length] for state, length in chains])
        order = sorted(range(len(text)), key=list(text).__getitem__)
        begin = len(self.low)
        runs, end = _runs(begin, text)
        self.low.frombytes(bytes(4 * (end - begin)))
        self.high.frombytes(bytes(4 * (end - begin)))
        rows: list[int] = []
        for slot, _, n in runs:
            rows.extend(range(self.origin + SLOT * slot, self.origin + SLOT * (slot + n), SLOT))
        # Back from the order of the symbols to that of the text, where each row but a chain's last leads to the next.
        row_at = [0] * len(rows)
        for i, row in zip(order, rows, strict=True):
            row_at[i] = row
        slots, targets = array("I"), array("I")
        accepts: list[int] = []
        defaults: list[int] = []
        at = 0
        for state, length in chains:
            self.references[state : state + length] = array("I", row_at[at : at + length])
            accepts += self.accepts[state : state + length]
            defaults += [self.references[t.default[state]]] * length
            at += length
            slots.append((row_at[at - 1] - self.origin) // SLOT + text[at - 1])
            targets.append(t.targets[t.first[state] + length - 1])
        self.leads_to.append((slots, targets))
        row_at.append(0)
        after = row_at[1:]
        self.fill(runs, array("I", rows), *(_sorted(values, order) for values in (accepts, defaults, after)))

    def fill(
        self,
        runs: list[tuple[int, int, int]],
        rows: "array[int]",
        accepts: "array[int]",
        defaults: "array[int]",
        after: "array[int]",
    ) -> None:
        done = 0
        for slot, symbol, n in runs:
            edge = slot + symbol
            self.low[slot : slot + n] = accepts[done : done + n]
            self.high[slot : slot + n] = defaults[done : done + n]
            self.low[edge : edge + n] = rows[done : done + n]
            self.high[edge : edge + n] = after[done : done + n]
            done += n


def _sorted(values: list[int], order: list[int]) -> "array[int]":
    return array("I", [values[i] for i in order])


def _runs(slot: int, text: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """Where rows with the edges `text`, one each, lie if sorted, from `slot` on: stretches of slots, the rows' symbol and
    their number. Also returns the slot after all rows and edges."""
    runs: list[tuple[int, int, int]] = []
    # Where edges lie beyond `slot`, as stretches. Each new one lies beyond all others.
    ahead: deque[tuple[int, int]] = deque()
    for symbol in sorted(set(text)):
        left = text.count(symbol)
        while left:
            while ahead and ahead[0][0] - slot < _WORTHWHILE:
                slot = ahead.popleft()[1]
            n = min(left, symbol, ahead[0][0] - slot if ahead else symbol)
            runs.append((slot, symbol, n))
            ahead.append((slot + symbol, slot + symbol + n))
            slot += n
            left -= n
    return runs, ahead[-1][1]
