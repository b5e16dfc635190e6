# SPDX-License-Identifier: Apache-2.0
"""A live workload that runs scripts of system calls and says what came of each.

One workload serves many tests, as starting one takes a second in the lab: a `Session` is a confined `act
serve`, and `Session.do` hands it a script and gives back the statements' results together with the kernel's
records of just that script.
"""

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from hauberk.events.record import Call, Record
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import SPECIAL_NAMES, Postures, Rule, Section
from hauberk.rules.normalise import rule_set
from hauberk.workloads.command import Command
from hauberk.workloads.rootfs import resolver
from tests.kernel.arena import AUDIT, Arena

HELPERS = Path(__file__).parent
REFUSED = "EACCES"


def compile_act(directory: Path) -> Path:
    """The compiled `act`, static so that running it maps no library; and beside it `trap.so`, which ends who
    loads it."""
    act = directory / "act"
    sources = sorted(map(str, HELPERS.glob("*.c")))
    flags = ["-O1", "-Wall", "-Werror"]
    subprocess.run(["cc", *flags, "-static", "-pthread", "-o", str(act), *sources], check=True)
    trap = directory / "trap.so"
    subprocess.run(
        ["cc", *flags, "-shared", "-fPIC", "-o", str(trap), str(HELPERS / "trap" / "trap.c")], check=True
    )
    return act


def policy(name: str = "test", action: str = "Block", **sections: Mapping[str, Any]) -> str:
    """A policy as YAML, of sections as they are written there: `file={"matchPaths": [...]}`."""
    return yaml.safe_dump(
        {
            "apiVersion": "security.kubearmor.com/v1",
            "kind": "KubeArmorPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {}, **sections, "action": action},
        }
    )


@dataclass(frozen=True)
class Step:
    """One statement and what came of it: `ok`, an errno's name or `status N`."""

    verb: str
    result: str


@dataclass(frozen=True)
class Done:
    """What came of a script."""

    steps: tuple[Step, ...]
    notes: Mapping[str, int]
    records: tuple[Record, ...]
    session: "Session" = field(repr=False)

    @property
    def results(self) -> list[str]:
        return [step.result for step in self.steps]

    @property
    def refusals(self) -> list[Record]:
        return [record for record in self.records if record.verdict == 2]

    def because(self, record: Record) -> str:
        """The name of what decided: a rule's policy, or one of the special names."""
        rule = self.rule(record)
        return rule.policy.name if rule else SPECIAL_NAMES[record.rule]

    def rule(self, record: Record) -> Rule | None:
        rules = self.session.meaning.rules
        return rules[record.rule] if record.rule < len(rules) else None


@dataclass
class Session:
    """A workload that does what it is told. A context manager."""

    arena: Arena
    act: Path
    policies: str = ""
    postures: Postures = AUDIT
    visible: Sequence[Section] = ()
    prepare: Callable[[], None] | None = None
    base_set: bool = True
    confined: bool = True
    """If not, it is no workload, and nothing is decided of what it does."""
    _waiting: bytes = field(default=b"", init=False)

    def __enter__(self) -> Self:
        loaded = load_text(self.policies, "<test>") if self.policies else None
        assert loaded is None or not loaded.faults, loaded
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()

        def child() -> None:
            os.dup2(orders, 0)
            os.dup2(answers, 1)
            for fd in (self._orders, self._answers):
                os.close(fd)
            if self.prepare is not None:
                self.prepare()

        self._command = Command([str(self.act), "serve"], child)
        os.close(orders)
        os.close(answers)
        rules = rule_set(
            loaded.policies if loaded else (),
            self.postures,
            resolve=resolver(os.fsencode(f"/proc/{self._command.pid}/root")),
            base_set=self.base_set,
        )
        self.meaning = Meaning(rules)
        self.workload = self.arena.new_workload()
        if self.confined:
            self.arena.put_in_force(self.workload, self.meaning, self._command.pid, self.visible)
            self.arena.engine.confine(self.workload, self._command.pidfd)
        self._command.start()
        self._records()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._orders)
        self._command.wait()
        self._command.close()
        os.close(self._answers)

    def do(self, script: str, *, timeout: float = 120) -> Done:
        """Run a script, and wait until all that it started has ended."""
        os.write(self._orders, script.encode() + b"\n")
        steps: list[Step] = []
        notes: dict[str, int] = {}
        records: list[Record] = []
        end = time.monotonic() + timeout
        for line in self._lines(records, end):
            if line == ".":
                break
            verb, _, result = line.partition(" ")
            if verb == "=":
                name, _, value = result.partition(" ")
                notes[name] = int(value)
            else:
                steps.append(Step(verb, result))
        records += self._records()
        return Done(tuple(steps), notes, tuple(records), self)

    def _lines(self, records: list[Record], end: float) -> Iterator[str]:
        while True:
            while b"\n" in self._waiting:
                line, _, self._waiting = self._waiting.partition(b"\n")
                yield line.decode()
            if not select.select([self._answers], [], [], 0.1)[0]:
                records += self._records()
                assert time.monotonic() < end, f"no answer; so far {self._waiting!r}"
                continue
            part = os.read(self._answers, 1 << 16)
            assert part, "the workload has ended"
            self._waiting += part

    def _records(self) -> list[Record]:
        return [r for r in self.arena.drain() if r.workload == self.workload and r.call != Call.ENDED]


def unlabelled(act: Path, script: str) -> list[str]:
    """Run a script outside any workload; the results."""
    done = subprocess.run(
        [str(act), "script", *script.split()], capture_output=True, text=True, check=True, timeout=120
    )
    return [line.partition(" ")[2] for line in done.stdout.splitlines()]


@contextmanager
def without(arena: Arena, program: str) -> Iterator[None]:
    """Detach one program of the engine for a while."""
    pinned = arena.engine._pinned
    pin = arena.engine._lease.path / "links" / program
    pin.unlink()
    pinned.links[program].close()
    try:
        yield
    finally:
        pinned.links[program] = pinned.programs[program].reattach()
        pinned.links[program].pin(pin)
