# SPDX-License-Identifier: Apache-2.0
"""What was replaced is forgotten also where no second is quiet, and not before its last record is read."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import cast

from hauberk.agent.node.forgetting import GRACE_SECONDS, Forgetting
from hauberk.enforcers.bpf_lsm.engine import Engine


class FakeEngine:
    """An engine that only retires and forgets."""

    def __init__(self) -> None:
        self.retired: list[tuple[int, int]] = []
        self.violations = SimpleNamespace(read=0, written=0)
        self.events = SimpleNamespace(read=0, written=0)

    def forget_retired(self, which: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
        gone = [each for each in self.retired if each in which]
        self.retired = [each for each in self.retired if each not in which]
        return gone


class World:
    """A fake engine, a clock, and what was dropped."""

    def __init__(self) -> None:
        self.now = 0.0
        self.engine = FakeEngine()
        self.dropped: list[tuple[int, int]] = []
        self.forgetting = Forgetting(
            cast(Engine, self.engine),
            lambda workload, generation: self.dropped.append((workload, generation)),
            lambda: self.now,
        )

    def turn(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.forgetting.forget_if_due()


def test_what_was_retired_is_bounded_under_churn_without_a_quiet_second() -> None:
    world = World()
    most = 0
    for number in range(50 * 300):
        world.engine.retired.append((number, number))
        world.engine.violations.written += 8
        world.engine.violations.read = world.engine.violations.written - 8
        world.turn(0.02)
        most = max(most, len(world.engine.retired))
    assert most < 50 * (2 * GRACE_SECONDS + 1)
    assert world.dropped == [(number, number) for number in range(len(world.dropped))]


def test_nothing_is_forgotten_before_the_records_that_may_speak_of_it_are_read() -> None:
    world = World()
    world.engine.retired = [(3, 1)]
    world.turn()
    world.engine.violations.written = 100
    world.turn(GRACE_SECONDS)
    world.turn(GRACE_SECONDS)
    assert world.dropped == []
    world.engine.violations.read = 99
    world.turn()
    assert world.dropped == []
    world.engine.violations.read = 100
    world.turn()
    assert world.dropped == [(3, 1)]


def test_what_is_retired_while_a_batch_waits_waits_for_its_own_turn() -> None:
    world = World()
    world.engine.retired = [(3, 1)]
    world.turn()
    world.engine.retired = [(3, 1), (4, 2)]
    world.turn(GRACE_SECONDS)
    world.turn()
    assert (world.dropped, world.engine.retired) == ([(3, 1)], [(4, 2)])


def test_a_quiet_second_lets_all_be_forgotten_at_once() -> None:
    world = World()
    world.engine.retired = [(3, 1), (4, 2)]
    world.turn()
    world.forgetting.forget_all()
    assert (world.dropped, world.engine.retired) == ([(3, 1), (4, 2)], [])
    world.engine.retired = [(5, 3)]
    world.turn()
    world.turn(GRACE_SECONDS - 1)
    world.turn()
    assert world.engine.retired == [(5, 3)]
