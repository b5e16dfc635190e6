# SPDX-License-Identifier: Apache-2.0
"""Events to the machine's own logs: systemd's journal, and syslog."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hauberk.agent.feeder.hub import Missing, Numbered
from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.clock import unix_time
from hauberk.sinks.datagrams import Datagrams
from hauberk.sinks.log_records import JOURNAL, JOURNALD, SYSLOG, journal_record, syslog_record

RETRY_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 0.4


class Forward:
    """The service that writes to one place."""

    def __init__(
        self, place: str, record: Callable[[Alert | Log], bytes], to: Datagrams, stir: Callable[[], None]
    ) -> None:
        """`stir` is called when there is something new to say of it."""
        self.listening: Sequence[str] = ()
        self._stir = stir
        self._place = place
        self._record = record
        self._to = to
        self._gap = 0
        self._retry: asyncio.TimerHandle | None = None
        self._writing = -1
        self._closing = False

    @classmethod
    def to_place(cls, place: str, node_name: str, stir: Callable[[], None]) -> "Forward":
        """To one of `log_records.PLACES`."""
        if place == JOURNALD:
            return cls(place, journal_record, Datagrams(JOURNAL, in_files=True), stir)
        return cls(place, lambda event: syslog_record(event, node_name), Datagrams(SYSLOG), stir)

    @property
    def findings(self) -> Sequence[str]:
        """See `Service`."""
        trouble = self._to.trouble
        return (f"events do not reach {self._place}: {trouble}",) if trouble else ()

    @property
    def lost(self) -> Mapping[str, int]:
        """See `Service`."""
        return {self._place: self._to.lost}

    async def start(self) -> None:
        """See `Service`."""

    def take(self, events: Sequence[Numbered]) -> None:
        """See `Service`."""
        for numbered in events:
            self._put(numbered.event, numbered.event.Hauberk.Count)
        self._send()

    def miss(self, missing: Missing) -> None:
        """See `Service`."""
        self._put(_mark(missing.accesses, missing.why), 0)
        self._send()

    async def close(self) -> None:
        """See `Service`."""
        self._closing = True
        self._rest()
        deadline = time.monotonic() + _GRACE_SECONDS
        while not self._to.send() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        self._to.close()

    def _put(self, event: Alert | Log, accesses: int) -> None:
        if self._gap:
            mark = self._record(_mark(self._gap, f"{self._place} does not keep up"))
            if not self._to.put(mark, 0):
                self._to.lost += accesses
                self._gap += accesses
                return
            self._gap = 0
        if not self._to.put(self._record(event), accesses):
            self._gap += accesses

    def _send(self) -> None:
        self._rest()
        before = self._to.trouble
        is_done = self._to.send()
        if self._to.trouble != before:
            self._stir()
        if is_done or self._closing:
            return
        loop = asyncio.get_running_loop()
        if self._to.fileno() >= 0:
            self._writing = self._to.fileno()
            loop.add_writer(self._writing, self._send)
        else:
            self._retry = loop.call_later(RETRY_SECONDS, self._send)

    def _rest(self) -> None:
        """Wait for nothing any more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._writing >= 0:
            asyncio.get_running_loop().remove_writer(self._writing)
            self._writing = -1


def _mark(accesses: int, why: str) -> Alert:
    """In place of events that are missing."""
    event = Alert(PPID=0, UID=0, Hauberk=Extras(), Type="SystemEvent")
    event.Timestamp, event.UpdatedTime = unix_time(time.time_ns())
    event.Message = f"{accesses} accesses are missing here: {why}"
    return event
