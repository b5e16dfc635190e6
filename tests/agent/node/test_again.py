# SPDX-License-Identifier: Apache-2.0
"""Work that was lost is done again: after pauses, a few times, and only then."""

import pytest

from hauberk.agent.node import again as module
from hauberk.agent.node.again import PAUSES, Again


class World:
    """A clock, a compiler that loses jobs, and how often all was done again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.losses, self.done = 0.0, 0, 0
        self.broken = False
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        self.again = Again(lambda: self.losses)

    def act(self) -> None:
        self.done += 1
        self.losses += self.broken

    def turn(self) -> None:
        self.again.do_if_due(self.act)

    def wait(self) -> None:
        """Until something is due; then a turn."""
        due = self.again.due_in()
        assert due is not None
        self.now += due
        self.turn()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_nothing_is_due_while_nothing_was_lost(world: World) -> None:
    world.turn()
    assert (world.again.due_in(), world.done) == (None, 0)


def test_what_was_lost_is_done_again_after_a_pause_and_not_before(world: World) -> None:
    world.losses += 1
    assert world.again.due_in() == PAUSES[0]
    world.now = PAUSES[0] / 2
    world.turn()
    assert world.done == 0
    world.wait()
    assert (world.done, world.again.due_in()) == (1, None)


def test_what_is_lost_each_time_is_given_up_after_some_tries(world: World) -> None:
    world.broken = True
    world.losses += 1
    pauses = []
    while (due := world.again.due_in()) is not None:
        pauses.append(due)
        world.wait()
    assert tuple(pauses) == PAUSES
    assert world.done == len(PAUSES)


def test_a_loss_after_that_begins_anew(world: World) -> None:
    world.broken = True
    world.losses += 1
    while world.again.due_in() is not None:
        world.wait()
    world.broken = False
    world.losses += 1
    assert world.again.due_in() == PAUSES[0]
    world.wait()
    assert world.again.due_in() is None
