# SPDX-License-Identifier: Apache-2.0
"""Passing on what the kernel reports of one workload, until its last task ends: for as long as its command
runs, after that in the background, and after an earlier keeper was killed. What is enforced does not depend
on it."""

from collections.abc import Sequence
from select import POLLIN, poll
from typing import Final

from hauberk.agent.reader import Reader
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.pipeline import Pipeline, Sink
from hauberk.events.translate import Translator
from hauberk.kernel.ring import RingReader
from hauberk.kernel.signals import SignalReader

WORKLOAD: Final = 0
"""An engine of a run has this one workload."""
FLUSH_MS: Final = 1000
_END_GRACE_MS: Final = 1000
"""How long the kernel may take to free the tasks of a command that has ended."""
_LOOK_MS: Final = 20


class Watch:
    """An engine, and the sinks that its records go to, which it does not own."""

    def __init__(self, engine: Engine, identity: WorkloadIdentity, sinks: Sequence[Sink]) -> None:
        """Raises EnforcerError if the rules of what is in force cannot be read."""
        self.engine = engine
        self.counters: dict[str, int] = {}
        self._translator = Translator(Clock())
        self._translator.add_workload(WORKLOAD, identity)
        self.learn_rules()
        self.pipeline = Pipeline(self._translator, sinks)
        self._reader = Reader(engine, self.pipeline)

    def learn_rules(self) -> None:
        """Know all generations that records may speak of. To be called after each change of the rules."""
        for workload, generation, rules in self.engine.generations():
            self._translator.add_rules(workload, generation, rules)

    @property
    def tasks(self) -> int:
        """Confined tasks that are alive."""
        return self.engine.tasks(WORKLOAD)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Readable when records wait."""
        return tuple(ring.fileno() for ring in self._rings())

    def until_end(self, signals: SignalReader | None = None) -> None:
        """Pass on what is reported until the last confined task ends. Raises Interruption if one of `signals`
        asks for it."""
        waiting = polling(*self.descriptors, *((signals.fileno(),) if signals else ()))
        while self.tasks:
            if not waiting.poll(FLUSH_MS):
                self.flush()
            if signals is not None:
                signals.heed()
            self.drain_once()
        self.drain()

    def settle(self) -> int:
        """Give the kernel time to free what has ended; how many confined tasks are left."""
        waiting = polling(*self.descriptors)
        # A task is freed some time after its end.
        for _ in range(_END_GRACE_MS // _LOOK_MS):
            self.drain_once()
            if not self.tasks:
                break
            waiting.poll(_LOOK_MS)
        left = self.tasks
        self.drain()
        return left

    def drain_once(self) -> int:
        """Pass on one batch of each ring, so that a noisy one does not keep us; how many records it was."""
        return self._reader.read()

    def drain(self) -> None:
        """Pass on all that was reported by now, and note what was lost."""
        self._reader.finish()
        self.counters = self.engine.counters()
        self.pipeline.note_ring_losses(self.counters["lost_violations"], self.counters["lost_events"])

    def flush(self) -> None:
        """For quiet moments: let the sinks try again, and forget rules that no record can name any more."""
        self.pipeline.flush()
        if all(ring.read == ring.written for ring in self._rings()):
            for workload, generation in self.engine.forget_retired(self.engine.retired):
                self._translator.drop_rules(workload, generation)

    def _rings(self) -> tuple[RingReader, ...]:
        return self.engine.violations, self.engine.events


def polling(*descriptors: int) -> poll:
    """Waits until one of these is readable."""
    waiting = poll()
    for fd in descriptors:
        waiting.register(fd, POLLIN)
    return waiting
