# SPDX-License-Identifier: Apache-2.0
"""Small minimal automata: what is left of a pattern behind its literal beginning.

A `Shape` comes from the tree of one pattern, by subset construction and Hopcroft's partitioning over
classes of bytes, or is the product of two others. The product of minimal automata that report different
things is minimal again: two of its states can only be equal if both halves are. So nothing large is ever
minimised.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hauberk.automaton.parse import ANY, Run, Sequence, Step

SLASH_BYTE = 0x2F


class TooManyStatesError(Exception):
    """More states than the `limit` that the caller set."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A minimal complete automaton, its states numbered in breadth-first order from 0, the start.

    State `q` goes to `targets[q][i]` on the byte `symbols[q][i]` (ascending) and to `default[q]` on all
    others; `default` is the target of at least one byte. `accept[q]` is an index in `sets`, of which the
    first is empty. `dead` is the state that accepts nothing ever, -1 if there is none.
    """

    default: list[int]
    symbols: list[bytes]
    targets: list[tuple[int, ...]]
    accept: list[int]
    sets: list[frozenset[int]]
    dead: int

    def relabelled(self, slot: int) -> "Shape":
        """The shape of one pattern (which reports 0), reporting `slot` in its place."""
        return Shape(
            self.default,
            self.symbols,
            self.targets,
            self.accept,
            [frozenset(), frozenset((slot,))],
            self.dead,
        )


class _Nfa:
    """Thompson's automaton of a sequence: `empty` moves and moves on a set of bytes."""

    def __init__(self, sequence: Sequence) -> None:
        self.empty: list[list[int]] = [[]]
        self.moves: list[list[tuple[int, int]]] = [[]]
        self.final = self.add(sequence, 0)

    def state(self) -> int:
        self.empty.append([])
        self.moves.append([])
        return len(self.empty) - 1

    def add(self, sequence: Sequence, at: int) -> int:
        for item in sequence:
            if isinstance(item, Step):
                after = self.state()
                self.moves[at].append((item.set, after))
            elif isinstance(item, Run):
                after = self.state()
                self.empty[at].append(after)
                self.moves[after].append((item.set, after))
            else:
                after = self.state()
                for option in item.options:
                    self.empty[self.add(option, at)].append(after)
            at = after
        return at

    def closures(self) -> list[int]:
        """For each state the set, as bits, of the states reached from it by empty moves, which all lead to
        higher numbers or, out of an empty option, straight to the choice's end."""
        found = [0] * len(self.empty)
        for q in range(len(self.empty)):
            seen = 1 << q
            stack = [q]
            while stack:
                for t in self.empty[stack.pop()]:
                    if not seen >> t & 1:
                        seen |= 1 << t
                        stack.append(t)
            found[q] = seen
        return found


def _classes(sets: Iterable[int]) -> list[int]:
    """The coarsest partition of the alphabet that respects `sets` and the slash, the largest class last."""
    parts = [ANY]
    for s in sets:
        split: list[int] = []
        for part in parts:
            inside = part & s
            if inside and inside != part:
                split += (inside, part & ~s)
            else:
                split.append(part)
        parts = split
    return sorted(parts, key=lambda p: (p.bit_count(), p))


def _bits(mask: int) -> list[int]:
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


@lru_cache(maxsize=64)
def shape_of(sequence: Sequence, limit: int) -> Shape:
    """The shape of one pattern: its only non-empty accept set is {0}.

    A state also accepts if a slash leads from it to acceptance (a directory has no slash at its end here).
    Raises TooManyStatesError if the subset construction needs more than `limit` states.
    """
    nfa = _Nfa(sequence)
    closure = nfa.closures()
    sets = sorted({s for moves in nfa.moves for s, _ in moves} | {1 << SLASH_BYTE})
    classes = _classes(sets)
    slash = next(i for i, part in enumerate(classes) if part >> SLASH_BYTE & 1)
    # step[k][q]: where state q goes on class k, as a set of states.
    step = [[0] * len(nfa.moves) for _ in classes]
    for q, moves in enumerate(nfa.moves):
        for s, target in moves:
            for k, part in enumerate(classes):
                if part & s:
                    step[k][q] |= closure[target]
    moving = sum(1 << q for q, moves in enumerate(nfa.moves) if moves)
    final = 1 << nfa.final
    numbers: dict[int, int] = {closure[0]: 0}
    subsets = [closure[0]]
    table: list[list[int]] = []
    accept: list[bool] = []
    for subset in subsets:
        movers = _bits(subset & moving)
        row = []
        ends = bool(subset & final)
        for k, moves_on in enumerate(step):
            target = 0
            for q in movers:
                target |= moves_on[q]
            number = numbers.get(target)
            if number is None:
                number = numbers[target] = len(subsets)
                if number >= limit:
                    raise TooManyStatesError(limit)
                subsets.append(target)
            row.append(number)
            if k == slash and target & final:
                ends = True
        table.append(row)
        accept.append(ends)
    return _from_classes(*_minimal(table, accept), classes)


def _minimal(table: list[list[int]], accept: list[bool]) -> tuple[list[list[int]], list[bool]]:
    """Hopcroft's algorithm; the states of the result are numbered breadth-first."""
    block_of = [int(a) for a in accept]
    blocks = [{q for q, a in enumerate(accept) if not a}, {q for q, a in enumerate(accept) if a}]
    width = len(table[0])
    before: list[list[list[int]]] = [[[] for _ in table] for _ in range(width)]
    for q, row in enumerate(table):
        for k, target in enumerate(row):
            before[k][target].append(q)
    waiting = {0, 1}
    while waiting:
        splitter = list(blocks[waiting.pop()])
        for sources in before:
            touched: dict[int, list[int]] = {}
            for target in splitter:
                for q in sources[target]:
                    touched.setdefault(block_of[q], []).append(q)
            for b, members in touched.items():
                block = blocks[b]
                if len(members) == len(block):
                    continue
                new = len(blocks)
                part = set(members)
                block -= part
                blocks.append(part)
                for q in members:
                    block_of[q] = new
                # If b waits, both halves must; else the smaller will do.
                waiting.add(new if b in waiting or len(part) <= len(block) else b)
    order = [block_of[0]]
    numbers = {order[0]: 0}
    out: list[list[int]] = []
    for b in order:
        row = []
        for target in table[min(blocks[b])]:
            t = block_of[target]
            if t not in numbers:
                numbers[t] = len(order)
                order.append(t)
            row.append(numbers[t])
        out.append(row)
    return out, [accept[min(blocks[b])] for b in order]


def _from_classes(table: list[list[int]], accept: list[bool], classes: list[int]) -> Shape:
    members = [_bits(part) for part in classes]
    default: list[int] = []
    symbols: list[bytes] = []
    targets: list[tuple[int, ...]] = []
    dead = -1
    for q, row in enumerate(table):
        weight: dict[int, int] = {}
        for target, part in zip(row, members, strict=True):
            weight[target] = weight.get(target, 0) + len(part)
        usual = max(weight, key=lambda t: (weight[t], -t))
        edges = sorted(
            (c, target) for target, part in zip(row, members, strict=True) if target != usual for c in part
        )
        default.append(usual)
        symbols.append(bytes(c for c, _ in edges))
        targets.append(tuple(t for _, t in edges))
        if usual == q and not edges and not accept[q]:
            dead = q
    return Shape(default, symbols, targets, [int(a) for a in accept], [frozenset(), frozenset((0,))], dead)


def product(a: Shape, b: Shape, limit: int) -> Shape:
    """The automaton that reports what `a` and `b` report; they must not report the same slots.

    Raises TooManyStatesError beyond `limit` states.
    """
    width = len(b.default)
    numbers = {0: 0}
    pairs = [0]
    default: list[int] = []
    symbols: list[bytes] = []
    targets: list[tuple[int, ...]] = []
    accept: list[int] = []
    sets: list[frozenset[int]] = [frozenset()]
    set_numbers: dict[tuple[int, int], int] = {(0, 0): 0}
    dead = -1

    def number(pair: int) -> int:
        found = numbers.get(pair)
        if found is None:
            found = numbers[pair] = len(pairs)
            if found >= limit:
                raise TooManyStatesError(limit)
            pairs.append(pair)
        return found

    for q, pair in enumerate(pairs):
        qa, qb = divmod(pair, width)
        da, db = a.default[qa] * width, b.default[qb]
        syms_a, syms_b = a.symbols[qa], b.symbols[qb]
        edges: dict[int, int]
        if not syms_b:
            edges = {c: t * width + db for c, t in zip(syms_a, a.targets[qa], strict=True)}
        elif not syms_a:
            edges = {c: da + t for c, t in zip(syms_b, b.targets[qb], strict=True)}
        else:
            to_a = dict(zip(syms_a, a.targets[qa], strict=True))
            to_b = dict(zip(syms_b, b.targets[qb], strict=True))
            edges = {
                c: (to_a[c] * width if c in to_a else da) + to_b.get(c, db)
                for c in sorted(to_a.keys() | to_b.keys())
            }
        usual = da + db
        if len(edges) == 255:
            usual = edges[1]
        default.append(number(usual))
        kept = [(c, t) for c, t in edges.items() if t != usual]
        symbols.append(bytes(c for c, _ in kept))
        targets.append(tuple(number(t) for _, t in kept))
        both = (a.accept[qa], b.accept[qb])
        if both not in set_numbers:
            set_numbers[both] = len(sets)
            sets.append(a.sets[both[0]] | b.sets[both[1]])
        accept.append(set_numbers[both])
        if qa == a.dead and qb == b.dead:
            dead = q
    return Shape(default, symbols, targets, accept, sets, dead)


def join(shapes: list[Shape], limit: int) -> Shape:
    """The product of all `shapes`, by halves, so that no intermediate one is larger than the result."""
    while len(shapes) > 1:
        pairs = [product(shapes[i], shapes[i + 1], limit) for i in range(0, len(shapes) - 1, 2)]
        shapes = pairs + ([shapes[-1]] if len(shapes) % 2 else [])
    return shapes[0]
