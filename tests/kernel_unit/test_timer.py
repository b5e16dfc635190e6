# SPDX-License-Identifier: Apache-2.0
"""A timer is over once, when it was set, and not after it was stopped."""

import os
import select

from hauberk.kernel.timer import Timer


def ready(timer: Timer, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(timer, select.POLLIN)
    return bool(poll.poll(milliseconds))


def test_a_timer_that_was_not_set_is_never_over() -> None:
    timer = Timer()
    assert not ready(timer, 50)
    assert not timer.take()
    assert not timer.armed
    timer.close()


def test_a_timer_is_over_once() -> None:
    timer = Timer()
    timer.set(0.01)
    assert timer.armed
    assert ready(timer, 20_000)
    assert timer.take()
    assert not timer.armed
    assert not ready(timer, 50)
    timer.close()


def test_a_time_that_is_past_is_over_at_once() -> None:
    timer = Timer()
    timer.set(-5)
    assert ready(timer, 20_000)
    timer.close()


def test_the_last_time_that_was_set_counts_and_stopping_undoes_it() -> None:
    timer = Timer()
    timer.set(0)
    timer.set(3600)
    assert not ready(timer, 50)
    timer.set(0)
    timer.stop()
    assert not ready(timer, 50)
    assert not timer.armed
    timer.close()


def test_programs_that_are_started_do_not_inherit_it() -> None:
    timer = Timer()
    assert not os.get_inheritable(timer.fileno())
    timer.close()
