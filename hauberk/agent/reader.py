# SPDX-License-Identifier: Apache-2.0
"""What reads an engine: its rings batch by batch, and every few seconds the window of repeats.

Nobody waits for the kernel programs: a window in which one of them is still at work is told of the next
time. No window is closed unless something was told of it, but for the first, in which an earlier reader may
have left something.
"""

import time
from collections.abc import Callable
from typing import Final

from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.events.pipeline import Pipeline
from hauberk.kernel.ring import records

WINDOW_SECONDS: Final = 5.0
"""For how long repeats of a violation are counted before they are told."""

_PATIENCE: Final = 100
_LOOK_SECONDS: Final = 0.01


class Reader:
    """Feeds what an engine reports to a pipeline. One engine has one reader."""

    def __init__(self, engine: Engine, pipeline: Pipeline, now: Callable[[], float] = time.monotonic) -> None:
        self._rings = (engine.violations, engine.events)
        self._repeats = engine.repeats
        self._pipeline = pipeline
        self._now = now
        # An earlier reader of the engine may have left something in either window.
        self._closed: int | None = self._repeats.window - 1
        self._due: float | None = now() + WINDOW_SECONDS
        self._end: int | None = None

    def read(self) -> int:
        """Pass on one batch of each ring, so that a noisy one does not keep us, and repeats if it is time for
        them. How many records it was."""
        count = sum(self._pipeline.feed(records(ring.drain())) for ring in self._rings)
        if self._closed is not None:
            self._take(self._closed)
        elif self._due is None:
            if self._pipeline.holds(self._repeats.window):
                self._due = self._now() + WINDOW_SECONDS
        elif self._now() >= self._due:
            self._close()
        return count

    def due_in(self) -> float | None:
        """In how many seconds `read` has something to do even if nothing happens; None: never."""
        if self._closed is not None:
            return _LOOK_SECONDS
        return None if self._due is None else max(0.0, self._due - self._now())

    def finish(self) -> None:
        """Pass on all that the rings and the windows hold now. What a program at work keeps from us is left
        for a later `read`."""
        ends = [ring.written for ring in self._rings]
        self._read_until(lambda: all(ring.read >= end for ring, end in zip(self._rings, ends, strict=True)))
        self._read_until(lambda: self._closed is None)
        if self._closed is None:
            self._close()
        self._read_until(lambda: self._closed is None)
        self._pipeline.tell_held()

    def _read_until(self, done: Callable[[], bool]) -> None:
        for _ in range(_PATIENCE):
            if done():
                return
            if not self.read():
                time.sleep(_LOOK_SECONDS)

    def _close(self) -> None:
        self._due = None
        self._closed = self._repeats.close_window()
        self._take(self._closed)

    def _take(self, window: int) -> None:
        """Tell what was counted in a closed window, if it is quiet and all records of its time are read."""
        if self._end is None and self._repeats.quiet(window):
            self._end = self._rings[0].written
        if self._end is not None and self._rings[0].read >= self._end:
            self._pipeline.feed_repeats(window, self._repeats.take(window))
            self._closed = self._end = None
