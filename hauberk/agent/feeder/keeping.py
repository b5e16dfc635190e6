# SPDX-License-Identifier: Apache-2.0
"""The history as a service: it takes events before everybody else, and numbers go on from what it has."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.agent.feeder.wire import HISTORY, Feeding
from hauberk.sinks.history import History, HistoryError, fresh_number

_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.05
CAUSE: Final = "history"
"""What losses of the history are called."""


class Keeping:
    """See `Service`."""

    listening: Sequence[str] = ()

    def __init__(self, feeding: Feeding, hub: Hub) -> None:
        self.path = Path(feeding.state_directory) / HISTORY
        self._mib = feeding.history_mib
        self._hub = hub
        self._history: History | None = None
        self._why = ""
        self._busy = False
        self._lost = 0

    @property
    def is_on(self) -> bool:
        """Whether there is a history."""
        return self._history is not None

    @property
    def findings(self) -> Sequence[str]:
        if self._history is None:
            return (self._why,) if self._why else ()
        return (*self._history.findings, *((self._history.aside,) if self._history.aside else ()))

    @property
    def lost(self) -> Mapping[str, int]:
        return {CAUSE: self._lost + (self._history.lost if self._history else 0)}

    async def start(self) -> None:
        self._hub.go_on(fresh_number())
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._mib and not self._open() and self._busy and time.monotonic() < deadline:
            # The process of an agent that was killed writes what it has still heard, and ends.
            await asyncio.sleep(_PAUSE_SECONDS)
        if self.is_on:
            assert self._history is not None
            self._hub.go_on(self._history.next)

    def take(self, events: Sequence[Numbered]) -> None:
        if self._history is not None or (self._mib and self._open(events[0].number)):
            assert self._history is not None
            self._history.write(events)
        elif self._mib:
            self._lost += sum(numbered.event.Hauberk.Count for numbered in events)

    def miss(self, missing: Missing) -> None:
        if self._history is not None:
            self._history.miss(missing.accesses, missing.why)

    def damaged(self, why: str) -> None:
        """Who reads it has found it damaged."""
        if self._history is not None:
            try:
                self._history.set_aside(why)
            except HistoryError as error:
                self._why = error.message
                self._lost += self._history.lost
                self._history = None

    async def close(self) -> None:
        if self._history is not None:
            self._history.close()

    def _open(self, number: int = 0) -> bool:
        try:
            self._history = History(self.path, self._mib)
        except HistoryError as error:
            self._busy = error.busy
            self._why = f"there is no history, events are lost to it: {error.message}"
            return False
        if self._lost:
            # Numbers were given while it was not there.
            self._history.next = number
            self._history.miss(self._lost, self._why)
        return True
