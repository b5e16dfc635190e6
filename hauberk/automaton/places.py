# SPDX-License-Identifier: Apache-2.0
"""Where a path can stand in the shapes that are alive: the states of the automaton off the trie (see
`compile.py`).

Shapes come alive one within the other: those that begin at `/etc` while those that begin at `/` go on. So a
place is a state of the innermost shape upon a place of the outer ones, and once the innermost shape is
dead, it is that place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hauberk.automaton.parse import Sequence
from hauberk.automaton.shape import Shape, join, shape_of


class Place:
    """One combination of live states, and its row once `Places.know` has worked it out."""

    __slots__ = ("accept", "default", "inner", "layer", "links", "outer", "state", "symbols", "targets")

    def __init__(self, layer: "Layer | None", outer: "Place | None", inner: int, accept: int) -> None:
        self.layer = layer
        self.outer = outer
        self.inner = inner
        self.accept = accept
        # None until the row is known.
        self.default: Place | None = None
        self.symbols = b""
        self.targets: list[Place] = []
        # The compiler's: the state that stands for this place, -1 as long as nothing leads there; and the
        # rows of trie nodes here that have one child, by the byte that leads to the child.
        self.state = -1
        self.links: dict[int, Link] = {}

    @property
    def absorbing(self) -> bool:
        """Whether nothing leads away from here."""
        return self.default is self and not self.symbols

    def step(self, byte: int) -> "Place":
        """The place after `byte`; the row must be known."""
        at = self.symbols.find(byte)
        found = self.default if at < 0 else self.targets[at]
        assert found is not None
        return found


@dataclass(slots=True)
class Link:
    """The row of a trie node with one child, which is at `place`, known: the child's state goes to
    targets[hole]."""

    accept: int
    default: int
    symbols: bytes
    targets: list[int]
    hole: int
    place: Place


@dataclass(slots=True)
class Template:
    """All places of a layer that can be reached from one of them, their rows made to be copied for other
    layers.

    Where a row leads to is the number of a place here, or -1 - s for the state s of an outer place.
    """

    index: dict[tuple[Place, int], int]
    default: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    count: bytearray = field(default_factory=bytearray)
    symbols: bytearray = field(default_factory=bytearray)
    targets: list[int] = field(default_factory=list)
    # The accept sets that occur, as (the outer place's, the shape's), and which of them each place has.
    accepts: list[tuple[int, int]] = field(default_factory=list)
    accept: list[int] = field(default_factory=list)


class Layer:
    """The shapes that begin at one node of the trie, joined, and alive upon the places that were so
    before."""

    __slots__ = ("accepts", "below", "copy", "groups", "places", "shape", "templates")

    def __init__(self, below: "Layer | None", shape: Shape, groups: list[tuple[int, ...]]) -> None:
        # The innermost of the layers that are alive where this one begins.
        self.below = below
        self.shape = shape
        # The patterns for which each slot of the shape stands.
        self.groups = groups
        self.places: dict[tuple[Place, int], Place] = {}
        # Numbers of accept sets, by those of the outer place and of the shape.
        self.accepts: dict[tuple[int, int], int] = {}
        # The compiler's: the template from which states of this layer were copied, and the first of them;
        # and templates for layers upon this one, by shape and first place.
        self.copy: tuple[Template, int] | None = None
        self.templates: dict[tuple[Shape, Place, int], Template] = {}

    def close(self) -> None:
        """Nothing will ask for this layer any more: undo the cycles among its places."""
        for place in self.places.values():
            place.targets = []
            place.default = place
            place.links.clear()
        self.places.clear()
        self.templates.clear()
        self.copy = None


class Places:
    """Makes places, each only once, and the accept sets that go with them."""

    def __init__(self, accept_sets: list[frozenset[int]], shape_limit: int) -> None:
        self.accept_sets = accept_sets
        self.shape_limit = shape_limit
        self.shapes: dict[Sequence, Shape] = {}
        self.joined: dict[tuple[Sequence, ...], Shape] = {}
        self.dead = Place(None, None, 0, 0)
        self.dead.default = self.dead

    def accept_with(self, accept: int, more: Iterable[int]) -> int:
        """The number of the accept set `accept` with `more` patterns, which only this caller adds: a new
        one."""
        self.accept_sets.append(self.accept_sets[accept].union(more))
        return len(self.accept_sets) - 1

    def accept_in(self, layer: Layer, outer: int, own: int) -> int:
        """The number of the accept set of a place, by those of the outer place and of the shape."""
        if not own:
            return outer
        found = layer.accepts.get((outer, own))
        if found is None:
            patterns = (i for slot in layer.shape.sets[own] for i in layer.groups[slot])
            found = layer.accepts[outer, own] = self.accept_with(outer, patterns)
        return found

    def place(self, layer: Layer, outer: Place, inner: int) -> Place:
        """The place of the shape's state `inner` upon `outer`."""
        if inner == layer.shape.dead:
            return outer
        found = layer.places.get((outer, inner))
        if found is None:
            accept = self.accept_in(layer, outer.accept, layer.shape.accept[inner])
            found = layer.places[outer, inner] = Place(layer, outer, inner, accept)
        return found

    def know(self, place: Place) -> None:
        """Work out the row of `place`, those of the outer places first."""
        unknown = []
        at: Place | None = place
        while at is not None and at.default is None:
            unknown.append(at)
            at = at.outer
        while unknown:
            self._work_out(unknown.pop())

    def _work_out(self, place: Place) -> None:
        layer, outer = place.layer, place.outer
        assert layer is not None
        assert outer is not None
        assert outer.default is not None
        shape, q = layer.shape, place.inner
        usual = shape.default[q]
        default = self.place(layer, outer.default, usual)
        symbols, targets = shape.symbols[q], shape.targets[q]
        if not symbols:
            place.symbols = outer.symbols
            place.targets = [self.place(layer, p, usual) for p in outer.targets]
        elif not outer.symbols:
            place.symbols = symbols
            place.targets = [self.place(layer, outer.default, t) for t in targets]
        else:
            outer_moves = dict(zip(outer.symbols, outer.targets, strict=True))
            inner_moves = dict(zip(symbols, targets, strict=True))
            moves = {
                c: self.place(layer, outer_moves.get(c, outer.default), inner_moves.get(c, usual))
                for c in sorted(outer_moves.keys() | inner_moves.keys())
            }
            if len(moves) == 255:
                # No byte is left for the default.
                default = moves[1]
            kept = [(c, p) for c, p in moves.items() if p is not default]
            place.symbols = bytes(c for c, _ in kept)
            place.targets = [p for _, p in kept]
        place.default = default

    def layer(self, outer: Place, begin: list[tuple[Sequence, list[int]]]) -> Layer:
        """The layer of the shapes that begin at one node, which is at `outer`, with the patterns that have
        each."""
        for rest, _ in begin:
            if rest not in self.shapes:
                self.shapes[rest] = shape_of(rest, self.shape_limit)
        groups = [tuple(patterns) for _, patterns in begin]
        if len(begin) == 1:
            return Layer(outer.layer, self.shapes[begin[0][0]], groups)
        key = tuple(rest for rest, _ in begin)
        if key not in self.joined:
            slots = [self.shapes[rest].relabelled(i) for i, (rest, _) in enumerate(begin)]
            self.joined[key] = join(slots, self.shape_limit)
        return Layer(outer.layer, self.joined[key], groups)
