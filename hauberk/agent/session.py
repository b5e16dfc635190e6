# SPDX-License-Identifier: Apache-2.0
"""One command under policies, from the first look at the policies to the end of its last descendant.

The command keeps the place that this process was given: its process group, terminal, descriptors. This
process only waits beside it, passes on signals, and reads what the kernel reports. What is enforced does
not depend on it.
"""

import os
import secrets
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from select import POLLIN, poll
from typing import Final, NoReturn

from hauberk.agent.child import in_child
from hauberk.agent.plan import Outlook, Prepared, Request, SessionError, UnenforcedError
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.enforcers.bpf_lsm.lease import RUN_PREFIX, sweep
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.tables import Table
from hauberk.enforcers.protocol import State
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.pipeline import Pipeline, Sink
from hauberk.events.translate import Translator
from hauberk.kernel.features import Diagnosis, probe
from hauberk.kernel.namespaces import enter_root
from hauberk.kernel.ring import RingReader, records
from hauberk.kernel.signals import Received, SignalReader, restore_default_handlers
from hauberk.rules.model import Rule
from hauberk.workloads.command import Command

WORKLOAD: Final = 0
"""An engine of a session has this one workload."""

_FLUSH_MS: Final = 1000
_END_GRACE_MS: Final = 1000
"""How long the kernel may take to free the tasks of a command that has ended."""
_LOOK_MS: Final = 20
_BATCH_BYTES: Final = 1 << 17
"""A batch that does not empty its ring is larger."""

PASSED_ON: Final = frozenset(signal.valid_signals()) - frozenset(
    {
        signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
        signal.SIGTRAP, signal.SIGSYS, signal.SIGABRT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGXCPU,
    }
)  # fmt: skip
"""All signals but those of faults, of this process's own writes, and those that nobody can catch."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended."""

    status: int
    """As a shell gives it: 128 and the signal's number if a signal ended it."""
    signal: int
    """The signal that ended it, or 0."""
    left: int
    """Confined tasks that are still alive."""


class Session:
    """A command that is ready to start under its policies. `outlook` says what will hold."""

    def __init__(self, request: Request, sinks: Sequence[Sink], signals: SignalReader) -> None:
        """Prepare everything but the command's first instruction. `signals` reads those in PASSED_ON.

        Raises HauberkError, Interruption among them; nothing is left behind then.
        """
        self.pipeline: Pipeline | None = None
        self.counters: dict[str, int] = {}
        self._sinks = tuple(sinks)
        self._signals = signals
        self._engine: Engine | None = None
        if os.readlink("/proc/self") != str(os.getpid()):
            raise SessionError(
                "/proc shows the processes of another PID namespace",
                "mount -t proc proc /proc (unshare --mount-proc does it)",
            )
        obstacle = obstacle_of(probe()) if request.policies or request.visible else ""
        to_root = partial(enter_root, request.root) if request.root else None
        self._command = Command(request.argv, to_root, blocked=signals.previous)
        try:
            prepared = in_child(partial(_prepare, request, self._command.pid, obstacle), signals)
            self.outlook = prepared.outlook
            refuse_unenforced(self.outlook, request.allow_unenforced)
            if prepared.table is not None:
                self._enforce(request, prepared.rules, prepared.table)
        except BaseException:
            self._command.abandon()
            raise

    def _enforce(self, request: Request, rules: Sequence[Rule], table: Table) -> None:
        sweep()
        name = f"{RUN_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        engine = Engine.load(name, table_bytes=len(table.image), disabled=needless(table.flags))
        try:
            generation = engine.install(WORKLOAD, table)
            translator = Translator(Clock())
            translator.add_workload(WORKLOAD, _identity(request))
            translator.add_rules(WORKLOAD, generation, rules)
            self.pipeline = Pipeline(translator, self._sinks)
            engine.confine(WORKLOAD, self._command.pidfd)
            self._signals.heed()
        except BaseException:
            engine.remove()
            raise
        self._engine = engine

    def run(self) -> Ended:
        """Start the command and wait for its end. Descendants that outlive it stay confined (`left`).

        Signals that were sent to this process on purpose go to the command; those of a terminal it gets
        anyway. Raises CommandError if it cannot be executed.
        """
        left = 0
        try:
            self._command.start()
            self._watch()
            status = self._command.wait()
        finally:
            left = self._settle()
            self._command.close()
        return Ended(status, self._command.ended_by, left)

    def _watch(self) -> None:
        """Pass on what the kernel reports and what others send until the command ends."""
        command, signals = self._command.pidfd, self._signals
        waiting = self._poll(command, signals.fileno())
        while True:
            ready = [fd for fd, _ in waiting.poll(_FLUSH_MS)]
            self._drain_once()
            if signals.fileno() in ready:
                for received in signals.read():
                    self._pass_on(received)
            if command in ready:
                return
            if not ready:
                self._flush()

    def _pass_on(self, received: Received) -> None:
        if received.number == signal.SIGCHLD:
            self._stop_with_command()
        elif received.sender is None:
            # Of a terminal that hangs up, only the leader of its session is told.
            if received.number in (signal.SIGHUP, signal.SIGCONT) and os.getsid(0) == os.getpid():
                self._command.send(received.number)
        elif not descends(received.sender, self._command.pid):
            self._command.send(received.number)

    def _stop_with_command(self) -> None:
        """A shell that controls jobs watches this process, not the command."""
        with suppress(ChildProcessError):  # it has ended
            found = os.waitid(os.P_PIDFD, self._command.pidfd, os.WSTOPPED | os.WNOHANG)
            if found is not None and _has_terminal():
                os.kill(os.getpid(), signal.SIGSTOP)

    def _settle(self) -> int:
        """Free the tables if no confined task is left; how many are."""
        if self._engine is None:
            return 0
        waiting = self._poll()
        # A task is freed some time after its end.
        for _ in range(_END_GRACE_MS // _LOOK_MS):
            self._drain_once()
            if not self._engine.tasks(WORKLOAD):
                break
            waiting.poll(_LOOK_MS)
        left = self._engine.tasks(WORKLOAD)
        self._drain()
        if not left:
            self._remove()
        return left

    def watch_in_background(self, at_end: Callable[[], None]) -> None:
        """Return, and in a process of its own pass on what is reported until the last confined task ends.

        That process closes the sinks and then calls `at_end`; this one must not use them any more.
        """
        if os.fork() == 0:
            self._watch_on(at_end)
        self._engine = None

    def _watch_on(self, at_end: Callable[[], None]) -> NoReturn:
        try:
            restore_default_handlers()
            # Leave the terminal to its user, and directories to whoever wants to unmount them.
            os.setsid()
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            waiting = self._poll()
            while self._engine is not None and self._engine.tasks(WORKLOAD):
                if not waiting.poll(_FLUSH_MS):
                    self._flush()
                self._drain_once()
            self._drain()
            # Only now: whatever ends this process before, the tasks are to stay confined.
            self._remove()
            for sink in self._sinks:
                sink.close()
            at_end()
        finally:
            os._exit(0)

    def close(self) -> None:
        """Undo the preparation of a session that is not to be run."""
        self._command.abandon()
        self._settle()

    def _remove(self) -> None:
        if self._engine is not None:
            self._engine.remove()
            self._engine = None

    def _rings(self) -> tuple[RingReader, ...]:
        return (self._engine.violations, self._engine.events) if self._engine else ()

    def _poll(self, *descriptors: int) -> poll:
        waiting = poll()
        for fd in (*descriptors, *(ring.fileno() for ring in self._rings())):
            waiting.register(fd, POLLIN)
        return waiting

    def _drain_once(self) -> int:
        """Pass on one batch of each ring, so that a noisy one does not keep us; how many records it was."""
        if self.pipeline is None:
            return 0
        return sum(self.pipeline.feed(records(ring.drain())) for ring in self._rings())

    def _drain(self) -> None:
        """Pass on what the rings hold now, and note what they lost."""
        if self._engine is None or self.pipeline is None:
            return
        batches = sum(ring.pending for ring in self._rings()) // _BATCH_BYTES + 1
        while batches and self._drain_once():
            batches -= 1
        self.counters = self._engine.counters()
        self.pipeline.note_ring_losses(self.counters["lost_violations"], self.counters["lost_events"])

    def _flush(self) -> None:
        if self.pipeline is not None:
            self.pipeline.flush()


def _prepare(request: Request, pid: int, obstacle: str) -> Prepared:
    # Imported in the child only: this process shall not carry what it needs once.
    from hauberk.agent.prepare import prepare

    return prepare(request, pid, obstacle)


def obstacle_of(found: Diagnosis) -> str:
    """Why nothing can be enforced on this machine, with the remedies; empty if everything can be."""
    if found.enforceable and all(found.sections.values()):
        return ""
    return "; ".join(f"{each.message} ({each.remedy})" for each in found.findings)


def refuse_unenforced(outlook: Outlook, allowed: bool) -> None:
    """Raises UnenforcedError if something that was asked for will not hold and that was not allowed."""
    if allowed:
        return
    if outlook.obstacle:
        raise UnenforcedError(f"nothing can be enforced here: {outlook.obstacle}", outlook)
    lines = [
        f"\n  {status.policy}: {reason}"
        for status in outlook.statuses
        if status.state is not State.ENFORCED
        for reason in status.reasons
    ]
    if lines:
        raise UnenforcedError(f"not all of the policies can be enforced:{''.join(lines)}", outlook)


def descends(pid: int, ancestor: int) -> bool:
    """Whether a process is `ancestor` or a descendant of it. False if it has gone."""
    while pid > 1 and pid != ancestor:
        pid = _parent(pid)
    return pid == ancestor


def _parent(pid: int) -> int:
    with suppress(OSError):
        # The second field is a name in parentheses, which may contain some.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    return 0


def _has_terminal() -> bool:
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False


def _identity(request: Request) -> WorkloadIdentity:
    return WorkloadIdentity(
        host_name=os.uname().nodename,
        cluster_name="default",
        namespace=request.namespace,
        labels=dict(request.labels),
        container_name=request.name,
    )
