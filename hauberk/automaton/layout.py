# SPDX-License-Identifier: Apache-2.0
"""Where the rows of a table lie: each in the gaps that others leave.

Most rows have a single edge that leads to the next state: the tails of paths, *chains*. They are put
without any search and nearly without gaps: if rows are sorted by their symbols, then a row that begins at
the next free slot has its edge beyond all edges so far. They are sorted within batches, so that one path's
states still lie close to each other. All other rows are put, in the order of their states, where they first
fit.
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
_BEHIND = 128
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
        """Take the slots of a row with edges by `symbols` (its `row_mask` is `mask`) where it first fits;
        returns the first slot."""
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
    """Appends the rows of one automaton to the words of an image, two a slot. Slot 0 lies at the offset
    `base`."""

    def __init__(
        self, tables: Tables, accepts: "array[int]", references: "array[int]", words: "array[int]", base: int
    ) -> None:
        """Append all states whose reference is 0 and set their references. `accepts` has each state's
        accept word."""
        self.tables = tables
        self.accepts = accepts
        self.references = references
        self.words = words
        self.base = base
        begin = len(words) // 2
        self.place_one_by_one()
        end = len(words) // 2
        # The last rows of chains: their edges, and the states to which those lead.
        self.ends: list[tuple[int, int]] = []
        self.place_chains()
        known = array("I", (0,)) + references
        for at in range(begin, end, _GROWTH):
            part = slice(2 * at + 1, 2 * min(at + _GROWTH, end), 2)
            words[part] = array("I", [known[state] for state in words[part].tolist()])
        for slot, state in self.ends:
            words[2 * slot + 1] = references[state]

    def place_one_by_one(self) -> None:
        """Append the rows outside of chains, where they first fit. The high halves are the numbers of
        states, plus 1, for not all references are known yet."""
        t, references, accepts, words = self.tables, self.references, self.accepts, self.words
        loose = bytearray(b"\1") * len(accepts)
        for state, length in t.chains:
            loose[state : state + length] = bytes(length)
        room = len(words) // 2 - MAX_BYTE
        gaps = Gaps(len(words) // 2)
        place, base, text, all_targets = gaps.place, self.base, bytes(t.symbols), t.targets
        # For each set of symbols the row's mask, and where its edges lie, in words from its first.
        masks: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        states = zip(range(len(loose)), t.first, t.count, accepts, t.default, references, strict=True)
        for state, first, count, accept, default, reference in compress(states, loose):
            if reference:
                continue
            symbols = text[first : first + count]
            known = masks.get(symbols)
            if known is None:
                known = masks[symbols] = row_mask(symbols), tuple(2 * symbol for symbol in symbols)
            slot = place(symbols, known[0])
            if slot >= room:
                words.frombytes(bytes(SLOT * _GROWTH))
                room = len(words) // 2 - MAX_BYTE
            reference = base + SLOT * slot
            references[state] = reference
            slot += slot
            words[slot] = accept
            words[slot + 1] = 1 + default
            for edge in known[1]:
                edge += slot
                words[edge] = reference
                words[edge + 1] = 1 + all_targets[first]
                first += 1
        del words[2 * (gaps.floor + gaps.taken.bit_length()) :]

    def place_chains(self) -> None:
        batch: list[tuple[int, int]] = []
        states = 0
        for chain in self.tables.chains:
            batch.append(chain)
            states += chain[1]
            if states >= _BATCH:
                self.place_sorted(batch)
                batch = []
                states = 0
        if batch:
            self.place_sorted(batch)

    def place_sorted(self, chains: list[tuple[int, int]]) -> None:
        """Append the rows of `chains` in the order of their symbols."""
        t, references, words = self.tables, self.references, self.words
        text = b"".join([t.symbols[t.first[state] : t.first[state] + length] for state, length in chains])
        order = sorted(range(len(text)), key=list(text).__getitem__)
        runs, end = _runs(len(words) // 2, text)
        words.frombytes(bytes(SLOT * end - 4 * len(words)))
        rows: list[int] = []
        for slot, _, n in runs:
            rows.extend(range(self.base + SLOT * slot, self.base + SLOT * (slot + n), SLOT))
        # Back from the order of the symbols to that of the text, where each row but a chain's last leads to
        # the next.
        row_at = [0] * len(rows)
        for i, row in zip(order, rows, strict=True):
            row_at[i] = row
        accepts = array("I")
        defaults: list[int] = []
        at = 0
        for state, length in chains:
            references[state : state + length] = array("I", row_at[at : at + length])
            accepts += self.accepts[state : state + length]
            defaults += [references[t.default[state]]] * length
            at += length
            edge = (row_at[at - 1] - self.base) // SLOT + text[at - 1]
            self.ends.append((edge, t.targets[t.first[state] + length - 1]))
        row_at.append(0)
        heads = array("I", [accepts[i] for i in order]), array("I", [defaults[i] for i in order])
        edges = array("I", rows), array("I", [row_at[i + 1] for i in order])
        done = 0
        for slot, symbol, n in runs:
            taken = slice(done, done + n)
            for half in (0, 1):
                at = 2 * slot + half
                words[at : at + 2 * n : 2] = heads[half][taken]
                at += 2 * symbol
                words[at : at + 2 * n : 2] = edges[half][taken]
            done += n


def _runs(slot: int, text: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """Where rows with the edges `text`, one each, lie if sorted, from `slot` on: stretches of slots, the
    rows' symbol and their number. Also returns the slot after all rows and edges."""
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
