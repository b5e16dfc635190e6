# SPDX-License-Identifier: Apache-2.0
"""Automata, laid out as the image that the kernel walks.

The image is made of little-endian slots of 8 bytes. A row at the byte offset R owns the slot at R (low
half: what the state accepts, high half: where every byte leads that has no edge) and for each edge the slot
at R + 8 * symbol (low half: R, high half: where it leads). So one load and one comparison tell whether a
slot is this row's. Rows lie in each other's gaps (row displacement; `layout.c` puts those of automata). What
is led to is a *reference*: a row's offset, with bit 0 set if the state is absorbing, so that the walk can
stop there.
"""

import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence

from hauberk.automaton.dfa import Automaton
from hauberk.automaton.errors import ImageTooLargeError

MAX_IMAGE = 1 << 32
"""What a reference of 32 bits can address."""

SLOT = 8
"""Bytes of a slot."""

MAX_BYTE = 255

# How many slots behind the last row placed a gap is still tried.
_BEHIND = 128


class _Gaps:
    """The slots that are free, near the end of those in use: the others are not worth a search."""

    __slots__ = ("floor", "taken")

    def __init__(self) -> None:
        # Nothing is placed before `floor`; the bits of `taken` are the slots from there.
        self.floor = 0
        self.taken = 0

    def leave(self, slot: int) -> None:
        """Place nothing before `slot` any more."""
        self.floor = max(self.floor, slot)
        self.taken = 0

    def place(self, symbols: Iterable[int]) -> int:
        """Take the slots of a row with edges by `symbols` where it first fits; returns the first slot."""
        barred = taken = self.taken
        mask = 1
        for symbol in symbols:
            barred |= taken >> symbol
            mask |= 1 << symbol
        # The lowest bit that is not set.
        at = (~barred & (barred + 1)).bit_length() - 1
        taken |= mask << at
        slot = self.floor + at
        if at > _BEHIND:
            self.floor = slot - _BEHIND
            taken >>= at - _BEHIND
        self.taken = taken
        return slot


class TableBuilder:
    """An image whose first byte will lie at the offset `base` of the arena; all offsets taken and given are
    the arena's.

    Accept words must have bit 0 set, which tells them from a row's offset. A row may be asked for the
    symbols up to 255, and for those up to the greatest of its own edges. Nothing but the order of the calls
    decides on the layout.
    """

    def __init__(self, base: int = 0) -> None:
        if base % SLOT:
            raise ValueError("base must be a multiple of 8")
        self._base = base
        # Two words a slot: low half, high half.
        self._words = array("I")
        self._gaps = _Gaps()
        # One beyond the last slot that a lookup can touch.
        self._reach = 0
        self._rows: dict[tuple[int, int, tuple[tuple[int, int], ...]], int] = {}
        self._absorbing: dict[int, int] = {}
        if not base:
            # An unused slot would pass for an edge of a row at offset 0.
            self._extend(1)
            self._gaps.leave(1)

    def add_row(self, accept: int, default: int, edges: Mapping[int, int]) -> int:
        """Add a row and return its offset, which is also the reference to it. Equal rows are added once.

        `default` and the values of `edges` are references, the keys symbols from 1.
        """
        _check_accept(accept)
        key = (accept, default, tuple(sorted(edges.items())))
        if key not in self._rows:
            highest = key[2][-1][0] if edges else 0
            slot = self._gaps.place(edges)
            row = self._offset(slot)
            self._extend(slot + highest + 1)
            self._look(slot + max(highest, MAX_BYTE))
            self._fill(slot, accept, default)
            for symbol, to in key[2]:
                self._fill(slot + symbol, row, to)
            self._rows[key] = row
        return self._rows[key]

    def add_rows_without_edges(self, accepts: Sequence[int]) -> int:
        """Add such rows, with the default 0, side by side; returns the first one's offset. Equal ones are not
        shared."""
        words = array("I", bytes(SLOT * len(accepts)))
        words[::2] = array("I", accepts)
        if accepts:
            _check_accept(min(map((1).__and__, accepts)))
        if sys.byteorder == "big":
            words.byteswap()
        first = self.add_block(words.tobytes())
        self._look(len(self._words) // 2 - 1 + MAX_BYTE)
        return first

    def add_automaton(
        self,
        automaton: Automaton,
        accept_words: Callable[[int], int] | Sequence[int],
        *,
        share: bool = True,
    ) -> int:
        """Add all states and return the reference to the start. `accept_words` gives the accept word of
        each state.

        Absorbing states with equal accept words share one row, also with those of automata added before;
        without `share` each state has a row of its own, so that references can be compared in place of
        states.
        """
        t = automaton.tables
        accepts = array(
            "I", map(accept_words, range(len(automaton))) if callable(accept_words) else accept_words
        )
        if len(accepts) != len(automaton):
            raise ValueError("one accept word for each state is wanted")
        # 0 for a state that has no row yet.
        references = array("I", bytes(4 * len(accepts)))
        for state in t.absorbing:
            references[state] = self._absorbing_row(accepts[state], share)
        t.lay_out(accepts, references, self._words, self._base)
        end = len(self._words) // 2
        self._gaps.leave(end)
        self._look(end - 1 + MAX_BYTE)
        return references[automaton.start]

    def add_block(self, data: bytes) -> int:
        """Add bytes as they are and return the offset of the first, a multiple of 8."""
        # No row may reach into the block, where anything could look like one of its edges.
        self._extend(self._reach)
        slot = len(self._words) // 2
        block = array("I", data + bytes(-len(data) % SLOT))
        if sys.byteorder == "big":
            block.byteswap()
        self._words.extend(block)
        self._gaps.leave(len(self._words) // 2)
        self._look(len(self._words) // 2 - 1)
        return self._offset(slot)

    def image(self) -> bytes:
        """The image so far, so long that no lookup of a row in it reaches beyond it."""
        self._extend(self._reach)
        words = self._words
        if sys.byteorder == "big":
            words = words[:]
            words.byteswap()
        return words.tobytes()

    def _absorbing_row(self, accept: int, share: bool) -> int:
        if share and accept in self._absorbing:
            return self._absorbing[accept]
        slot = self._gaps.place(())
        reference = self._offset(slot) | 1
        self._extend(slot + 1)
        self._look(slot + MAX_BYTE)
        self._fill(slot, accept, reference)
        return self._absorbing.setdefault(accept, reference) if share else reference

    def _offset(self, slot: int) -> int:
        return self._base + SLOT * slot

    def _fill(self, slot: int, low: int, high: int) -> None:
        self._words[2 * slot] = low
        self._words[2 * slot + 1] = high

    def _extend(self, slots: int) -> None:
        """Let there be at least so many slots."""
        self._words.frombytes(bytes(max(0, SLOT * slots - 4 * len(self._words))))
        self._look(slots - 1)

    def _look(self, slot: int) -> None:
        """Take note that `slot` may be looked at."""
        self._reach = max(self._reach, slot + 1)
        if self._offset(self._reach) > MAX_IMAGE:
            raise ImageTooLargeError


def _check_accept(accept: int) -> None:
    if not accept & 1:
        raise ValueError("an accept word has bit 0 set")
