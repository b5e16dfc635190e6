# SPDX-License-Identifier: Apache-2.0
"""One loaded engine, and workloads run in it: what all tests on a real kernel stand on.

Loading takes seconds in the lab, so that one engine serves many tests; each run is a workload of its own with
a table of its own.
"""

import os
import select
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self

from msgspec.structs import replace

from hauberk.agent.rulesets import look_for_links
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.abi import MAX_WORKLOADS
from hauberk.enforcers.bpf_lsm.engine import VIOLATION_RING
from hauberk.enforcers.bpf_lsm.tables import compile_table
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.outcomes import Outcomes, has_outcome
from hauberk.events.record import Call, Record, RecordError, decode_each
from hauberk.events.repeats import Firsts, decode_repeats
from hauberk.events.translate import Translator
from hauberk.kernel.ring import RingReader, records
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture, Postures, RuleSet, Section
from hauberk.rules.normalise import rule_set
from hauberk.workloads.command import Command
from hauberk.workloads.homes import homes_of
from hauberk.workloads.mounts import mounts_of
from hauberk.workloads.rootfs import resolver

AUDIT = Postures(file=Posture.AUDIT, network=Posture.AUDIT, capabilities=Posture.AUDIT)
BLOCK = Postures(file=Posture.BLOCK, network=Posture.BLOCK, capabilities=Posture.BLOCK)


@dataclass(frozen=True)
class Ran:
    """What came of a run: exit status, output, the kernel's records in order, and the rules that they
    number."""

    status: int
    stdout: bytes
    stderr: bytes
    records: tuple[Record, ...]
    rules: RuleSet
    meaning: Meaning
    workload: int

    @property
    def output(self) -> str:
        return (self.stdout + self.stderr).decode(errors="replace")

    def refused(self, call: Call | None = None) -> list[Record]:
        return [r for r in self.records if r.verdict == 2 and call in (None, r.call)]

    def audited(self, call: Call | None = None) -> list[Record]:
        return [r for r in self.records if r.verdict == 1 and call in (None, r.call)]

    def alerts(self):  # type: ignore[no-untyped-def]
        """The records as users would see them."""
        translator = Translator(Clock())
        translator.add_workload(self.workload, WorkloadIdentity(namespace="default", container_name="test"))
        for generation in {r.generation for r in self.records}:
            translator.add_rules(self.workload, generation, self.rules.rules)
        outcomes = Outcomes()
        told = []
        for record in self.records:
            if record.call == Call.EXECUTED:
                told += outcomes.settle(record)
            else:
                event = translator.translate(record)
                told += outcomes.hold(record, event) if has_outcome(record) else [event]
        return told + outcomes.rest()


class Arena:
    """An engine for many runs. A context manager; leaves nothing behind."""

    def __init__(
        self,
        *,
        table_bytes: int = 32 << 20,
        ring_bytes: int = VIOLATION_RING,
        disabled: Collection[str] = (),
    ) -> None:
        name = f"test-{os.getpid()}-{time.monotonic_ns()}"
        self.engine = Engine.load(name, table_bytes=table_bytes, ring_bytes=ring_bytes, disabled=disabled)
        self._workloads = iter(range(MAX_WORKLOADS))
        self._firsts = Firsts(kept_bytes=1 << 30)

    def put_in_force(
        self, workload: int, meaning: Meaning, pid: int, visible: Sequence[Section] = ()
    ) -> None:
        """As a run does it: with the homes of file systems, and the links that were there before."""
        root = os.fsencode(f"/proc/{pid}/root")
        names, _ = look_for_links(meaning.rules, root)
        if not names:
            self.engine.apply(workload, meaning, pid, visible)
            return
        mounts, homes = mounts_of(pid), homes_of(pid)
        table = self.engine.compile(workload, lambda at: compile_table(meaning, at, mounts, homes, visible))
        self.engine.note_links(table, root, names)
        self.engine.install(workload, table, meaning.rules)

    def new_workload(self) -> int:
        """The number of a workload that has not been used yet."""
        return next(self._workloads)

    def run(
        self,
        policies: str,
        argv: Sequence[str],
        *,
        postures: Postures = AUDIT,
        visible: Sequence[Section] = (),
        prepare: Callable[[], None] | None = None,
        base_set: bool = True,
        timeout: float = 60,
    ) -> Ran:
        """Run a command under policies written as YAML, all of them selected."""
        loaded = load_text(policies, "<test>") if policies else None
        if loaded is not None and loaded.faults:
            raise AssertionError("\n".join(map(str, loaded.faults)))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:

            def child() -> None:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                if prepare is not None:
                    prepare()

            command = Command(argv, child)
            root = os.fsencode(f"/proc/{command.pid}/root")
            policies_ = loaded.policies if loaded else ()
            rules = rule_set(policies_, postures, resolve=resolver(root), base_set=base_set)
            meaning = Meaning(rules)
            workload = self.new_workload()
            try:
                self.put_in_force(workload, meaning, command.pid, visible)
                self.engine.confine(workload, command.pidfd)
            except BaseException:
                command.abandon()
                raise
            status, found = self._watch(command, workload, timeout)
            out.seek(0)
            err.seek(0)
            return Ran(status, out.read(), err.read(), tuple(found), rules, meaning, workload)

    def _watch(self, command: Command, workload: int, timeout: float) -> tuple[int, list[Record]]:
        found: list[Record] = []
        command.start()
        poll = select.poll()
        poll.register(command.pidfd, select.POLLIN)
        poll.register(self.engine.violations.fileno(), select.POLLIN)
        poll.register(self.engine.events.fileno(), select.POLLIN)
        end = time.monotonic() + timeout
        while command.pidfd not in dict(poll.poll(1000)):
            found += self.drain()
            if time.monotonic() > end:
                command.abandon()
                raise AssertionError(f"still running after {timeout} s")
        status = command.wait()
        command.close()
        found += self.drain()
        return status, [r for r in found if r.workload == workload and r.call != Call.ENDED]

    def drain(self) -> list[Record]:
        """A record for each access: those that wait in both rings, and for each repeat its first again."""
        repeats, ring = self.engine.repeats, self.engine.violations
        window = repeats.close_window()
        while not repeats.quiet(window):
            time.sleep(0.001)
        end = ring.written
        told = drain(ring)
        while ring.read < end:  # a program of the next window is at work on a record that comes before
            time.sleep(0.001)
            told += drain(ring)
        for record in told:
            if record.slot:
                self._firsts.add(record)
        for repeat in decode_repeats(window, repeats.take(window)):
            first = self._firsts.get(repeat.slot)
            assert first, f"a repeat without its first: {repeat}"
            times = [repeat.first_ns] + [repeat.last_ns] * (repeat.count - 1)
            told += [replace(first, time_ns=time_ns) for time_ns in times]
        self._firsts.forget(window)
        told.sort(key=lambda record: record.time_ns)
        return told + drain(self.engine.events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.remove()


def drain(ring: RingReader) -> list[Record]:
    """The records that wait in a ring."""
    found = []
    while batch := ring.drain():
        for record in decode_each(records(batch)):
            assert not isinstance(record, RecordError), record
            found.append(record)
    return found


def shell(script: str) -> list[str]:
    """A command line that runs a script."""
    return ["/bin/sh", "-c", script]
