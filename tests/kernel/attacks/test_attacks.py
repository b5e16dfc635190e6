# SPDX-License-Identifier: Apache-2.0
"""Every attack of tests/attacks/: it succeeds where no rule is, and is refused and alerted where one is.

Each is run in the machine's own root file system, and again as in a privileged container that shares the
machine's process ids. What succeeds in spite of a rule has to be marked so in its head, with the heading of
the threat model that says why.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attacks.building import build
from tests.attacks.catalogue import Attack, attacks
from tests.kernel.arena import Arena
from tests.kernel.attacks.judging import cases, judge
from tests.kernel.attacks.stage import Attempt, Ground, Port

pytestmark = pytest.mark.preempt

CATALOGUE = [attack for attack in attacks() if not attack.on_engine]


class Field:
    """The workloads of all attacks, made as they are needed."""

    def __init__(self, arena: Arena, act: Path, ending: ExitStack) -> None:
        self._arena, self._act, self._ending = arena, act, ending
        self._built = build(CATALOGUE)
        self._port = ending.enter_context(Port())
        self._shared: dict[tuple[str, bool], Ground] = {}

    def attempt(self, attack: Attack, place: str, *, free: bool) -> Attempt:
        if attack.early or (attack.apart and not free):
            with self._ground(place, free, [attack]) as ground:
                return ground.attempt(attack)
        if (place, free) not in self._shared:
            ground = self._ground(place, free, [each for each in CATALOGUE if not each.apart])
            self._shared[place, free] = self._ending.enter_context(ground)
        return self._shared[place, free].attempt(attack)

    def _ground(self, place: str, free: bool, bound: list[Attack]) -> Ground:
        return Ground(self._arena, self._act, self._built, self._port, place, free, bound)


@pytest.fixture(scope="module")
def field(arena: Arena, act: Path) -> Iterator[Field]:
    with ExitStack() as ending:
        yield Field(arena, act, ending)


@pytest.mark.parametrize(("attack", "place"), list(cases(CATALOGUE)))
def test_an_attack_succeeds_without_rules_and_is_refused_and_alerted_under_them(
    field: Field, attack: Attack, place: str
) -> None:
    judge(field, attack, place)
