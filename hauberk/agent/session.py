# SPDX-License-Identifier: Apache-2.0
"""One command under policies, from the first look at the policies to the end of its last descendant."""

import os
import secrets
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from select import POLLIN, poll
from types import FrameType
from typing import Final

from hauberk.automaton.errors import AutomatonError
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.engine import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.sweep import sweep
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.errors import HauberkError
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.pipeline import Pipeline, Sink
from hauberk.events.translate import Translator
from hauberk.kernel.features import probe
from hauberk.kernel.namespaces import enter_root
from hauberk.kernel.ring import RingReader, records
from hauberk.policy.degraded import degradations
from hauberk.policy.models import Policy
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Alias, Postures, RuleSet, Section
from hauberk.rules.normalise import policy_id, rule_set
from hauberk.rules.select import Workload, select, unselected_message
from hauberk.workloads.command import Command
from hauberk.workloads.mounts import mounts_of
from hauberk.workloads.rootfs import resolver

WORKLOAD: Final = 0
"""An engine of a session has this one workload."""

_END_GRACE_MS: Final = 500
"""How long the kernel may take to free the tasks of a command that has ended."""
_FLUSH_MS: Final = 1000
_FORWARDED: Final = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
# The terminal sends these to the command as well: they are its to answer.
_LEFT_TO_COMMAND: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


class SessionError(HauberkError):
    """The command was not started."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run, as what, under what."""

    argv: Sequence[str]
    policies: Sequence[Policy]
    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    postures: Postures
    visible: Sequence[Section] = ()
    root: str = ""
    base_set: bool = True
    allow_unenforced: bool = False
    allow_unselected: bool = False


@dataclass(frozen=True)
class Outlook:
    """What will hold, said before the command starts."""

    statuses: tuple[PolicyStatus, ...]
    aliases: tuple[Alias, ...]
    unenforced: str
    """Why nothing is enforced at all; empty if policies are."""


def choose(request: Request) -> list[Policy]:
    """The policies that select the workload. Raises SessionError if none does and that was not allowed."""
    workload = Workload(request.namespace, dict(request.labels), request.name, None)
    selections = [select(policy, workload) for policy in request.policies]
    chosen = [selection.policy for selection in selections if selection.selected]
    if not chosen and not request.allow_unselected:
        raise SessionError(unselected_message(selections), "give --namespace, --label or --name, or --allow-unselected")
    return chosen


def status_of(policy: Policy, unenforced: str, degraded: Sequence[str]) -> PolicyStatus:
    """What a policy comes to here."""
    if unenforced:
        return PolicyStatus(policy_id(policy), State.REJECTED, (unenforced,))
    reasons = (*(each.message for each in degradations(policy)), *degraded)
    return PolicyStatus(policy_id(policy), State.DEGRADED if reasons else State.ENFORCED, reasons)


class Session:
    """A command that is ready to start under its policies."""

    def __init__(self, request: Request, sinks: Sequence[Sink], announce: Callable[[Outlook], None]) -> None:
        """Prepare everything but the command's first instruction.

        `announce` is told what will hold. Raises HauberkError, with nothing left behind.
        """
        chosen = choose(request)
        unenforced = self._obstacle()
        statuses = tuple(status_of(policy, unenforced, ()) for policy in chosen)
        bad = [status for status in statuses if status.state is not State.ENFORCED]
        if bad and not request.allow_unenforced:
            reasons = "; ".join(f"{status.policy}: {', '.join(status.reasons)}" for status in bad)
            raise SessionError(unenforced or reasons, "--allow-unenforced runs the command all the same")
        self.summary_of: Pipeline | None = None
        self._engine: Engine | None = None
        prepare = partial(enter_root, request.root) if request.root else None
        self._command = Command(request.argv, prepare)
        try:
            rules = self._rules(request, chosen)
            announce(Outlook(statuses, rules.aliases, unenforced))
            if not unenforced:
                self._enforce(request, rules, sinks)
        except BaseException:
            self._command.abandon()
            raise

    def _obstacle(self) -> str:
        found = probe()
        return "" if found.enforceable else "; ".join(f"{each.message} ({each.remedy})" for each in found.findings)

    def _rules(self, request: Request, chosen: Sequence[Policy]) -> RuleSet:
        root = f"/proc/{self._command.pid}/root"
        return rule_set(chosen, request.postures, resolve=resolver(os.fsencode(root)), base_set=request.base_set)

    def _enforce(self, request: Request, rules: RuleSet, sinks: Sequence[Sink]) -> None:
        sweep()
        try:
            compiler = TableCompiler(Meaning(rules), FIRST_TABLE)
            table = compiler.compile(mounts_of(self._command.pid), request.visible)
        except AutomatonError as error:
            raise SessionError(f"the rules are too costly: {error.message}", error.remedy) from error
        name = f"run-{os.getpid()}-{secrets.token_hex(4)}"
        engine = Engine.load(name, table_bytes=len(table.image), disabled=needless(table.flags))
        try:
            generation = engine.install(WORKLOAD, table)
            translator = Translator(Clock())
            translator.add_workload(
                WORKLOAD,
                WorkloadIdentity(
                    host_name=socket.gethostname(),
                    cluster_name="default",
                    namespace=request.namespace,
                    labels=dict(request.labels),
                    container_name=request.name,
                ),
            )
            translator.add_rules(WORKLOAD, generation, rules.rules)
            self.summary_of = Pipeline(translator, sinks)
            engine.confine(WORKLOAD, self._command.pidfd)
        except BaseException:
            engine.remove()
            raise
        self._engine = engine

    def run(self) -> int:
        """Start the command and wait for its end; its status. Descendants that outlive it stay confined.

        Raises CommandError if it cannot be executed.
        """
        previous = {number: signal.signal(number, self._forward) for number in _FORWARDED}
        previous |= {number: signal.signal(number, signal.SIG_IGN) for number in _LEFT_TO_COMMAND}
        try:
            self._command.start()
            self._watch()
            return self._command.wait()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._drain()

    def _forward(self, number: int, frame: FrameType | None) -> None:
        os.kill(self._command.pid, number)

    def _watch(self) -> None:
        """Pass on what the kernel reports until the command ends."""
        waiting = poll()
        waiting.register(self._command.pidfd, POLLIN)
        for ring in self._rings():
            waiting.register(ring.fileno(), POLLIN)
        while self._command.pidfd not in (ready := dict(waiting.poll(_FLUSH_MS))):
            self._drain()
            if not ready and self.summary_of is not None:
                self.summary_of.flush()

    def outlived(self) -> int:
        """After `run`: how many confined tasks are still alive."""
        if self._engine is None:
            return 0
        waiting = poll()
        waiting.register(self._engine.violations.fileno(), POLLIN)
        for _ in range(_END_GRACE_MS // 20):
            if not self._engine.tasks(WORKLOAD):
                break
            waiting.poll(20)
            self._drain()
        return self._engine.tasks(WORKLOAD)

    def keep_watch(self) -> None:
        """Pass on what the kernel reports until the last confined task has ended."""
        if self._engine is None:
            return
        waiting = poll()
        for ring in self._rings():
            waiting.register(ring.fileno(), POLLIN)
        while self._engine.tasks(WORKLOAD):
            waiting.poll(_FLUSH_MS)
            self._drain()

    def finish(self) -> None:
        """Let go of everything; the tables of a workload without tasks are freed."""
        self._drain()
        self._command.close()
        if self._engine is not None:
            if self._engine.tasks(WORKLOAD):
                self._engine.close()
            else:
                self._engine.remove()
            self._engine = None

    def _rings(self) -> tuple[RingReader, ...]:
        return (self._engine.violations, self._engine.events) if self._engine else ()

    def _drain(self) -> None:
        if self._engine is None or self.summary_of is None:
            return
        for ring in self._rings():
            while batch := ring.drain():
                self.summary_of.feed(records(batch))
        counters = self._engine.counters()
        self.summary_of.note_ring_losses(counters["lost_violations"], counters["lost_events"])
