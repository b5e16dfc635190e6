# SPDX-License-Identifier: Apache-2.0
"""When what was lost with the compiler's process is done again.

A process that was killed, for want of memory say, says nothing about the policies that it was at. So its work
is done again after a pause, a few times with longer and longer pauses, and then not before the next change:
policies that let every process die should not keep a node busy. While nothing is lost, nothing is due.
"""

import time
from collections.abc import Callable
from typing import Final

PAUSES: Final = (1.0, 5.0, 30.0, 300.0)
"""Seconds before each of the tries."""


class Again:
    """`losses` counts the jobs that were lost so far."""

    def __init__(self, losses: Callable[[], int]) -> None:
        self._losses = losses
        self._known = losses()
        self._tries = 0
        self._due: float | None = None

    def due_in(self) -> float | None:
        """In how many seconds `do_if_due` has something to do; None if nothing was lost."""
        if self._losses() != self._known and self._due is None:
            self._tries = 0
            self._plan()
        self._known = self._losses()
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def do_if_due(self, act: Callable[[], None]) -> None:
        """Do everything again, if it is time for that."""
        due = self.due_in()
        if due is None or due > 0:
            return
        self._due = None
        act()
        if self._losses() != self._known:
            self._known = self._losses()
            self._tries += 1
            self._plan()

    def _plan(self) -> None:
        if self._tries < len(PAUSES):
            self._due = time.monotonic() + PAUSES[self._tries]
