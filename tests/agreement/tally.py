# SPDX-License-Identifier: Apache-2.0
"""What has occurred among drawn accesses, and the combinations that have to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Action, Rule

from .access import OPERATIONS, Access, Answer, matching
from .world import World

CONDITIONS: Final = ("owner", "readOnly", "pts", "fromSource", "none")
Combination = tuple[Action, str, str]


def can_be_written(condition: str, operation: str) -> bool:
    """Whether a policy can say it.

    Network and capability rules have no owner and no readOnly, capability rules no pts; a process rule has no
    readOnly, so that for `exec` and `map` it is file rules that have it.
    """
    if operation == "socket":
        return condition in ("pts", "fromSource", "none")
    if operation == "capability":
        return condition in ("fromSource", "none")
    return True


COMBINATIONS: Final[tuple[Combination, ...]] = tuple(
    (action, condition, operation)
    for action in Action
    for condition in CONDITIONS
    for operation in OPERATIONS
    if can_be_written(condition, operation)
)


@dataclass
class Tally:
    """What has occurred so far."""

    pairs: int = 0
    by_rule: int = 0
    combinations: Counter[Combination] = field(default_factory=Counter)
    decided: Counter[Combination] = field(default_factory=Counter)
    """Combinations of the rules that decided."""
    answers: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    merged: Counter[bool] = field(default_factory=Counter)

    def add(self, meaning: Meaning, access: Access, answers: Sequence[Answer], world: World) -> None:
        self.pairs += 1
        self.operations[access.operation] += 1
        self.merged[world.merged] += 1
        deciding = [answer.by for answer in answers if isinstance(answer.by, Rule) and not answer.by.base]
        self.by_rule += bool(deciding)
        self.combinations.update(
            {
                c
                for index in matching(meaning, access, world)
                for c in combinations(meaning.rules[index], access)
            }
        )
        self.decided.update({c for rule in deciding for c in combinations(rule, access)})
        for answer in answers:
            by = answer.by if isinstance(answer.by, str) else "BaseSet" if answer.by.base else "a rule"
            self.answers[f"{answer.verdict.name} by {by or 'nothing'}"] += 1

    def __str__(self) -> str:
        lines = [
            f"{self.pairs} pairs of a policy set and an access, {self.by_rule / self.pairs:.0%} decided by a "
            f"rule; {self.merged[True]} with a merged /usr",
            *(f"  {count:6} {answer}" for answer, count in sorted(self.answers.items())),
            "rules that name the object (of these, rules that decided), by action, condition and operation:",
            f"{'':18}" + "".join(f"{operation:>12}" for operation in OPERATIONS),
        ]
        for action in Action:
            for condition in CONDITIONS:
                cells = [
                    f"{self.combinations[key]} ({self.decided[key]})"
                    if can_be_written(condition, operation)
                    else "-"
                    for operation in OPERATIONS
                    for key in [(action, condition, operation)]
                ]
                lines.append(f"{action.value:6}{condition:>12}" + "".join(f"{cell:>12}" for cell in cells))
        return "\n".join(lines)


def combinations(rule: Rule, access: Access) -> list[Combination]:
    """What a rule that names an access's object adds to the table of combinations."""
    named = (
        ("owner", rule.owner_only),
        ("readOnly", rule.read_only),
        ("pts", rule.tty_only),
        ("fromSource", bool(rule.sources)),
    )
    conditions = [name for name, is_so in named if is_so] or ["none"]
    return [(rule.action, condition, access.operation) for condition in conditions]
