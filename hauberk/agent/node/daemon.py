# SPDX-License-Identifier: Apache-2.0
"""The loop: what has happened is dealt with, starts of containers before all else.

Nothing is done at regular times but what systemd's watchdog asks for. While repeats of a violation are being
counted, and while a sink has to try again, the loop wakes up for that.
"""

import selectors
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from hauberk.agent.control.server import ControlServer
from hauberk.agent.node.node import Node
from hauberk.agent.node.notify import notify, watchdog_seconds
from hauberk.kernel.signals import SignalReader

SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_FLUSH_SECONDS: Final = 1.0


class Readable(Protocol):
    def fileno(self) -> int: ...


class Daemon:
    """The loop of a node that was opened, until a signal asks to end it."""

    def __init__(
        self, node: Node, signals: SignalReader, server: ControlServer, reload: Callable[[], None]
    ) -> None:
        assert node.entrance is not None
        self._node = node
        self._entrance = node.entrance
        self._signals = signals
        self._reload = reload
        self._ending = False
        self._dirty = True
        """Something has been passed on since the sinks were flushed."""
        self._gate = -1
        self._selector = selectors.DefaultSelector()
        self._listen(signals, self._heed)
        # These only wake the loop up, which looks after rings and the gate each time.
        self._listen(node.engine.violations)
        self._listen(node.engine.events)
        self._listen(node.changes, node.look_at_changes)
        self._listen(server, server.on_ready)
        if node.feeder is not None:
            self._listen(node.feeder, node.feeder.on_ready)

    def run(self) -> None:
        """Until SIGTERM, SIGINT or SIGQUIT."""
        watchdog = watchdog_seconds()
        notify("READY=1")
        while not self._ending:
            self._listen_to_gate()
            ready = self._selector.select(self._patience(watchdog))
            # Whoever waits to start does so before all else.
            self._entrance.serve()
            for key, _ in ready:
                if key.data is not None:
                    key.data()
                self._dirty = True
            self._node.read()
            if not ready:
                self._rest()
            if watchdog is not None:
                notify("WATCHDOG=1")
        notify("STOPPING=1")

    def close(self) -> None:
        self._selector.close()

    def _listen(self, source: Readable, act: Callable[[], None] | None = None) -> None:
        self._selector.register(source.fileno(), selectors.EVENT_READ, act)

    def _listen_to_gate(self) -> None:
        """The line to the gate is another one after the gate has died."""
        line = self._entrance.line()
        if line != self._gate:
            if self._gate >= 0:
                # Its descriptor may be closed, or another one's by now.
                with suppress(KeyError):
                    self._selector.unregister(self._gate)
            if line >= 0:
                self._selector.register(line, selectors.EVENT_READ)
            self._gate = line

    def _patience(self, watchdog: float | None) -> float | None:
        """How long to wait for something to happen, in seconds; None: for ever."""
        dues = (watchdog, self._node.due_in(), self._node.rest_due_in())
        waits = [each for each in dues if each is not None]
        if self._dirty or self._gate < 0:
            waits.append(_FLUSH_SECONDS)
        return min(waits, default=None)

    def _rest(self) -> None:
        if self._dirty:
            self._dirty = self._node.flush()
        self._node.rest()

    def _heed(self) -> None:
        for received in self._signals.read():
            if received.number == signal.SIGHUP:
                notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
                self._reload()
                notify("READY=1")
            else:
                self._ending = True
