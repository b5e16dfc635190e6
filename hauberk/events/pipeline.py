# SPDX-License-Identifier: Apache-2.0
"""From a ring's batches and a window's counts to the sinks, with every loss on the books."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from hauberk.events.alert import Alert, Log
from hauberk.events.outcomes import Outcomes, has_outcome
from hauberk.events.record import Call, RecordError, decode
from hauberk.events.repeats import Firsts, decode_repeats
from hauberk.events.summary import Summary
from hauberk.events.translate import Translator

# Bounds the memory that a full ring takes when it is read at one go.
_SLICE: Final = 256
_ENDED: Final = int(Call.ENDED)
_EXECUTED: Final = int(Call.EXECUTED)


class Sink(Protocol):
    """Where events go. A sink never raises for trouble at its far end: it keeps, drops and counts."""

    lost: int
    """Accesses that dropped events stood for, so far."""

    def write(self, events: Sequence[Alert | Log]) -> None:
        """Take these events, in order."""

    def flush(self) -> None:
        """Try again to deliver what had to be kept. Called now and then."""

    def close(self) -> None:
        """Deliver or drop all that is kept, and release what the sink holds."""


class Losses(msgspec.Struct, frozen=True):
    """Accesses that were not told, by cause. All zero: every refusal and every audit reached every sink."""

    violations: int = 0
    """Those for whose alert the kernel had no room."""
    events: int = 0
    """Those for whose log the kernel had no room."""
    corrupt: int = 0
    """Those whose record could not be decoded."""
    sinks: int = 0
    """Those whose events sinks dropped, summed over the sinks."""


class Pipeline:
    """Decodes, translates, counts, and hands to the sinks, which it does not own.

    `on_ended` is told of each workload whose last task has ended, after all that it did.
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
        self._firsts = Firsts()
        self._outcomes = Outcomes()
        self._ended: dict[int, set[int]] = {}
        self.summary = Summary()

    def feed(self, payloads: Iterable[bytes | memoryview]) -> int:
        """Take the records of a batch; their bytes are not needed afterwards. Returns how many they were."""
        self._translator.clock.refresh_if_due()
        count = 0
        events: list[Alert | Log] = []
        for payload in payloads:
            count += 1
            try:
                record = decode(payload)
            except RecordError:
                self._corrupt += 1
                continue
            if record.call == _ENDED:
                self._deliver(events)
                events = []
                # what the workload did comes before the news of its end, its repeats included
                self._ended[record.workload] = {parity for parity in (0, 1) if self._firsts.of(parity)}
                self._tell_ended()
            elif record.call == _EXECUTED:
                events += self._outcomes.settle(record)
            else:
                if record.slot:
                    self._firsts.add(record)
                resolved = self._translator.resolve(record)
                if resolved is not None:
                    event = self._translator.translate(resolved)
                    events += self._outcomes.hold(resolved, event) if has_outcome(resolved) else (event,)
                if len(events) >= _SLICE:
                    self._deliver(events)
                    events = []
        self._deliver(events)
        return count

    def feed_repeats(self, window: int, slots: bytes) -> None:
        """Take what was counted in a window that is closed. All records of its time have been fed before."""
        events: list[Alert | Log] = []
        for repeat in decode_repeats(window, slots):
            if not repeat.sound:
                self._corrupt += repeat.count
                continue
            first = self._firsts.get(repeat.slot)
            if first is not None and (first := self._translator.resolve(first)) is None:
                continue  # calls that no rule is about
            events.append(self._translator.repeats(repeat, first))
            if len(events) == _SLICE:
                self._deliver(events)
                events = []
        self._deliver(events)
        self._firsts.forget(window)
        for windows in self._ended.values():
            windows.discard(window & 1)
        self._tell_ended()

    def holds(self, window: int) -> bool:
        """Whether repeats of something may be counted in a window."""
        return self._firsts.of(window) > 0

    def _tell_ended(self) -> None:
        for workload in [workload for workload, windows in self._ended.items() if not windows]:
            del self._ended[workload]
            if self._on_ended is not None:
                self._on_ended(workload)

    def _deliver(self, events: Sequence[Alert | Log]) -> None:
        if not events:
            return
        self.summary.add(events)
        for sink in self._sinks:
            sink.write(events)

    def flush(self) -> None:
        """Let the sinks try again what they had to keep. For quiet moments."""
        self._deliver(self._outcomes.overdue(self._translator.clock.boot_ns()))
        for sink in self._sinks:
            sink.flush()

    def tell_held(self) -> None:
        """Tell of execs of which it is not known what came of them. All records have been fed."""
        self._deliver(self._outcomes.rest())

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
