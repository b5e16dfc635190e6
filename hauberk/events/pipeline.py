# SPDX-License-Identifier: Apache-2.0
"""From a ring's batches to the sinks, with every loss on the books."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from hauberk.events.alert import Alert, Log
from hauberk.events.record import Call, RecordError, decode_each
from hauberk.events.summary import Summary
from hauberk.events.translate import Translator

# Bounds the memory that a full ring takes when it is read at one go.
_SLICE: Final = 256


class Sink(Protocol):
    """Where events go. A sink never raises for trouble at its far end: it keeps, drops and counts."""

    lost: int
    """Events that were dropped so far."""

    def write(self, events: Sequence[Alert | Log]) -> None:
        """Take these events, in order."""

    def flush(self) -> None:
        """Try again to deliver what had to be kept. Called now and then."""

    def close(self) -> None:
        """Deliver or drop all that is kept, and release what the sink holds."""


class Losses(msgspec.Struct, frozen=True):
    """What was lost, by cause. All zero: every refusal and every audit reached every sink."""

    violations: int = 0
    """Alerts for which the kernel's ring had no room."""
    events: int = 0
    """Logs for which the kernel's ring had no room."""
    corrupt: int = 0
    """Records that could not be decoded."""
    sinks: int = 0
    """Events that sinks dropped, summed over the sinks."""


class Pipeline:
    """Decodes, translates, counts, and hands to the sinks, which it does not own.

    `on_ended` is told of each workload whose last task has ended.
    """

    def __init__(
        self,
        translator: Translator,
        sinks: Sequence[Sink],
        *,
        on_ended: Callable[[int], None] | None = None,
    ) -> None:
        self._translator = translator
        self._sinks = tuple(sinks)
        self._on_ended = on_ended
        self._lost_violations = 0
        self._lost_events = 0
        self._corrupt = 0
        self.summary = Summary()

    def feed(self, payloads: Iterable[bytes | memoryview]) -> int:
        """Take the records of a batch; their bytes are not needed afterwards. Returns how many they were."""
        self._translator.clock.refresh_if_due()
        count = 0
        events: list[Alert | Log] = []
        for record in decode_each(payloads):
            count += 1
            if isinstance(record, RecordError):
                self._corrupt += 1
            elif record.call == Call.ENDED:
                # what the workload did comes before the news of its end
                self._deliver(events)
                events = []
                if self._on_ended is not None:
                    self._on_ended(record.workload)
            else:
                events.append(self._translator.translate(record))
                if len(events) == _SLICE:
                    self._deliver(events)
                    events = []
        self._deliver(events)
        return count

    def _deliver(self, events: Sequence[Alert | Log]) -> None:
        if not events:
            return
        self.summary.add(events)
        for sink in self._sinks:
            sink.write(events)

    def flush(self) -> None:
        """Let the sinks try again what they had to keep. For quiet moments."""
        for sink in self._sinks:
            sink.flush()

    def note_ring_losses(self, violations: int, events: int) -> None:
        """Say what the kernel's loss counters stand at; they count from the pipeline's beginning."""
        self._lost_violations = violations
        self._lost_events = events

    @property
    def losses(self) -> Losses:
        """What was lost so far."""
        return Losses(
            violations=self._lost_violations,
            events=self._lost_events,
            corrupt=self._corrupt,
            sinks=sum(sink.lost for sink in self._sinks),
        )

    @property
    def unresolved(self) -> int:
        """Alerts that do not name their rule, because its table was not known here."""
        return self._translator.unresolved
