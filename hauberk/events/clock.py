# SPDX-License-Identifier: Apache-2.0
"""From the kernel's clock to the time of day.

Records carry CLOCK_BOOTTIME: it never jumps and orders events, but says nothing to a reader. The offset to
the time of day is measured at the start and again now and then, since the time of day can be set.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

_SAMPLES = 5


def _boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Clock:
    """Converts CLOCK_BOOTTIME nanoseconds. `boottime` and `realtime` read the two clocks, in nanoseconds."""

    def __init__(
        self,
        boottime: Callable[[], int] = _boottime_ns,
        realtime: Callable[[], int] = time.time_ns,
        *,
        refresh_after_ns: int = 10_000_000_000,
    ) -> None:
        self._boottime = boottime
        self._realtime = realtime
        self._refresh_after_ns = refresh_after_ns
        self.refresh()

    def refresh(self) -> None:
        """Measure the offset anew: of a few tries, the one whose readings lie closest together."""
        best: tuple[int, int] | None = None
        for _ in range(_SAMPLES):
            before = self._boottime()
            real = self._realtime()
            after = self._boottime()
            tried = (after - before, real - (before + after) // 2)
            if best is None or tried < best:
                best = tried
        assert best is not None
        self._offset_ns = best[1]
        self._measured_ns = self._boottime()

    def refresh_if_due(self) -> None:
        """Measure again if the last time is long enough ago. Called once a batch."""
        if self._boottime() - self._measured_ns >= self._refresh_after_ns:
            self.refresh()

    def boot_ns(self) -> int:
        """What CLOCK_BOOTTIME says now."""
        return self._boottime()

    def unix(self, boot_ns: int) -> tuple[int, str]:
        """The moment as `unix_time` gives it."""
        return unix_time(boot_ns + self._offset_ns)


@lru_cache(maxsize=4)
def _whole_seconds(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def unix_time(nanoseconds: int) -> tuple[int, str]:
    """UNIX time as KubeArmor writes it: whole seconds, and RFC 3339 in UTC with six digits of a second."""
    second, rest = divmod(nanoseconds, 1_000_000_000)
    return second, f"{_whole_seconds(second)}.{rest // 1000:06d}Z"
