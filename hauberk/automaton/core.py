# SPDX-License-Identifier: Apache-2.0
"""What is done for each state, of which there may be a million: calls of C (`core.h`)."""

import errno
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Final

from hauberk.automaton._core import ffi, lib
from hauberk.automaton.errors import ImageTooLargeError
from hauberk.automaton.shape import Shape, TooManyStatesError

_MOST_STATES: Final = 2**32 - 3


@dataclass(frozen=True, slots=True)
class Tables:
    """An automaton. State 0 is dead. State `s` goes to `default[s]`, but on the bytes
    `symbols[first[s]:][:count[s]]`, which ascend, to the `targets` beside them; `accept[s]` is the number of
    an accept set, of which the first is empty."""

    start: int
    default: "array[int]"
    first: "array[int]"
    count: bytes
    accept: "array[int]"
    symbols: bytes
    targets: "array[int]"
    absorbing: "array[int]"
    """The states that every byte leads back to."""
    chain: "array[int]"
    """`chains`, one after the other."""
    accept_sets: list[frozenset[int]]

    @property
    def chains(self) -> list[tuple[int, int]]:
        """Stretches of states (the first, how many), ascending.

        Each state has one edge, which leads to the next state, only the last one's elsewhere. All have the
        same default, which is absorbing, and accept what that accepts. Only the first is entered from
        elsewhere.
        """
        return list(zip(self.chain[::2], self.chain[1::2], strict=True))

    def live_below(self, meets: bytes) -> bytearray:
        """See `Automaton.live_below`; `meets` has 1 for each accept set that counts, else 0."""
        below = bytearray(len(self.default))
        _check(lib.core_live_below(self._given(), _bytes(meets), ffi.from_buffer("uint8_t[]", below)))
        return below

    def spread(self, of_set: "array[int]", more: bytes | bytearray) -> "array[int]":
        """See `Automaton.spread`."""
        if len(of_set) != len(self.accept_sets) or len(more) != len(self.default):
            raise ValueError("one word for each accept set is wanted, and one byte for each state")
        found = array("I", bytes(4 * len(self.default)))
        _check(lib.core_spread(self._given(), _numbers(of_set), _bytes(more), _numbers(found)))
        return found

    def lay_out(
        self, accepts: "array[int]", references: "array[int]", words: "array[int]", base: int
    ) -> None:
        """Append the rows of all states whose reference is 0 to `words`, two a slot, and set the references.

        `accepts` has each state's accept word; slot 0 lies at the offset `base`. Raises ImageTooLargeError,
        and ValueError for an accept word that has not bit 0 set.
        """
        image = ffi.gc(ffi.new("struct core_image *"), lib.core_free_image)
        slot = len(words) // 2
        _check(lib.core_layout(self._given(), _numbers(accepts), _numbers(references), base, slot, image))
        words.frombytes(_taken(image.words, 2 * image.slots))

    def _given(self) -> Any:
        """For C, as long as this object is there."""
        return ffi.new(
            "struct core_tables *",
            {
                "start": self.start,
                "states": len(self.default),
                "edges": len(self.targets),
                "chains": len(self.chain) // 2,
                "sets": len(self.accept_sets),
                "usual": _numbers(self.default),
                "first": _numbers(self.first),
                "accept": _numbers(self.accept),
                "targets": _numbers(self.targets),
                "count": _bytes(self.count),
                "symbols": _bytes(self.symbols),
                "chain": _numbers(self.chain),
            },
        )


@dataclass(frozen=True, slots=True)
class Beginnings:
    """The literal beginnings of patterns, ascending: what is known of each."""

    keys: Sequence[bytes]
    literal: Sequence[Sequence[int]]
    """The patterns that end there."""
    shape: Sequence[int]
    """The number of the shape that begins there, or -1."""
    slots: Sequence[Sequence[Sequence[int]]]
    """For each slot of the shape the patterns that it stands for."""


def build(beginnings: Beginnings, shapes: Sequence[Shape], limit: int) -> Tables:
    """The automaton of all `beginnings` and what begins there. Raises TooManyStatesError."""
    text = b"".join(beginnings.keys)
    ends = array("I", accumulate(map(len, beginnings.keys)))
    literal, shape = bytes(map(bool, beginnings.literal)), array("i", beginnings.shape)
    keys = ffi.new(
        "struct core_keys *",
        (len(ends), _bytes(text), _numbers(ends), _bytes(literal), ffi.from_buffer("int32_t[]", shape)),
    )
    given, kept = _flat(shapes)
    made = ffi.gc(ffi.new("struct core_tables *"), lib.core_free_tables)
    result = lib.core_compile(keys, given, max(0, min(limit, _MOST_STATES)), made)
    if result == -errno.E2BIG:
        raise TooManyStatesError(limit)
    _check(result)
    del kept
    return Tables(
        start=made.start,
        default=_array(made.usual, made.states),
        first=_array(made.first, made.states),
        count=bytes(_taken(made.count, made.states)),
        accept=_array(made.accept, made.states),
        symbols=bytes(_taken(made.symbols, made.edges)),
        targets=_array(made.targets, made.edges),
        absorbing=_array(made.absorbs, made.absorbing),
        chain=_array(made.chain, 2 * made.chains),
        accept_sets=_accept_sets(made, beginnings, shapes),
    )


def _accept_sets(made: Any, beginnings: Beginnings, shapes: Sequence[Shape]) -> list[frozenset[int]]:
    parents, keys, owns = (_array(each, made.sets) for each in (made.set_parent, made.set_key, made.set_own))
    found: list[frozenset[int]] = [frozenset()]
    for parent, key, own in islice(zip(parents, keys, owns, strict=True), 1, None):
        more = beginnings.literal[key]
        if own:
            slots = beginnings.slots[key]
            more = [i for slot in shapes[beginnings.shape[key]].sets[own] for i in slots[slot]]
        found.append(found[parent].union(more) if parent else frozenset(more))
    return found


def _flat(shapes: Sequence[Shape]) -> tuple[Any, list[object]]:
    """The shapes for C, and what has to be kept for as long."""
    begin, first = array("I", (0,)), array("I", (0,))
    dead = array("i", [shape.dead for shape in shapes])
    usual, accept, targets = array("I"), array("I"), array("I")
    symbols = bytearray()
    for shape in shapes:
        usual.extend(shape.default)
        accept.extend(shape.accept)
        for by, to in zip(shape.symbols, shape.targets, strict=True):
            symbols += by
            targets.extend(to)
            first.append(len(symbols))
        begin.append(len(usual))
    given = ffi.new(
        "struct core_shapes *",
        (
            len(shapes),
            _numbers(begin),
            ffi.from_buffer("int32_t[]", dead),
            _numbers(usual),
            _numbers(first),
            _numbers(accept),
            _bytes(symbols),
            _numbers(targets),
        ),
    )
    return given, [begin, dead, usual, first, accept, symbols, targets]


def _check(result: int) -> None:
    if result == -errno.ENOMEM:
        raise MemoryError
    if result == -errno.EFBIG:
        raise ImageTooLargeError
    if result == -errno.EDOM:
        raise ValueError("an accept word has bit 0 set")
    if result:
        raise ValueError(f"the automaton's arrays: {os.strerror(-result)}")


def _numbers(values: "array[int]") -> Any:
    return ffi.from_buffer("uint32_t[]", values)


def _bytes(values: bytes | bytearray) -> Any:
    return ffi.from_buffer("uint8_t[]", values)


def _array(items: Any, count: int) -> "array[int]":
    found = array("I")
    found.frombytes(_taken(items, count))
    return found


def _taken(items: Any, count: int) -> Any:
    """The bytes of an array that C made; it has none for no items."""
    return ffi.buffer(items, count * ffi.sizeof(ffi.typeof(items).item)) if count else b""
