# SPDX-License-Identifier: Apache-2.0
"""From patterns to the arrays of one minimal automaton, without ever minimising it.

Each pattern is cut into its literal beginning and a *shape*, the rest (`shape.py`). The beginnings form a
trie. At the node where a beginning ends, its shape comes alive; a state of the automaton is a node of the
trie (or none, once the path has left it) together with the states of the live shapes, a `Place`. A tail of
the trie on which no shape can change any more, which is most of 10,000 file rules, is appended to the
arrays in one piece; and so are the states below a directory, which are the same for each directory but for
what they accept.

Why this is minimal. The parts report different patterns, so two states can only be equal if they are so in
each part. Take two states of which one is on the trie, with a pattern that begins at or below it: that
pattern's shortest match is a different one from every other node, and once left, a shape cannot return to
waiting for one certain byte, since its only loops are `*` and `**`. What remains is a leaf at which nothing
but shapes begins: it is the same as the place of those shapes, and it is given the same state.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from hauberk.automaton import parse
from hauberk.automaton.limits import SHAPE_LIMIT, StateLimitError, costs_of
from hauberk.automaton.patterns import Pattern
from hauberk.automaton.places import Layer, Link, Place, Places, Template
from hauberk.automaton.shape import TooManyStatesError
from hauberk.automaton.split import split, text_of

SHORTEST_CHAIN = 3
"""States of a chain that is worth to be noted."""


@dataclass(slots=True)
class Tables:
    """The automaton. State 0 is dead. State `s` goes to `default[s]`, but on the bytes
    `symbols[first[s]:][:count[s]]`, which ascend, to the `targets` beside them; `accept[s]` is an index in
    `accept_sets`, of which the first is empty."""

    start: int = 0
    default: "array[int]" = field(default_factory=lambda: array("I"))
    first: "array[int]" = field(default_factory=lambda: array("I"))
    count: bytearray = field(default_factory=bytearray)
    accept: "array[int]" = field(default_factory=lambda: array("I"))
    symbols: bytearray = field(default_factory=bytearray)
    targets: "array[int]" = field(default_factory=lambda: array("I"))
    accept_sets: list[frozenset[int]] = field(default_factory=lambda: [frozenset()])
    # Stretches of states (the first, how many), ascending. Each state has one edge, which leads to the next
    # state, only the last one's elsewhere. All have the same default, which is absorbing, and accept what
    # that accepts. Only the first is entered from elsewhere.
    chains: list[tuple[int, int]] = field(default_factory=list)


def compile_tables(patterns: Sequence[Pattern], limit: int) -> Tables:
    """See `compile_patterns`."""
    parts = [split(p) for p in patterns]
    try:
        return _Compiler(patterns, parts, limit).tables
    except TooManyStatesError as error:
        limit = error.limit
    # Outside of the handler, where the half-made automaton is no longer held by the traceback.
    literal_bytes = sum(len(literal) for literal, _ in parts)
    raise StateLimitError(limit, costs_of(patterns, parts), literal_bytes)


@dataclass(slots=True)
class _Node:
    """What is left to do of the trie: the node that keys[low:high] share after `depth` bytes, which is at
    `place`.

    `edge` leads there: an index in `targets`, -1 for the start, -2 - s for the default of the state s.
    """

    low: int
    high: int
    depth: int
    place: Place
    edge: int


class _Compiler:
    def __init__(
        self, patterns: Sequence[Pattern], parts: list[tuple[bytes, parse.Sequence]], limit: int
    ) -> None:
        self.limit = limit
        self.tables = Tables()
        self.places = Places(self.tables.accept_sets, min(limit, SHAPE_LIMIT))
        # Places that have a state, whose row is still to be written.
        self.pending: list[Place] = []
        # The patterns that are wholly literal, and the shapes that begin somewhere with their patterns, by
        # literal.
        self.literals: dict[bytes, list[int]] = {}
        self.begins: dict[bytes, dict[parse.Sequence, list[int]]] = {}
        for index, (literal, rest) in enumerate(parts):
            if rest:
                self.begins.setdefault(literal, {}).setdefault(rest, []).append(index)
            else:
                self.literals.setdefault(literal, []).append(index)
        self.patterns = patterns
        self.keys = sorted(self.literals.keys() | self.begins.keys())
        self.refer(self.places.dead)
        self.build()

    # States of places.

    def new_state(self, accept: int) -> int:
        t = self.tables
        state = len(t.default)
        if state >= self.limit:
            raise TooManyStatesError(self.limit)
        t.default.append(0)
        t.first.append(0)
        t.count.append(0)
        t.accept.append(accept)
        return state

    def refer(self, place: Place) -> int:
        """The state that stands for `place` off the trie. Its row is written by `settle`."""
        if place.state < 0:
            layer = place.layer
            if layer is not None and layer.below is not None:
                assert place.outer is not None
                if layer.copy is None:
                    layer.copy = self.copy(layer, layer.below, place, place.outer)
                template, base = layer.copy
                at = template.index.get((place.outer, place.inner))
                if at is not None:
                    place.state = base + at
                    return place.state
            place.state = self.new_state(place.accept)
            self.pending.append(place)
        return place.state

    def settle(self) -> None:
        t = self.tables
        while self.pending:
            place = self.pending.pop()
            self.places.know(place)
            assert place.default is not None
            # Not in place: to refer may make states.
            default = self.refer(place.default)
            targets = [self.refer(p) for p in place.targets]
            t.default[place.state] = default
            t.first[place.state] = len(t.symbols)
            t.count[place.state] = len(targets)
            t.symbols += place.symbols
            t.targets.extend(targets)

    def copy(self, layer: Layer, below: Layer, place: Place, outer: Place) -> tuple[Template, int]:
        """Make the states of all places of `layer` that can be reached from `place`, the first that is
        wanted. It lies upon `outer`."""
        key = (layer.shape, outer, place.inner)
        template = below.templates.get(key)
        if template is None:
            template = below.templates[key] = self.template(layer, place, outer)
        t = self.tables
        base, edges = len(t.default), len(t.symbols)
        if base + len(template.index) > self.limit:
            raise TooManyStatesError(self.limit)
        accepts = [self.places.accept_in(layer, below, own) for below, own in template.accepts]
        t.default.extend([base + to if to >= 0 else -1 - to for to in template.default])
        t.first.extend([edges + first for first in template.first])
        t.count += template.count
        t.accept.extend([accepts[i] for i in template.accept])
        t.symbols += template.symbols
        t.targets.extend([base + to if to >= 0 else -1 - to for to in template.targets])
        return template, base

    def template(self, layer: Layer, place: Place, outer: Place) -> Template:
        found = Template({(outer, place.inner): 0})
        order = [place]
        accepts: dict[tuple[int, int], int] = {}

        def number(to: Place) -> int:
            if to.layer is not layer:
                return -1 - self.refer(to)
            assert to.outer is not None
            at = found.index.setdefault((to.outer, to.inner), len(order))
            if at == len(order):
                order.append(to)
                if at > self.limit:
                    raise TooManyStatesError(self.limit)
            return at

        for at in order:
            self.places.know(at)
            assert at.default is not None
            assert at.outer is not None
            found.default.append(number(at.default))
            found.first.append(len(found.symbols))
            found.count.append(len(at.symbols))
            found.symbols += at.symbols
            found.targets += map(number, at.targets)
            both = (at.outer.accept, layer.shape.accept[at.inner])
            found.accept.append(accepts.setdefault(both, len(accepts)))
        found.accepts = list(accepts)
        return found

    # The trie.

    def build(self) -> None:
        # Besides nodes, layers to close when all that is below them is done.
        todo: list[_Node | Layer] = []
        if self.keys:
            todo.append(_Node(0, len(self.keys), 0, self.places.dead, -1))
        while todo:
            node = todo.pop()
            if isinstance(node, Layer):
                node.close()
                continue
            place, edge, low = node.place, node.edge, node.low
            key = self.keys[low]
            shared = len(key) if node.high - low == 1 else _shared(key, self.keys[node.high - 1])
            begin = self.begins.get(key) if len(key) == shared else None
            literal = self.literals.get(key) if len(key) == shared else None
            self.places.know(place)
            if place.absorbing and not begin and node.high - low == 1:
                # The tail of a path, with nothing beyond it.
                assert literal is not None
                self.tail(place, key[node.depth :], self.places.accept_with(place.accept, literal), edge)
                continue
            if shared > node.depth:
                place, edge = self.chain(place, key[node.depth : shared], edge)
            if len(key) == shared:
                low += 1
            if begin:
                layer = self.layer(place, begin)
                todo.append(layer)
                place = self.places.place(layer, place, 0)
            if low == node.high and not literal:
                self.enter(edge, self.refer(place))
            else:
                accept = self.places.accept_with(place.accept, literal) if literal else place.accept
                state = self.new_state(accept)
                self.enter(edge, state)
                todo += self.branch(state, _Node(low, node.high, shared, place, edge))
            if self.pending:
                self.settle()
        self.settle()

    def layer(self, outer: Place, begin: dict[parse.Sequence, list[int]]) -> Layer:
        # Sorted by what they say, so that like shapes are joined first.
        return self.places.layer(
            outer, sorted(begin.items(), key=lambda item: text_of(self.patterns[item[1][0]]))
        )

    def enter(self, edge: int, state: int) -> None:
        """Let the edge (see `_Node`) lead to `state`."""
        if edge >= 0:
            self.tables.targets[edge] = state
        elif edge == -1:
            self.tables.start = state
        else:
            self.tables.default[-2 - edge] = state

    def tail(self, place: Place, text: bytes, accept: int | None, edge: int) -> int:
        """Append nodes at the absorbing `place`, one for each byte of `text` and, unless `accept` is None,
        one after the last byte, where nothing follows but the place. `edge` leads to the first. Returns the
        edge out of the last byte's.
        """
        t = self.tables
        usual = self.refer(place)
        state, first, n = len(t.default), len(t.symbols), len(text)
        if state + n >= self.limit:
            raise TooManyStatesError(self.limit)
        self.enter(edge, state)
        t.default += array("I", (usual,)) * n
        t.first += array("I", range(first, first + n))
        t.count += b"\1" * n
        t.accept += array("I", (place.accept,)) * n
        t.symbols += text
        t.targets += array("I", range(state + 1, state + n + 1))
        # The start is left out: it is entered with nothing read.
        begin = state + (edge == -1)
        if state + n - begin >= SHORTEST_CHAIN:
            t.chains.append((begin, state + n - begin))
        if accept is not None:
            t.default.append(usual)
            t.first.append(first + n)
            t.count.append(0)
            t.accept.append(accept)
        return first + n - 1

    def chain(self, place: Place, text: bytes, edge: int) -> tuple[Place, int]:
        """Append nodes with one child each, by the bytes of `text`, the first at `place`. `edge` leads to
        the first; returns the last child's place, and the edge that leads to it."""
        self.places.know(place)
        links: list[Link] = []
        for byte in text:
            if place.absorbing:
                break
            link = place.links.get(byte) or self.link(place, byte)
            links.append(link)
            place = link.place
        if links:
            edge = self.follow(links, edge)
        if len(links) < len(text):
            edge = self.tail(place, text[len(links) :], None, edge)
        return place, edge

    def follow(self, links: list[Link], edge: int) -> int:
        """Append a node for each of `links`. `edge` leads to the first; returns the edge out of the last."""
        t = self.tables
        state, first = len(t.default), len(t.symbols)
        if state + len(links) > self.limit:
            raise TooManyStatesError(self.limit)
        self.enter(edge, state)
        targets: list[int] = []
        for link in links:
            t.first.append(first + len(targets))
            edge = len(targets) + link.hole
            targets += link.targets
            state += 1
            targets[edge] = state
        t.default += array("I", [link.default for link in links])
        t.count += bytes([len(link.symbols) for link in links])
        t.accept += array("I", [link.accept for link in links])
        t.symbols += b"".join([link.symbols for link in links])
        t.targets += array("I", targets)
        return first + edge

    def link(self, place: Place, byte: int) -> Link:
        """See Link; kept, because the same few places recur all along the trie."""
        moves: dict[int, Place | None] = dict(zip(place.symbols, place.targets, strict=True))
        moves[byte] = None
        default, moves = _reachable_default(place.default, moves)
        assert default is not None
        symbols = bytes(sorted(moves))
        targets = [0 if (to := moves[c]) is None else self.refer(to) for c in symbols]
        after = place.step(byte)
        self.places.know(after)
        made = Link(place.accept, self.refer(default), symbols, targets, symbols.index(byte), after)
        place.links[byte] = made
        return made

    def branch(self, state: int, node: _Node) -> list[_Node]:
        """Write the row of `state`, which stands for `node`, and return its children, the last one first."""
        t, place, depth = self.tables, node.place, node.depth
        self.places.know(place)
        children: dict[int, tuple[int, int]] = {}
        low = node.low
        while low < node.high:
            key = self.keys[low]
            byte = key[depth]
            after = low + 1
            if after < node.high and self.keys[after][depth] == byte:
                after = node.high
                if self.keys[after - 1][depth] != byte:
                    after = bisect_left(self.keys, key[:depth] + bytes((byte + 1,)), low, after)
            children[byte] = (low, after)
            low = after
        moves: dict[int, Place | None] = dict(zip(place.symbols, place.targets, strict=True))
        moves.update(dict.fromkeys(children))
        default, moves = _reachable_default(place.default, moves)
        todo = []
        if default is not None:
            t.default[state] = self.refer(default)
        else:
            # All 255 bytes lead to children, so one child's state is the default.
            byte = min(moves)
            del moves[byte]
            todo.append(_Node(*children[byte], depth + 1, place.step(byte), -2 - state))
        symbols = bytes(sorted(moves))
        targets = [0 if (to := moves[c]) is None else self.refer(to) for c in symbols]
        edge = len(t.symbols)
        t.first[state] = edge
        t.count[state] = len(moves)
        t.symbols += symbols
        t.targets.extend(targets)
        for byte in reversed(children):
            at = symbols.find(byte)
            if at >= 0:
                todo.append(_Node(*children[byte], depth + 1, place.step(byte), edge + at))
        return todo


def _reachable_default(
    default: Place | None, moves: dict[int, Place | None]
) -> tuple[Place | None, dict[int, Place | None]]:
    """The same row with a default that some byte leads to: None, which stands for a child in `moves`, if
    only children are left."""
    if len(moves) < 255:
        return default, moves
    default = next((p for p in moves.values() if p is not None), None)
    return default, {c: p for c, p in moves.items() if p is None or p is not default}


def _shared(a: bytes, b: bytes) -> int:
    """How many bytes `a` and `b` begin with alike."""
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low
