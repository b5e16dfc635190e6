# SPDX-License-Identifier: Apache-2.0
"""From patterns to the arrays of one minimal automaton, without ever minimising it.

Each pattern is cut into its literal beginning and a *shape*, the rest (`shape.py`). The beginnings form a trie. At the
trie's node where a beginning ends, its shape comes alive; a state of the automaton is thus a node of the trie (or none,
once the path has left it) together with the live shapes' states, a `_Place`. A long tail of the trie on which no shape
is alive, which is most of 10,000 file rules, is appended to the arrays in one piece.

Why this is minimal. The parts report different patterns, so two states can only be equal if they are so in each part.
Take two states of which one is on the trie, with a pattern that begins at or below it: that pattern's shortest match is a
different one from every other node, and once left, a shape cannot return to waiting for one certain byte, since its only
loops are `*` and `**`. What remains is a leaf at which nothing but shapes begins: it is the same as the place of those
shapes, and it is given the same state.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from hauberk.automaton import parse
from hauberk.automaton.errors import AutomatonError
from hauberk.automaton.parse import ANY, NOT_SLASH, SLASH, Choice, Run, Step
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern
from hauberk.automaton.shape import Shape, TooManyStatesError, join, product, shape_of

STATE_LIMIT = 1_000_000
"""States of one automaton, unless the caller says otherwise: about 30 MiB of table."""

SHAPE_LIMIT = 1 << 16
"""States of the shapes that begin at one node, joined. Beyond it globs multiply and no table would do."""

SHORTEST_CHAIN = 3
"""States of a chain that is worth to be noted."""

# What is spent on telling which patterns are to blame: shapes measured, patterns joined (globs, and directories), states
# counted, costs shown.
_SIZED = 512
_JOINED = 64
_COUNTED = 4096
_SHOWN = 10

_RECURSIVE: parse.Sequence = (Choice(((), (Step(SLASH), Run(ANY)))),)
_DIRECT: parse.Sequence = (Choice(((), (Step(SLASH), Run(NOT_SLASH)))),)
_ANYWHERE: parse.Sequence = (Step(SLASH), Choice(((), (Run(ANY), Step(SLASH)))))


@dataclass(frozen=True, slots=True)
class PatternCost:
    """What one pattern costs: the states of an automaton for it alone, and those that it `added` to an automaton of the
    cheaper ones before it (None: not counted any more, the count had grown beyond bounds)."""

    index: int
    pattern: Pattern
    alone: int
    added: int | None


class StateLimitError(AutomatonError):
    """The patterns need more than `limit` states. `costs` has the costliest patterns, the costliest first."""

    def __init__(self, limit: int, costs: tuple[PatternCost, ...]) -> None:
        lines = [f"the patterns need more than {limit:,} states; the costliest:"]
        for cost in costs:
            text = _text(cost.pattern).decode("utf-8", "backslashreplace")
            added = "far more" if cost.added is None else f"{cost.added:,}"
            lines.append(f"  {text}: {cost.alone:,} states alone, {added} added to those of the patterns before it")
        super().__init__(
            "\n".join(lines),
            "anchor these patterns with a directory, write fewer '**' and '*' into one pattern, "
            "or split the rules among workloads",
        )
        self.limit = limit
        self.costs = costs


@dataclass(slots=True)
class Tables:
    """The automaton: state 0 is dead; state `s` goes to `default[s]`, but on the bytes `symbols[first[s]:][:count[s]]`,
    which ascend, to the `targets` beside them."""

    start: int = 0
    default: "array[int]" = field(default_factory=lambda: array("I"))
    first: "array[int]" = field(default_factory=lambda: array("I"))
    count: bytearray = field(default_factory=bytearray)
    accept: "array[int]" = field(default_factory=lambda: array("I"))
    symbols: bytearray = field(default_factory=bytearray)
    targets: "array[int]" = field(default_factory=lambda: array("I"))
    accept_sets: list[frozenset[int]] = field(default_factory=lambda: [frozenset()])
    # Stretches of states (the first, how many) of which each has one edge, which leads to the next one, and the same
    # default and accept set as the next one; for whoever can make use of it.
    chains: list[tuple[int, int]] = field(default_factory=list)


def compile_tables(patterns: Sequence[Pattern], limit: int) -> Tables:
    """See `compile_patterns`."""
    split = [_split(p) for p in patterns]
    try:
        return _Compiler(patterns, split, limit).tables
    except TooManyStatesError:
        raise StateLimitError(limit, _costs(patterns, split)) from None


def _text(pattern: Pattern) -> bytes:
    match pattern:
        case Exact(path):
            return path or b"/"
        case Directory(path):
            return path + b"/"
        case Name(name):
            return name
        case Glob(text):
            return text


def _split(pattern: Pattern) -> tuple[bytes, parse.Sequence]:
    """A pattern's literal beginning and the rest of it.

    The beginning never ends with a slash, so that no node above a shape can be accepting by reason of a slash that follows.
    """
    match pattern:
        case Exact(path):
            return path, ()
        case Directory(path, recursive):
            return path, _RECURSIVE if recursive else _DIRECT
        case Name(name):
            return b"", (*_ANYWHERE, *(Step(1 << c) for c in name))
        case Glob(text):
            sequence = parse.parse_glob(text)
            literal = bytearray()
            for item in sequence:
                if not isinstance(item, Step) or item.set.bit_count() != 1:
                    break
                literal.append(item.set.bit_length() - 1)
            if literal.endswith(b"/"):
                literal.pop()
            return bytes(literal), sequence[len(literal) :]


class _Layer:
    """The shapes that begin at one node, alive on top of the places that were alive there before."""

    __slots__ = ("accepts", "groups", "places", "shape")

    def __init__(self, shape: Shape, groups: list[tuple[int, ...]]) -> None:
        self.shape = shape
        # The patterns for which a slot of the shape stands.
        self.groups = groups
        self.places: dict[tuple[_Place, int], _Place] = {}
        self.accepts: dict[tuple[int, int], int] = {}

    def close(self) -> None:
        """Nothing refers to these places any more but they themselves: undo the cycles."""
        for place in self.places.values():
            place.targets = []
            place.default = place
            place.next.clear()
        self.places.clear()


class _Place:
    """Where a path stands in all live shapes: a state of the innermost layer upon a place of the outer ones."""

    __slots__ = ("accept", "default", "inner", "layer", "next", "outer", "state", "symbols", "targets")

    def __init__(self, layer: "_Layer | None", outer: "_Place | None", inner: int, accept: int) -> None:
        self.layer = layer
        self.outer = outer
        self.inner = inner
        self.accept = accept
        # The state that stands for this place off the trie, -1 as long as nothing leads there.
        self.state = -1
        # The row; `default` is None until it is known.
        self.default: _Place | None = None
        self.symbols = b""
        self.targets: list[_Place] = []
        # For a node here with one child, by the child's byte: see _Compiler.link.
        self.next: dict[int, _Link] = {}

    def step(self, byte: int) -> "_Place":
        at = self.symbols.find(byte)
        found = self.default if at < 0 else self.targets[at]
        assert found is not None
        return found


@dataclass(slots=True)
class _Link:
    """The row of a trie node at some place whose only child is by one byte: `hole` is where the child's state goes."""

    default: int
    symbols: bytes
    targets: list[int]
    hole: int
    place: _Place


@dataclass(slots=True)
class _Beginning:
    """What begins at one node: patterns that are wholly literal, and shapes."""

    literal: list[int] = field(default_factory=list)
    rest: dict[parse.Sequence, list[int]] = field(default_factory=dict)


class _Compiler:
    def __init__(
        self, patterns: Sequence[Pattern], split: list[tuple[bytes, parse.Sequence]], limit: int
    ) -> None:
        self.patterns = patterns
        self.limit = limit
        self.tables = Tables()
        self.accept_ids: dict[frozenset[int], int] = {frozenset(): 0}
        self.shapes: dict[parse.Sequence, Shape] = {}
        self.joined: dict[tuple[parse.Sequence, ...], Shape] = {}
        self.pending: list[_Place] = []
        self.dead = _Place(None, None, 0, 0)
        self.dead.default = self.dead
        self.refer(self.dead)
        beginnings: dict[bytes, _Beginning] = {}
        for index, (literal, rest) in enumerate(split):
            here = beginnings.setdefault(literal, _Beginning())
            if rest:
                here.rest.setdefault(rest, []).append(index)
            else:
                here.literal.append(index)
        self.keys = sorted(beginnings)
        self.beginnings = [beginnings.pop(key) for key in self.keys]
        self.build()

    # States.

    def new_states(self, count: int, accept: int) -> int:
        t = self.tables
        state = len(t.default)
        if state + count > self.limit:
            raise TooManyStatesError
        t.default.extend([0] * count)
        t.first.extend([0] * count)
        t.count.extend(bytes(count))
        t.accept.extend([accept] * count)
        return state

    def refer(self, place: _Place) -> int:
        """The state that stands for `place` off the trie; its row is made by `settle`."""
        if place.state < 0:
            place.state = self.new_states(1, place.accept)
            self.pending.append(place)
        return place.state

    def settle(self) -> None:
        t = self.tables
        while self.pending:
            place = self.pending.pop()
            self.know(place)
            targets = [self.refer(p) for p in place.targets]
            assert place.default is not None
            t.default[place.state] = self.refer(place.default)
            t.first[place.state] = len(t.symbols)
            t.count[place.state] = len(targets)
            t.symbols += place.symbols
            t.targets.extend(targets)

    def accept_id(self, accepted: frozenset[int]) -> int:
        found = self.accept_ids.get(accepted)
        if found is None:
            found = self.accept_ids[accepted] = len(self.accept_ids)
            self.tables.accept_sets.append(accepted)
        return found

    # Places.

    def place(self, layer: _Layer, outer: _Place, inner: int) -> _Place:
        if inner == layer.shape.dead:
            return outer
        found = layer.places.get((outer, inner))
        if found is None:
            accept = outer.accept
            own = layer.shape.accept[inner]
            if own:
                both = (accept, own)
                if both not in layer.accepts:
                    mine = (i for slot in layer.shape.sets[own] for i in layer.groups[slot])
                    layer.accepts[both] = self.accept_id(self.tables.accept_sets[accept].union(mine))
                accept = layer.accepts[both]
            found = layer.places[outer, inner] = _Place(layer, outer, inner, accept)
        return found

    def know(self, place: _Place) -> None:
        """Work out the row of `place`, those of the outer places first."""
        unknown = []
        at: _Place | None = place
        while at is not None and at.default is None:
            unknown.append(at)
            at = at.outer
        while unknown:
            self.work_out(unknown.pop())

    def work_out(self, place: _Place) -> None:
        layer, outer = place.layer, place.outer
        assert layer is not None
        assert outer is not None
        assert outer.default is not None
        shape, q = layer.shape, place.inner
        usual_inner = shape.default[q]
        default = self.place(layer, outer.default, usual_inner)
        symbols, inner_targets = shape.symbols[q], shape.targets[q]
        if not symbols:
            place.symbols = outer.symbols
            place.targets = [self.place(layer, p, usual_inner) for p in outer.targets]
        elif not outer.symbols:
            place.symbols = symbols
            place.targets = [self.place(layer, outer.default, t) for t in inner_targets]
        else:
            outer_moves = dict(zip(outer.symbols, outer.targets, strict=True))
            inner_moves = dict(zip(symbols, inner_targets, strict=True))
            moves = {
                c: self.place(layer, outer_moves.get(c, outer.default), inner_moves.get(c, usual_inner))
                for c in sorted(outer_moves.keys() | inner_moves.keys())
            }
            if len(moves) == 255:
                default = moves[1]
            place.symbols = bytes(c for c, p in moves.items() if p is not default)
            place.targets = [p for p in moves.values() if p is not default]
        place.default = default

    def layer(self, begin: _Beginning) -> _Layer:
        # Sorted by what they say, so that like shapes are joined first.
        rests = sorted(begin.rest, key=lambda rest: _text(self.patterns[begin.rest[rest][0]]))
        for rest in rests:
            if rest not in self.shapes:
                self.shapes[rest] = shape_of(rest, min(self.limit, SHAPE_LIMIT))
        groups = [tuple(begin.rest[rest]) for rest in rests]
        if len(rests) == 1:
            return _Layer(self.shapes[rests[0]], groups)
        key = tuple(rests)
        if key not in self.joined:
            slots = [self.shapes[rest].relabelled(i) for i, rest in enumerate(rests)]
            self.joined[key] = join(slots, min(self.limit, SHAPE_LIMIT))
        return _Layer(self.joined[key], groups)

    # The trie.

    def build(self) -> None:
        t = self.tables
        # What is left to do: nodes (a range of keys, the length of what they share, the place there, and the edge
        # that leads there: an index in `targets`, -1 for the start, -2 - s for the default of state s), and layers to close when all below them is done.
        stack: list[tuple[int, int, int, _Place, int] | _Layer] = []
        if self.keys:
            stack.append((0, len(self.keys), 0, self.dead, -1))
        while stack:
            todo = stack.pop()
            if isinstance(todo, _Layer):
                todo.close()
                continue
            low, high, depth, place, edge = todo
            shared = _shared(self.keys[low], self.keys[high - 1])
            if shared > depth:
                place, state, edge_then = self.chain(place, self.keys[low][depth:shared])
                self.enter(edge, state)
                edge = edge_then
            literal: list[int] = []
            if len(self.keys[low]) == shared:
                begin = self.beginnings[low]
                literal = begin.literal
                low += 1
                if begin.rest:
                    layer = self.layer(begin)
                    stack.append(layer)
                    place = self.place(layer, place, 0)
            if low == high and not literal:
                self.enter(edge, self.refer(place))
            else:
                accept = place.accept
                if literal:
                    accept = self.accept_id(t.accept_sets[accept].union(literal))
                state = self.new_states(1, accept)
                self.enter(edge, state)
                stack.extend(self.branch(state, place, low, high, shared))
            self.settle()

    def enter(self, edge: int, state: int) -> None:
        """Let the edge (see `build`) lead to `state`."""
        if edge >= 0:
            self.tables.targets[edge] = state
        elif edge == -1:
            self.tables.start = state
        else:
            self.tables.default[-2 - edge] = state

    def chain(self, place: _Place, text: bytes) -> tuple[_Place, int, int]:
        """Nodes with one child each, by the bytes of `text`: the last one's place, the first one's state, and the index of
        the edge that leads on."""
        t = self.tables
        self.know(place)
        if place.default is place and not place.symbols:
            usual = self.refer(place)
            n = len(text)
            state = self.new_states(n, place.accept)
            edge = len(t.symbols)
            t.default[state:] = array("I", [usual]) * n
            t.first[state:] = array("I", range(edge, edge + n))
            t.count[state:] = b"\1" * n
            t.symbols += text
            t.targets.extend(range(state + 1, state + n + 1))
            if n >= SHORTEST_CHAIN:
                t.chains.append((state, n))
            return place, state, edge + n - 1
        first = edge = -1
        for byte in text:
            self.know(place)
            link = place.next.get(byte) or self.link(place, byte)
            state = self.new_states(1, place.accept)
            if first < 0:
                first = state
            else:
                t.targets[edge] = state
            t.default[state] = link.default
            t.first[state] = edge = len(t.symbols)
            t.count[state] = len(link.symbols)
            t.symbols += link.symbols
            t.targets.extend(link.targets)
            edge += link.hole
            place = link.place
        return place, first, edge

    def link(self, place: _Place, byte: int) -> _Link:
        """See _Link; kept, because the same few places recur all along the trie."""
        moves: dict[int, _Place | None] = dict(zip(place.symbols, place.targets, strict=True))
        moves[byte] = None
        default, moves = _reachable_default(place.default, moves)
        symbols = bytes(sorted(moves))
        targets = [0 if (to := moves[c]) is None else self.refer(to) for c in symbols]
        assert default is not None
        made = _Link(self.refer(default), symbols, targets, symbols.index(byte), place.step(byte))
        place.next[byte] = made
        return made

    def branch(
        self, state: int, place: _Place, low: int, high: int, depth: int
    ) -> list[tuple[int, int, int, _Place, int]]:
        """Give `state`, a node at `place`, its row; its children are the groups of keys[low:high] by the byte at `depth`."""
        t = self.tables
        self.know(place)
        assert place.default is not None
        children: dict[int, tuple[int, int]] = {}
        while low < high:
            key = self.keys[low]
            byte = key[depth]
            after = high
            if self.keys[high - 1][depth] != byte:
                after = bisect_left(self.keys, key[:depth] + bytes((byte + 1,)), low, high)
            children[byte] = (low, after)
            low = after
        moves: dict[int, _Place | None] = dict(zip(place.symbols, place.targets, strict=True))
        moves.update(dict.fromkeys(children))
        default, moves = _reachable_default(place.default, moves)
        todo = []
        if default is not None:
            t.default[state] = self.refer(default)
        else:
            # All 255 bytes lead to children: one of the children is the default.
            byte = min(moves)
            del moves[byte]
            todo.append((*children[byte], depth + 1, place.step(byte), -2 - state))
        t.first[state] = len(t.symbols)
        t.count[state] = len(moves)
        for byte in sorted(moves):
            target = moves[byte]
            if target is None:
                todo.append((*children[byte], depth + 1, place.step(byte), len(t.targets)))
                t.targets.append(0)
            else:
                t.targets.append(self.refer(target))
            t.symbols.append(byte)
        todo.reverse()
        return todo


def _reachable_default(
    default: _Place | None, moves: dict[int, _Place | None]
) -> tuple[_Place | None, dict[int, _Place | None]]:
    """The same row with a default that some byte leads to; None stands for a child, and as default for `no place does`."""
    if len(moves) < 255:
        return default, moves
    default = next((p for p in moves.values() if p is not None), None)
    return default, {c: p for c, p in moves.items() if p is None or p is not default}


def _costs(
    patterns: Sequence[Pattern], split: list[tuple[bytes, parse.Sequence]]
) -> tuple[PatternCost, ...]:
    """What the costliest patterns cost, by joining them one by one; the work is bounded, whatever the patterns are."""
    sizes: dict[parse.Sequence, int] = {}
    live: list[tuple[bool, int, int]] = []
    for index, (literal, rest) in enumerate(split):
        if not rest:
            continue
        if rest not in sizes:
            if len(sizes) == _SIZED:
                continue
            try:
                sizes[rest] = len(shape_of(rest, _COUNTED).default)
            except TooManyStatesError:
                sizes[rest] = _COUNTED
        live.append((isinstance(patterns[index], Directory), len(literal) + sizes[rest], index))
    live.sort()
    spread = [entry for entry in live if not entry[0]][-_JOINED:]
    directories = [entry for entry in live if entry[0]]
    spread += directories[:: max(1, len(directories) // _JOINED)][:_JOINED]
    total: Shape | None = None
    before = 0
    costs = []
    exhausted = False
    for slot, (_, alone, index) in enumerate(spread):
        literal, rest = split[index]
        added = None
        if not exhausted and alone < _COUNTED:
            whole = (*(Step(1 << c) for c in literal), *rest)
            try:
                shape = shape_of(whole, _COUNTED).relabelled(slot)
                total = product(total, shape, _COUNTED) if total else shape
                added = len(total.default) - before
                before = len(total.default)
            except TooManyStatesError:
                exhausted = True
        costs.append(PatternCost(index, patterns[index], alone, added))
    costs.sort(key=lambda cost: (cost.added is not None, -(cost.added or cost.alone), cost.index))
    return tuple(costs[:_SHOWN])


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
