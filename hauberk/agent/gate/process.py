# SPDX-License-Identifier: Apache-2.0
"""The gate: each exec of a held program waits here until somebody answers for it.

That is the agent, while one is connected. Without one, or when it does not answer in time, it is the command
that knows the last policies, or nobody, and then the exec is refused. The gate itself does as little as can
be: it knows nothing of containers and policies, and never executes what it holds.

It stays in memory for as long as the machine runs, so it imports little.
"""

import os
import resource
import select
import time
from collections.abc import Iterable
from contextlib import suppress
from socket import socket
from typing import Any, Final

from hauberk.agent.gate.lastknown import LastKnown
from hauberk.agent.gate.line import Line
from hauberk.agent.gate.listener import Listener
from hauberk.agent.gate.programs import Programs
from hauberk.agent.gate.protocol import REFUSE, VERSION, Orders, ProtocolError, pack
from hauberk.kernel.errors import KernelError
from hauberk.kernel.fanotify import Asked, ExecPermissions

_OWN_DESCRIPTORS: Final = 64


class Held:
    """An exec that waits: what the kernel asked, since when, and since when the agent knows."""

    __slots__ = ("asked", "program", "since", "told")

    def __init__(self, asked: Asked, program: str, told: float) -> None:
        self.asked = asked
        self.program = program
        self.since = told
        self.told = told


class Gate:
    """Runs until it is told to end. One agent at a time; its orders hold when it is gone."""

    def __init__(self, listener: Listener, permissions: ExecPermissions, programs: Programs) -> None:
        self._listener = listener
        self._permissions = permissions
        self._programs = programs
        self._orders = Orders([], REFUSE, [], 1, 1, 1)
        self._line: Line | None = None
        self._run: LastKnown | None = None
        # In the order in which they came. Numbers do not come again, in other gates neither.
        self._held: dict[int, Held] = {}
        self._number = time.monotonic_ns()
        self._passed = self._refused = 0
        self._counted = False
        """The counts are not those that the agent was told."""
        self._retiring = self._over = False

    def run(self) -> None:
        """Until an agent says `end` or `retire`."""
        while not self._over:
            ready = self._wait()
            # New programs first: each moment counts. A lost agent before one that wants its place.
            if self._programs.fileno() in ready:
                self._programs.renew()
            if self._line is not None:
                self._listen(self._line, ready)
            if self._run is not None and self._run.fileno() in ready:
                self._finish_run(self._run)
            if self._permissions.fileno() in ready:
                self._hold()
            if self._listener.fileno() in ready:
                self._accept()
            self._settle()

    def connect(self, connection: socket) -> None:
        """Take this line for the agent's, and tell it all that waits."""
        try:
            line = Line(connection)
        except ProtocolError:
            connection.close()
            return
        if self._line is not None:
            with suppress(OSError):
                connection.send(pack("busy"))
            line.close()
            return
        self._line = line
        self._tell("hello", version=VERSION, pid=os.getpid(), passed=self._passed, refused=self._refused)
        for number, held in self._held.items():
            held.told = time.monotonic()
            self._tell_of(number, held)

    def _tell_of(self, number: int, held: Held) -> None:
        self._tell("held", number=number, pid=held.asked.pid, program=held.program, since=held.since)

    def _wait(self) -> set[int]:
        """The descriptors that are ready; none if a deadline has come."""
        poll = select.poll()
        for fd in (self._programs, self._permissions, self._listener, self._run):
            if fd is not None:
                poll.register(fd, select.POLLIN)
        deadlines = []
        if self._run is not None and self._run.deadline is not None:
            deadlines.append(self._run.deadline)
        if self._line is not None:
            poll.register(self._line, select.POLLIN | (select.POLLOUT if self._line.has_unsent else 0))
            poll.register(self._line.process, select.POLLIN)
            deadlines += [held.told + self._orders.answer_seconds for held in self._oldest()]
        # Rounded up: a little early would be a turn for nothing.
        wait = max(0, min(deadlines) - time.monotonic()) * 1000 + 1 if deadlines else None
        return {fd for fd, _ in poll.poll(wait)}

    def _oldest(self) -> list[Held]:
        return [next(iter(self._held.values()))] if self._held else []

    def _accept(self) -> None:
        with suppress(OSError):
            self.connect(self._listener.accept())

    def _listen(self, line: Line, ready: set[int]) -> None:
        try:
            if line.fileno() in ready:
                line.flush()
                while self._line is line and (message := line.read()) is not None:
                    self._obey(message)
            elif line.process in ready:
                self._lose()
        except ProtocolError:
            self._lose()

    def _obey(self, message: dict[str, Any]) -> None:
        match message:
            case {"is": "answer", "number": int(number), "allow": bool(allow)}:
                self._answer(number, allow)
            case {"is": "orders", **fields}:
                self._take(fields)
            case {"is": "retire"}:
                self._permissions.unmark_all()
                self._retiring = True
                self._lose()
            case {"is": "end"}:
                # When its group is closed the kernel lets go of all that wait. The line is closed after that.
                self._over = True
            case _:
                raise ProtocolError("an agent says what this gate does not know")

    def _take(self, fields: dict[str, Any]) -> None:
        try:
            orders = Orders(**fields)
        except TypeError as error:
            raise ProtocolError(f"orders that this gate does not know: {error}") from error
        orders.check()
        self._orders = orders
        faults = _make_room(orders.most_held) + _move_to(orders.cgroup)
        faults += self._programs.hold(orders.programs, ("/proc/self/exe", *orders.command[:1]))
        self._listener.publish()
        self._tell("holding", programs=self._programs.held, faults=faults)

    def _hold(self) -> None:
        try:
            asked = self._permissions.read()
        except KernelError:
            self._count(refused=1)
            return
        for each in asked:
            if len(self._held) >= self._orders.most_held:
                self._permissions.answer(each, False)
                self._count(refused=1)
                continue
            self._number += 1
            held = self._held[self._number] = Held(each, each.program, time.monotonic())
            self._tell_of(self._number, held)

    def _settle(self) -> None:
        """Decide what the agent does not."""
        now = time.monotonic()
        if any(held.told + self._orders.answer_seconds <= now for held in self._oldest()):
            self._lose()
        if self._run is not None and self._run.deadline is not None and self._run.deadline <= now:
            self._run.kill()
            self._refuse_all(self._run.numbers)
        if self._line is None and self._held:
            if self._orders.on_agent_loss == REFUSE:
                self._refuse_all(self._held)
            elif self._run is None:
                self._start_run()
        # When there is room: an agent that does not read is not told of each single one.
        if self._counted and self._line is not None and not self._line.has_unsent:
            self._counted = False
            self._tell("counts", passed=self._passed, refused=self._refused)
        if self._line is None and not self._held:
            # Without orders, its agent was gone before it had any.
            self._over |= self._retiring or not self._orders.programs

    def _start_run(self) -> None:
        try:
            self._run = LastKnown(self._orders.command, self._orders.command_seconds, self._held)
        except OSError:
            self._refuse_all(self._held)

    def _finish_run(self, run: LastKnown) -> None:
        self._run = None
        if run.finish():
            self._count(passed=sum(self._answer(number, True) for number in run.numbers))
        else:
            self._refuse_all(run.numbers)

    def _refuse_all(self, numbers: Iterable[int]) -> None:
        """Refuse those of them that still wait, unless there is an agent again to decide."""
        if self._line is None:
            self._count(refused=sum(self._answer(number, False) for number in tuple(numbers)))

    def _answer(self, number: int, allow: bool) -> bool:
        """Whether it still waited."""
        held = self._held.pop(number, None)
        if held is not None:
            self._permissions.answer(held.asked, allow)
        return held is not None

    def _count(self, passed: int = 0, refused: int = 0) -> None:
        self._passed += passed
        self._refused += refused
        self._counted |= bool(passed or refused)

    def _tell(self, is_: str, **fields: object) -> None:
        if self._line is not None:
            try:
                self._line.tell(is_, **fields)
            except ProtocolError:
                self._lose()

    def _lose(self) -> None:
        """The agent is gone, or taken for it."""
        if self._line is not None:
            self._line.close()
            self._line = None


def _make_room(most_held: int) -> list[str]:
    """Each exec that waits takes a descriptor."""
    wanted = most_held + _OWN_DESCRIPTORS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    except (ValueError, OSError) as error:
        return [f"the gate has no room for {most_held} that wait: {error}"]
    return []


def _move_to(cgroup: str) -> list[str]:
    if not cgroup:
        return []
    try:
        with open(os.path.join(cgroup, "cgroup.procs"), "w") as file:
            file.write("0")
    except OSError as error:
        return [f"the gate could not move to {cgroup}: {error.strerror}"]
    return []
