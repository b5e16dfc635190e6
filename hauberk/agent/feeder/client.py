# SPDX-License-Identifier: Apache-2.0
"""The agent's side of its feeder: a sink that never waits.

What the feeder has not yet confirmed is kept, in bounded memory, and told again to the next process if this
one dies: some may then reach clients twice, and none is missing. What does not fit in memory is dropped,
counted, and told to the feeder as a gap.
"""

import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from hauberk.agent.control.peer import group_number
from hauberk.agent.feeder.wire import HASHES, Change, Events, Feeding, Gap, Told, Unpacker, pack
from hauberk.agent.spawn import how_it_ended, spawn
from hauberk.errors import HauberkError
from hauberk.events.alert import Alert, Log
from hauberk.kernel.timer import Timer

MEMORY_BYTES: Final = 8 << 20
"""Bytes of messages that are kept for the feeder."""
PATIENCE_SECONDS: Final = 5.0
"""How long the feeder may take for what is left when the agent ends."""
_MODULE: Final = "hauberk.agent.feeder.process"
_PAUSES: Final = (0.1, 1.0, 5.0, 30.0)
"""Seconds before the next try, for each process in a row that has ended without confirming anything."""
_CHUNK: Final = 1 << 16


class _Kept(NamedTuple):
    number: int
    """0: nothing confirms it; it is done with when it is sent."""
    data: bytes
    accesses: int


class Feeder:
    """A process that serves clients, from `start` on, started anew when it has ended.

    `fileno()` is readable when `on_ready` has something to do.
    """

    def __init__(self, feeding: Feeding, *, memory: int = MEMORY_BYTES) -> None:
        self.lost = 0
        self.told = Told(number=0)
        """What the feeder has said of itself last."""
        self._feeding = feeding
        self._workloads: Callable[[], Iterable[Change]] = tuple
        self._memory = memory
        self._kept: deque[_Kept] = deque()
        self._bytes = 0
        self._sent = 0
        """How many of those kept are sent, whole or in part."""
        self._unsent = b""
        self._number = 0
        self._gap = 0
        self._failures = 0
        self._why = ""
        self._pid = 0
        self._line: socket.socket | None = None
        self._timer = Timer()
        self._epoll = select.epoll()
        self._epoll.register(self._timer, select.EPOLLIN)

    def start(self, workloads: Callable[[], Iterable[Change]]) -> None:
        """Have the process. `workloads` gives what is there, for each new one to know."""
        self._workloads = workloads
        self._start()

    def fileno(self) -> int:
        return self._epoll.fileno()

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return self._pid

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        return ((f"clients are not served: {self._why}",) if self._line is None else ()) + self.told.findings

    def write(self, events: Sequence[Alert | Log]) -> None:
        """See `Sink`."""
        accesses = sum(event.Hauberk.Count for event in events)
        alerts = [event for event in events if isinstance(event, Alert)]
        logs = [event for event in events if isinstance(event, Log)]
        data = pack(Events(self._number + 1, alerts, logs))
        if self._bytes + len(data) > self._memory:
            self.lost += accesses
            self._gap += accesses
            return
        if self._gap:
            self._keep(0, pack(Gap(self._gap)))
            self._gap = 0
        self._number += 1
        self._keep(self._number, data, accesses)
        self._send()

    def change(self, change: Change) -> None:
        """Tell of a workload."""
        # A new process is told of all that are there.
        if self._line is not None:
            self._keep(0, pack(change))
            self._send()

    def configure(self, feeding: Feeding) -> None:
        """Serve what is asked for now: by a new process, if it is something else."""
        if feeding != self._feeding:
            self._feeding = feeding
            if self._line is not None:
                self._end("other settings")
            self._timer.set(0)

    def flush(self) -> None:
        """See `Sink`."""
        self._send()

    def on_ready(self) -> None:
        """Hear what the feeder says, or start it anew."""
        if self._timer.take() and self._line is None:
            self._start()
        if self._line is None:
            return
        try:
            data = self._line.recv(_CHUNK)
            for told in self._unpacker.feed(data):
                self._heard(told)
        except BlockingIOError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            self._lose(str(error))
            return
        else:
            if not data:
                self._lose("")
                return
        self._send()

    def close(self) -> None:
        """See `Sink`. Whoever is connected is parted with."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._line is not None and self._kept and time.monotonic() < deadline:
            self._epoll.poll(max(0.0, deadline - time.monotonic()))
            self.on_ready()
        if self._line is not None:
            self._end("the agent ends", deadline)
        self.lost += sum(kept.accesses for kept in self._kept)
        self._kept.clear()
        self._timer.close()
        self._epoll.close()

    # The process

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                group = group_number(self._feeding.socket_group)
                arguments = [] if group is None else [str(group)]
                self._pid = spawn(_MODULE, theirs, arguments + [HASHES] * self._feeding.hashes)
            except OSError as error:
                ours.close()
                self._retry_later(f"no process can be started: {error.strerror}")
                return
            except HauberkError as error:
                ours.close()
                self._retry_later(error.message)
                return
        ours.setblocking(False)
        self._line = ours
        self._unpacker = Unpacker.for_agent()
        self._epoll.register(ours, select.EPOLLIN)
        first = pack(self._feeding) + b"".join(map(pack, self._workloads()))
        # What was for the one before it, and is not confirmed.
        kept = [each for each in self._kept if each.number]
        self._kept = deque([_Kept(0, first, 0), *kept])
        self._bytes = sum(len(each.data) for each in self._kept)
        self._sent = 0
        self._unsent = b""
        self._send()

    def _lose(self, why: str) -> None:
        ended = self._end(why)
        self._retry_later(f"its process {ended}" + (f" ({why})" if why else ""))

    def _end(self, why: str, deadline: float = 0.0) -> str:
        """Part with the process: how it ended."""
        assert self._line is not None
        self._epoll.unregister(self._line)
        self._line.close()
        self._line = None
        self._why = why
        self.told = msgspec.structs.replace(self.told, clients=0, listening=(), findings=())
        # It has seen its end of the line close, and ends by itself; but nobody waits for it for long.
        deadline = deadline or time.monotonic() + 1.0
        with suppress(ProcessLookupError):
            pidfd = os.pidfd_open(self._pid)
            try:
                waiting = select.poll()
                waiting.register(pidfd, select.POLLIN)
                if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)
        pid, self._pid = self._pid, 0
        return how_it_ended(pid)

    def _retry_later(self, why: str) -> None:
        self._why = why
        self._timer.set(_PAUSES[min(self._failures, len(_PAUSES) - 1)])
        self._failures += 1

    # What is kept for it

    def _keep(self, number: int, data: bytes, accesses: int = 0) -> None:
        self._kept.append(_Kept(number, data, accesses))
        self._bytes += len(data)

    def _heard(self, told: Told) -> None:
        self.told = told
        if told.number or not self._kept:
            self._failures = 0
        while self._sent and self._kept[0].number <= told.number:
            self._bytes -= len(self._kept.popleft().data)
            self._sent -= 1

    def _send(self) -> None:
        """Send what there is room for."""
        if self._line is None:
            return
        try:
            while self._unsent or self._sent < len(self._kept):
                if not self._unsent:
                    self._unsent = self._kept[self._sent].data
                    self._sent += 1
                self._unsent = self._unsent[self._line.send(self._unsent) :]
        except BlockingIOError:
            self._epoll.modify(self._line, select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            # That its end is closed is heard by whoever reads.
            self._epoll.modify(self._line, select.EPOLLIN)
        else:
            self._epoll.modify(self._line, select.EPOLLIN)
