# SPDX-License-Identifier: Apache-2.0
"""The automaton of many patterns: flat arrays, and the questions that one can ask them.

Each state knows exactly which patterns match the bytes read so far (its *accept set*). What can be known
from the whole language, such as whether one pattern's paths are all another's, is read off the sets that
occur.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hauberk.automaton.compile import compile_tables
from hauberk.automaton.core import Tables
from hauberk.automaton.limits import STATE_LIMIT, PatternCost, StateLimitError
from hauberk.automaton.patterns import Pattern

__all__ = ["STATE_LIMIT", "Automaton", "PatternCost", "StateLimitError", "compile_patterns"]

_SLASH = 0x2F

# What has been read of a name: a path up to a slash, a path up to another byte, a name that does not begin
# with a slash.
_AFTER_SLASH = 1
_INSIDE = 2
_OTHER = 4


def compile_patterns(patterns: Sequence[Pattern], *, state_limit: int = STATE_LIMIT) -> "Automaton":
    """The minimal automaton whose accept sets hold indices into `patterns`.

    The same patterns in the same order give the same automaton, to the last number. Raises StateLimitError
    if it would have more than `state_limit` states.
    """
    return Automaton(compile_tables(patterns, state_limit))


@dataclass(frozen=True, slots=True)
class Row:
    """One state's moves: to `targets[i]` on the byte `symbols[i]` (ascending), to `default` on every other
    byte."""

    default: int
    symbols: bytes
    targets: "array[int]"


class Automaton:
    """A complete deterministic automaton over the bytes 1 to 255; its states are the numbers below
    `len(automaton)`."""

    __slots__ = ("_common", "_tables", "accept_sets", "dead", "start")

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._common: dict[int, frozenset[int]] | None = None
        self.start = tables.start
        self.dead = 0
        self.accept_sets = tables.accept_sets

    def __len__(self) -> int:
        return len(self._tables.default)

    def step(self, state: int, byte: int) -> int:
        """The state after `byte`."""
        t = self._tables
        first = t.first[state]
        at = t.symbols.find(byte, first, first + t.count[state])
        return t.default[state] if at < 0 else t.targets[at]

    def run(self, path: bytes) -> int:
        """The state after all of `path`."""
        state = self.start
        for byte in path:
            state = self.step(state, byte)
        return state

    def accept_id(self, state: int) -> int:
        """The number of the state's accept set in `accept_sets`; 0 is the empty set."""
        return self._tables.accept[state]

    def accepts(self, state: int) -> frozenset[int]:
        """The patterns that match what leads to `state`."""
        return self.accept_sets[self._tables.accept[state]]

    def match(self, path: bytes) -> frozenset[int]:
        """The patterns that match `path`."""
        return self.accepts(self.run(path))

    def is_absorbing(self, state: int) -> bool:
        """Whether every byte leads from `state` to itself, so that the answer is known already."""
        t = self._tables
        return t.default[state] == state and not t.count[state]

    def row(self, state: int) -> Row:
        """All moves of `state`. No symbol leads to the default, which is the target of at least one byte."""
        t = self._tables
        first = t.first[state]
        last = first + t.count[state]
        return Row(t.default[state], bytes(t.symbols[first:last]), t.targets[first:last])

    @property
    def tables(self) -> Tables:
        """The arrays themselves, to be read only."""
        return self._tables

    def includes(self, outer: int, inner: int) -> bool:
        """Whether every path that pattern `inner` matches is also matched by pattern `outer`.

        Decided exactly, over the names that can occur: a name that begins with a slash has no empty
        component, so it has neither two slashes in a row nor one at its end.
        """
        if self._common is None:
            common: dict[int, frozenset[int]] = {}
            for accepted in self._occurring():
                for i in accepted:
                    common[i] = common[i] & accepted if i in common else accepted
            self._common = common
        return inner not in self._common or outer in self._common[inner]

    def _occurring(self) -> Iterator[frozenset[int]]:
        """The accept sets of all names that can occur."""
        t = self._tables
        chains = dict(t.chains)
        seen = bytearray(len(self))
        occurring = bytearray(len(self.accept_sets))
        occurring[t.accept[self.start]] = 1
        stack: list[tuple[int, int]] = []

        def enter(state: int, read: int) -> None:
            if not seen[state] & read:
                seen[state] |= read
                stack.append((state, read))

        for byte in range(1, 256):
            enter(self.step(self.start, byte), _AFTER_SLASH if byte == _SLASH else _OTHER)
        while stack:
            state, read = stack.pop()
            first = t.first[state]
            if state in chains:
                last = first + chains[state]
                text = t.symbols[first:last]
                # The default's accept set is that of the whole chain.
                enter(t.default[state], _OTHER if read == _OTHER else _INSIDE)
                if read == _OTHER:
                    enter(t.targets[last - 1], _OTHER)
                elif b"//" not in text and not (read == _AFTER_SLASH and text.startswith(b"/")):
                    enter(t.targets[last - 1], _AFTER_SLASH if text.endswith(b"/") else _INSIDE)
                continue
            if read != _AFTER_SLASH:
                occurring[t.accept[state]] = 1
            last = first + t.count[state]
            slash = t.symbols.find(_SLASH, first, last)
            then = _OTHER if read == _OTHER else _INSIDE
            for at in range(first, last):
                if at != slash:
                    enter(t.targets[at], then)
            if t.count[state] - (slash >= 0) < 254:
                enter(t.default[state], then)
            if read != _AFTER_SLASH:
                through = t.default[state] if slash < 0 else t.targets[slash]
                enter(through, _OTHER if read == _OTHER else _AFTER_SLASH)
        return (s for s, occurs in zip(self.accept_sets, occurring, strict=True) if occurs)

    def live_below(self, ids: Collection[int]) -> bytearray:
        """For each state 1 if bytes that begin with a slash lead from it to an accept set that has any of
        `ids`, else 0.

        So for the state after a directory's path: whether some path below the directory is matched.
        """
        wanted = set(ids)
        return self._tables.live_below(bytes(not wanted.isdisjoint(s) for s in self.accept_sets))

    def spread(self, words: Sequence[int], more: bytes | bytearray = b"") -> "array[int]":
        """The word of each state: what `words` has for its accept set, with the bits of `more`, if given, for
        the state itself."""
        return self._tables.spread(array("I", words), more or bytes(len(self)))
