# SPDX-License-Identifier: Apache-2.0
"""From the kernel's clock to the time of day."""

import time
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.clock import Clock, unix_time


class Hands:
    """Two clocks that tests set."""

    def __init__(self, boot, real):
        self.boot = boot
        self.real = real

    def clock(self):
        return Clock(boottime=lambda: self.boot, realtime=lambda: self.real, refresh_after_ns=10)


def test_a_moment_keeps_its_distance_to_now():
    clock = Hands(boot=5_000_000_000, real=1_000_000_000_000_000_000).clock()
    assert clock.unix(4_999_999_000) == (999_999_999, "2001-09-09T01:46:39.999999Z")
    assert clock.unix(5_000_000_999) == (1_000_000_000, "2001-09-09T01:46:40.000000Z")


def test_a_time_of_day_that_was_set_is_noticed_once_the_measurement_is_old():
    hands = Hands(boot=0, real=100_000_000_000)
    clock = hands.clock()
    hands.boot, hands.real = 9, 200_000_000_009
    clock.refresh_if_due()
    assert clock.unix(0)[0] == 100
    hands.boot, hands.real = 10, 200_000_000_010
    clock.refresh_if_due()
    assert clock.unix(0)[0] == 200


def test_a_reading_that_was_interrupted_is_not_used():
    # between the two readings of boottime of the first try lies a long pause
    boots = iter([0, 1_000_000_000, *[2_000_000_000] * 20])
    reals = iter([500_000_000, *[7_000_000_000] * 20])
    clock = Clock(boottime=lambda: next(boots), realtime=lambda: next(reals))
    assert clock.unix(2_000_000_000)[0] == 7


@given(st.integers(0, 2**63))
def test_the_text_says_the_same_as_the_number(nanoseconds):
    second, text = unix_time(nanoseconds)
    assert second == nanoseconds // 1_000_000_000
    parsed = datetime.fromisoformat(text)
    assert parsed.tzinfo == UTC
    assert int(parsed.replace(microsecond=0).timestamp()) == second
    assert parsed.microsecond == nanoseconds % 1_000_000_000 // 1000


def test_the_real_clocks_agree_with_the_time_of_day():
    clock = Clock()
    before = time.time_ns()
    now = clock.unix(time.clock_gettime_ns(time.CLOCK_BOOTTIME))[0]
    after = time.time_ns()
    # within a second: the offset was measured, not copied
    assert before // 1_000_000_000 - 1 <= now <= after // 1_000_000_000 + 1
