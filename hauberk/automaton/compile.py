# SPDX-License-Identifier: Apache-2.0
"""From patterns to the arrays of one minimal automaton, without ever minimising it.

Each pattern is cut into its literal beginning and a *shape*, the rest (`shape.py`). The beginnings form a
trie. At the node where a beginning ends, its shape comes alive; a state of the automaton is a node of the
trie (or none, once the path has left it) together with the states of the live shapes, a *place*. What is done
here is done for each beginning and each shape; what has to be done for each state is left to C (`core.h`).

Why this is minimal. The parts report different patterns, so two states can only be equal if they are so in
each part. Take two states of which one is on the trie, with a pattern that begins at or below it: that
pattern's shortest match is a different one from every other node, and once left, a shape cannot return to
waiting for one certain byte, since its only loops are `*` and `**`. What remains is a leaf at which nothing
but shapes begins: it is the same as the place of those shapes, and it is given the same state.
"""

from bisect import bisect_left
from collections.abc import Sequence

from hauberk.automaton import parse
from hauberk.automaton.core import Beginnings, Tables, build
from hauberk.automaton.limits import SHAPE_LIMIT, StateLimitError, costs_of
from hauberk.automaton.patterns import Exact, Pattern
from hauberk.automaton.shape import Shape, TooManyStatesError, join, shape_of
from hauberk.automaton.split import split, text_of


def compile_tables(patterns: Sequence[Pattern], limit: int) -> Tables:
    """See `compile_patterns`."""
    try:
        return _compile(patterns, limit)
    except TooManyStatesError as error:
        limit = error.limit
    # Outside of the handler, where nothing half-made is held by the traceback any more.
    parts = [split(pattern) for pattern in patterns]
    literal_bytes = sum(len(literal) for literal, _ in parts)
    raise StateLimitError(limit, costs_of(patterns, parts), literal_bytes)


def _compile(patterns: Sequence[Pattern], limit: int) -> Tables:
    # The patterns that are wholly literal, and the shapes that begin somewhere with their patterns, by
    # literal.
    literals: dict[bytes, list[int]] = {}
    begins: dict[bytes, dict[parse.Sequence, list[int]]] = {}
    for index, pattern in enumerate(patterns):
        # As most are.
        if type(pattern) is Exact:
            literals.setdefault(pattern.path, []).append(index)
            continue
        literal, rest = split(pattern)
        if rest:
            begins.setdefault(literal, {}).setdefault(rest, []).append(index)
        else:
            literals.setdefault(literal, []).append(index)
    keys = sorted(literals.keys() | begins.keys())
    shapes = _Shapes(min(limit, SHAPE_LIMIT))
    shape_of_key = [-1] * len(keys)
    slots: list[Sequence[list[int]]] = [()] * len(keys)
    for literal, found in begins.items():
        # Sorted by what they say, so that like shapes are joined first.
        begin = sorted(found.items(), key=lambda item: text_of(patterns[item[1][0]]))
        at = bisect_left(keys, literal)
        shape_of_key[at] = shapes.number(tuple(rest for rest, _ in begin))
        slots[at] = [each for _, each in begin]
    beginnings = Beginnings(keys, [literals.get(key, ()) for key in keys], shape_of_key, slots)
    return build(beginnings, shapes.joined, limit)


class _Shapes:
    """The shapes that begin somewhere, joined where several do."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.joined: list[Shape] = []
        self._numbers: dict[tuple[parse.Sequence, ...], int] = {}
        self._single: dict[parse.Sequence, Shape] = {}

    def number(self, begin: tuple[parse.Sequence, ...]) -> int:
        """The number in `joined` of the shape of all of `begin`. Raises TooManyStatesError."""
        found = self._numbers.get(begin)
        if found is None:
            for rest in begin:
                if rest not in self._single:
                    self._single[rest] = shape_of(rest, self.limit)
            slots = [self._single[rest].relabelled(slot) for slot, rest in enumerate(begin)]
            found = self._numbers[begin] = len(self.joined)
            self.joined.append(join(slots, self.limit))
        return found
