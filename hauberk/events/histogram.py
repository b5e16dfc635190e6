# SPDX-License-Identifier: Apache-2.0
"""How long things took, in a few numbers, in the form that Prometheus has for it."""

from bisect import bisect_left
from typing import Self

import msgspec


class Histogram(msgspec.Struct):
    """Seconds, sorted into those up to each of `bounds`, in ascending order, and those above all of them."""

    bounds: tuple[float, ...]
    counts: list[int]
    """For each bound how many were above the one before and not above this one; then those above all."""
    seconds: float = 0.0
    """All of them together."""

    @classmethod
    def of(cls, *bounds: float) -> Self:
        return cls(bounds, [0] * (len(bounds) + 1))

    def add(self, seconds: float) -> None:
        """One more. A clock that was set back counts as no time."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds
