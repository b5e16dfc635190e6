# SPDX-License-Identifier: Apache-2.0
"""How large an automaton may become, and what one hears of patterns that would make it larger."""

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.automaton import parse
from hauberk.automaton.errors import AutomatonError
from hauberk.automaton.parse import Step
from hauberk.automaton.patterns import Directory, Pattern
from hauberk.automaton.shape import Shape, TooManyStatesError, product, shape_of
from hauberk.automaton.split import text_of

STATE_LIMIT = 1_000_000
"""States of one automaton, unless the caller says otherwise: 16 MB of table and more."""

SHAPE_LIMIT = 1 << 16
"""States of what begins at one place of a path, and of one pattern before it is minimised. Beyond it
patterns multiply, and no table would do."""

# What is spent on telling which patterns are to blame: rests of patterns that are measured, patterns (globs
# and names, then directories) that are joined, states that are counted; and how many patterns are shown.
_MEASURED = 512
_JOINED = 64
_COUNTED = 4096
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class PatternCost:
    """What one pattern costs.

    `alone`: the states of an automaton for it alone. `added`: how many it adds to an automaton of the
    cheaper patterns before it. None stands for more than could be counted in bounded time.
    """

    index: int
    pattern: Pattern
    alone: int | None
    added: int | None


class StateLimitError(AutomatonError):
    """The patterns need more than `limit` states. `costs` has the patterns that are to blame, the worst
    first."""

    def __init__(self, limit: int, costs: tuple[PatternCost, ...], literal_bytes: int) -> None:
        lines = [f"the patterns need more than {limit:,} states"]
        if literal_bytes > limit // 2:
            lines.append(f"  text without wildcards: up to {literal_bytes:,} states, one a byte")
        for cost in costs:
            text = text_of(cost.pattern).decode("utf-8", "backslashreplace")
            lines.append(
                f"  {text!r}: {_count(cost.alone)} states alone, {_count(cost.added)} more beside the others"
            )
        super().__init__(
            "\n".join(lines),
            "anchor these patterns in a directory, write fewer '**' and '*' into one pattern, "
            "or split the rules among workloads",
        )
        self.limit = limit
        self.costs = costs


def _count(states: int | None) -> str:
    return f"over {_COUNTED:,}" if states is None else f"{states:,}"


def costs_of(
    patterns: Sequence[Pattern], split: list[tuple[bytes, parse.Sequence]]
) -> tuple[PatternCost, ...]:
    """What the costliest patterns cost, found by joining them one by one: globs and names from the cheapest
    on, then directories, in which all of those go on. The work is bounded, whatever the patterns are."""
    sizes: dict[parse.Sequence, int] = {}
    entries: list[tuple[bool, int, int]] = []
    for index, (literal, rest) in enumerate(split):
        if not rest or (rest not in sizes and len(sizes) == _MEASURED):
            continue
        if rest not in sizes:
            sizes[rest] = _size(rest)
        entries.append((isinstance(patterns[index], Directory), len(literal) + sizes[rest], index))
    # The hopeless ones first, for the joining may end early.
    entries.sort(key=lambda entry: (entry[1] <= _COUNTED, *entry))
    chosen = [entry for entry in entries if not entry[0]]
    chosen = chosen[:_SHOWN] + chosen[max(_SHOWN, len(chosen) - _JOINED) :]
    directories = [entry for entry in entries if entry[0]]
    chosen += directories[:: max(1, len(directories) // _JOINED)][:_JOINED]
    total: Shape | None = None
    found = []
    for slot, (_, size, index) in enumerate(chosen):
        literal, rest = split[index]
        if size > _COUNTED:
            found.append(PatternCost(index, patterns[index], None, None))
            continue
        added = None
        try:
            shape = shape_of((*(Step(1 << c) for c in literal), *rest), _COUNTED).relabelled(slot)
            before = len(total.default) if total else 0
            total = product(total, shape, _COUNTED) if total else shape
            added = len(total.default) - before
        except TooManyStatesError:
            pass
        found.append(PatternCost(index, patterns[index], size, added))
        if added is None:
            # With the next one it would be the same: this one is where it became too much.
            break
    found.sort(key=lambda c: (c.alone is not None, c.added is not None, -(c.added or 0), c.index))
    return tuple(found[:_SHOWN])


def _size(rest: parse.Sequence) -> int:
    try:
        return len(shape_of(rest, _COUNTED).default)
    except TooManyStatesError:
        return _COUNTED + 1
