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
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from hauberk.agent.about import About
from hauberk.agent.child import in_child
from hauberk.agent.held import refuse_held
from hauberk.agent.plan import Ended, Outlook, Prepared, Request, SessionError, UnenforcedError
from hauberk.agent.watch import FLUSH_MS, WORKLOAD, Watch, polling
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.enforcers.bpf_lsm.lease import RUN_PREFIX, sweep
from hauberk.enforcers.bpf_lsm.placing import room_for
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.events.pipeline import Pipeline, Sink
from hauberk.kernel.features import Diagnosis, probe
from hauberk.kernel.namespaces import enter_root
from hauberk.kernel.signals import Received, SignalReader, restore_default_handlers
from hauberk.workloads.command import Command

PASSED_ON: Final = frozenset(signal.valid_signals()) - frozenset(
    {
        signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
        signal.SIGTRAP, signal.SIGSYS, signal.SIGABRT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGXCPU,
    }
)  # fmt: skip
"""All signals but those of faults, of this process's own writes, and those that nobody can catch."""


class Session:
    """A command that is ready to start under its policies. `outlook` says what will hold."""

    def __init__(self, request: Request, sinks: Sequence[Sink], signals: SignalReader) -> None:
        """Prepare everything but the command's first instruction. `signals` reads those in PASSED_ON.

        Raises HauberkError, Interruption among them; nothing is left behind then.
        """
        self._sinks = tuple(sinks)
        self._signals = signals
        self._kept: Watch | None = None
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
            refuse_unenforced(self.outlook, request.allow_unenforced, request.strict)
            if prepared.table is not None:
                self._enforce(request, prepared, prepared.table)
        except BaseException:
            self._command.abandon()
            raise

    def _enforce(self, request: Request, prepared: Prepared, table: Table) -> None:
        sweep()
        name = f"{RUN_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        about = About.of(request, self._command.pid, prepared)
        engine = Engine.load(name, table_bytes=room_for(table), disabled=needless(table.flags))
        try:
            engine.note_links(table, os.fsencode(f"/proc/{self._command.pid}/root"), prepared.linked)
            engine.install(WORKLOAD, table, prepared.rules, about.encode())
            kept = Watch(engine, about.identity, self._sinks)
            engine.confine(WORKLOAD, self._command.pidfd)
            refuse_held(engine.held(WORKLOAD), prepared.rules, self._command.pid)
            self._signals.heed()
        except BaseException:
            engine.remove()
            raise
        self._kept = kept

    @property
    def pipeline(self) -> Pipeline | None:
        """What came of the run so far; None if nothing is enforced and nothing reported."""
        return self._kept.pipeline if self._kept else None

    @property
    def counters(self) -> dict[str, int]:
        """What the kernel lost or refused for want of room."""
        return self._kept.counters if self._kept else {}

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
        kept = self._kept
        waiting = polling(command, signals.fileno(), *(kept.descriptors if kept else ()))
        while True:
            ready = [fd for fd, _ in waiting.poll(FLUSH_MS)]
            if kept is not None:
                kept.drain_once()
            if signals.fileno() in ready:
                for received in signals.read():
                    self._pass_on(received)
            if command in ready:
                return
            if kept is not None and not ready:
                kept.flush()

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
        if self._kept is None:
            return 0
        left = self._kept.settle()
        if not left:
            self._kept.engine.remove()
        return left

    def watch_in_background(self, at_end: Callable[[], None]) -> None:
        """Return, and in a process of its own pass on what is reported until the last confined task ends.

        That process closes the sinks and then calls `at_end`; this one must not use them any more.
        """
        if os.fork() == 0:
            self._watch_on(at_end)

    def _watch_on(self, at_end: Callable[[], None]) -> NoReturn:
        try:
            restore_default_handlers()
            if self._kept is not None:
                self._kept.engine.keep()
            # Leave the terminal to its user, and directories to whoever wants to unmount them.
            os.setsid()
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            if self._kept is not None:
                self._kept.until_end()
                # Only now: whatever ends this process before, the tasks are to stay confined.
                self._kept.engine.remove()
            for sink in self._sinks:
                sink.close()
            at_end()
        finally:
            os._exit(0)

    def close(self) -> None:
        """Undo the preparation of a session that is not to be run."""
        self._command.abandon()
        self._settle()


def _prepare(request: Request, pid: int, obstacle: str) -> Prepared:
    # Imported in the child only: this process shall not carry what it needs once.
    from hauberk.agent.prepare import prepare

    return prepare(request, pid, obstacle)


def obstacle_of(found: Diagnosis) -> str:
    """Why nothing can be enforced on this machine, with the remedies; empty if everything can be."""
    if found.enforceable and all(found.sections.values()):
        return ""
    return "; ".join(f"{each.message} ({each.remedy})" for each in found.findings)


def refuse_unenforced(outlook: Outlook, allowed: bool, strict: bool = False) -> None:
    """Raises UnenforcedError if something that was asked for will not hold and that was not allowed.

    `strict`: nor if it holds but for what was there before.
    """
    remedy = "--allow-unenforced runs the command all the same"
    if outlook.obstacle and not allowed:
        raise UnenforcedError(f"nothing can be enforced here: {outlook.obstacle}", outlook, remedy)
    lines = [f"\n  {status.policy}: {reason}" for status in outlook.statuses for reason in status.reasons]
    if lines and not allowed:
        raise UnenforcedError(f"not all of the policies can be enforced:{''.join(lines)}", outlook, remedy)
    lines = [f"\n  {status.policy}: {caveat}" for status in outlook.statuses for caveat in status.caveats]
    if lines and strict:
        remedy = "without --strict the command runs all the same"
        raise UnenforcedError(f"not all of the policies hold in full:{''.join(lines)}", outlook, remedy)


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
