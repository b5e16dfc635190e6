# SPDX-License-Identifier: Apache-2.0
"""The automaton of many patterns: flat arrays, and the questions that one can ask them.

Each state knows exactly which patterns match the bytes read so far (its *accept set*). What can be known
from the whole language, such as whether one pattern's paths are all another's, is read off the sets that
occur.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hauberk.automaton.compile import Tables, compile_tables
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
        t = self._tables
        wanted = set(ids)
        meets = bytearray(not wanted.isdisjoint(s) for s in self.accept_sets)
        live = bytearray(map(meets.__getitem__, t.accept))
        # Stretches in which all states are alike, backwards: states are numbered nearly in the order in
        # which they are reached, so that this settles in a few rounds.
        loose = self._loose()
        undecided = [state for state in loose if not live[state]]
        changed = True
        while changed:
            changed = False
            chains = reversed(t.chains)
            chain = next(chains, (-1, 0))
            for state in undecided:
                while state < chain[0]:
                    changed |= not live[chain[0]] and self._spread(chain, live)
                    chain = next(chains, (-1, 0))
                if not live[state]:
                    first = t.first[state]
                    targets = t.targets[first : first + t.count[state]]
                    if live[t.default[state]] or any(live[to] for to in targets):
                        live[state] = 1
                        changed = True
        below = bytearray(map(live.__getitem__, t.default))
        for state in loose:
            if t.count[state]:
                first = t.first[state]
                at = t.symbols.find(_SLASH, first, first + t.count[state])
                if at >= 0:
                    below[state] = live[t.targets[at]]
        for state, length in t.chains:
            first = t.first[state]
            at = t.symbols.find(_SLASH, first, first + length)
            while at >= 0:
                below[state + at - first] = live[t.targets[at]]
                at = t.symbols.find(_SLASH, at + 1, first + length)
        return below

    def _loose(self) -> list[int]:
        """The states outside of chains, from the last on."""
        loose: list[int] = []
        end = len(self)
        for state, length in reversed(self._tables.chains):
            loose.extend(range(end - 1, state + length - 1, -1))
            end = state
        loose.extend(range(end - 1, -1, -1))
        return loose

    def _spread(self, chain: tuple[int, int], live: bytearray) -> bool:
        """Make a chain live if what it leads to is; returns whether that is new."""
        t = self._tables
        state, length = chain
        if live[state] or not (live[t.default[state]] or live[t.targets[t.first[state] + length - 1]]):
            return False
        live[state : state + length] = b"\1" * length
        return True
