# SPDX-License-Identifier: Apache-2.0
"""Forgetting rules that were replaced, also on a node that is never quiet.

Records may speak of them for as long as a program goes by the old table, and until what it wrote is read. So
what was replaced by some time is forgotten once the rings have been read as far as they were written some
time later. A quiet second, in which all is forgotten at once, may never come where containers come and go.
"""

import time
from collections.abc import Callable
from typing import Final

from hauberk.agent.reader import WINDOW_SECONDS
from hauberk.enforcers.bpf_lsm.engine import Engine

GRACE_SECONDS: Final = 2 * WINDOW_SECONDS
"""No program is at work for longer, and by then the repeats of what it reported are told too."""


class Forgetting:
    """What an engine has retired, in batches."""

    def __init__(
        self,
        engine: Engine,
        drop: Callable[[int, int], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`drop` is told workload and generation of what is forgotten."""
        self._engine = engine
        self._drop = drop
        self._now = now
        self._batch: list[tuple[int, int]] = []
        self._since = 0.0
        self._ends: list[int] | None = None

    def forget_if_due(self) -> None:
        """Forget the batch if no record can speak of it any more; begin one if there is none. To be called
        whenever something has happened."""
        rings = (self._engine.violations, self._engine.events)
        if not self._batch:
            self._batch = self._engine.retired
            self._since = self._now()
            self._ends = None
        elif self._ends is None:
            if self._now() - self._since >= GRACE_SECONDS:
                self._ends = [ring.written for ring in rings]
        elif all(ring.read >= end for ring, end in zip(rings, self._ends, strict=True)):
            self._forget(self._batch)

    def forget_all(self) -> None:
        """To be called when nothing has happened for a second, and the rings are empty."""
        self._forget(self._engine.retired)

    def _forget(self, batch: list[tuple[int, int]]) -> None:
        for workload, generation in self._engine.forget_retired(batch):
            self._drop(workload, generation)
        self._batch = []
