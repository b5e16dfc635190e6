# SPDX-License-Identifier: Apache-2.0
"""The agent's side of the gate: finds the one that is there, or starts one, and answers for who waits."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from select import POLLIN, poll
from socket import AF_UNIX, SOCK_SEQPACKET, socket, socketpair
from typing import Any, Final

from hauberk.agent.gate.protocol import (
    SOCKET,
    VERSION,
    HungUp,
    Orders,
    ProtocolError,
    pack,
    peer_of,
    receive,
    send,
)
from hauberk.errors import HauberkError
from hauberk.events.histogram import Histogram

ANSWER_SECONDS: Final = 90.0
"""More than the longest job of the compiler (JOB_SECONDS), so that an agent at work is not taken for lost."""
COMMAND_SECONDS: Final = 120.0
MOST_HELD: Final = 4096

_WAITS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_START_SECONDS: Final = 60.0
_REPLY_SECONDS: Final = 10.0
# `python -m` would keep another 0.7 MB for as long as the gate lives.
_BEGIN: Final = "from hauberk.agent.gate.begin import main; main()"


class GateLost(HauberkError):
    """The gate has died, or has given this agent up as it did not answer. `Gatekeeper.revive` helps."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An exec of a held program that waits for an answer."""

    number: int
    pid: int
    """0 if it is not seen from the gate's pid namespace."""
    program: str
    since: float = field(default=0.0, compare=False)
    """Of the monotonic clock, in seconds."""


class Gatekeeper:
    """The line to the gate, of the one process that is the agent: the gate takes the agent for lost when this
    process ends, or does not answer in time."""

    def __init__(
        self,
        programs: Sequence[Path],
        on_agent_loss: str,
        command: Sequence[str],
        *,
        path: str = SOCKET,
        cgroup: str = "",
        answer_seconds: float = ANSWER_SECONDS,
        command_seconds: float = COMMAND_SECONDS,
        most_held: int = MOST_HELD,
    ) -> None:
        """Start a gate, or take over the one that is there, and have it hold `programs`; those that do not
        exist yet are held when they come.

        `command` (absolute path first) is what `run-last-known` executes without an agent. `cgroup` is the
        directory of a cgroup that the gate moves to. Raises HauberkError: it cannot be started (no root, a
        kernel that cannot), or another agent is connected to it.
        """
        self._path = path
        self._orders = Orders(
            list(map(str, programs)),
            on_agent_loss,
            list(command),
            answer_seconds,
            command_seconds,
            most_held,
            cgroup,
        )
        self._orders.check()
        self._line: socket | None = None
        self._waiting: dict[int, Waiting] = {}
        self._counts = (0, 0)
        self.waited = Histogram.of(*_WAITS)
        """How long those waited that this agent answered."""
        self.pid = 0
        """The gate's process."""
        self.held: tuple[str, ...] = ()
        """The programs that exist and are held, as of the last orders."""
        self.faults: tuple[str, ...] = ()
        """What the gate could not do of the last orders, in words."""
        self.revive()

    def revive(self) -> None:
        """After GateLost: as in the beginning. `fileno()` and `pid` are others, and all that still wait are
        told again. What was executed between the gate's death and now was not held. Raises HauberkError."""
        self.close()
        found = self._reach()
        if found is None:
            self._start()
            self._give_orders()
        elif self._greet(found):
            self._give_orders()
        else:
            # It is of another version. For a moment both hold, and the kernel asks one after the other.
            with found:
                self._start()
                self._give_orders()
                with suppress(ProtocolError):
                    send(found, pack("retire"), _REPLY_SECONDS)
                    self._await_end(found)

    def fileno(self) -> int:
        """Readable when `waiting` has something to read."""
        return self._connected().fileno()

    def waiting(self) -> list[Waiting]:
        """All that wait and were not answered, in the order in which they came. Never blocks. Raises
        GateLost."""
        line = self._connected()
        try:
            while (message := receive(line)) is not None:
                self._note(message)
        except ProtocolError as error:
            raise self._lost(error) from error
        return list(self._waiting.values())

    def answer(self, waiting: Waiting, allow: bool) -> None:
        """Let it go on, or have its exec fail with EPERM. One that the gate has settled is let be. Raises
        GateLost."""
        if self._waiting.get(waiting.number) == waiting:
            since = self._waiting.pop(waiting.number).since
            self.waited.add(time.monotonic() - since)
            self._send(pack("answer", number=waiting.number, allow=allow))

    def hold(self, programs: Sequence[Path]) -> None:
        """Hold these and no others from now on; see `held` and `faults`. Raises GateLost."""
        self._orders = self._orders._replace(programs=list(map(str, programs)))
        self._give_orders()

    def counts(self) -> tuple[int, int]:
        """Execs that the gate decided alone, since it began: let through by the command, and refused (as the
        command failed, or more waited than may)."""
        return self._counts

    def close(self) -> None:
        """Hang up. The gate goes on holding, and does what it was told to without an agent."""
        if self._line is not None:
            self._line.close()
            self._line = None
        self._waiting.clear()

    def end(self) -> None:
        """End the gate, and wait for that: nothing is held any more, and all that wait are let go. Raises
        GateLost if it does not end."""
        line = self._connected()
        self._send(pack("end"))
        try:
            self._await_end(line)
        except ProtocolError as error:
            raise self._lost(error) from error
        self.close()

    def _reach(self) -> socket | None:
        """A line to the gate that is there, if any. Raises HauberkError."""
        line = socket(AF_UNIX, SOCK_SEQPACKET)
        line.settimeout(_REPLY_SECONDS)
        try:
            line.connect(self._path)
            pid, uid = peer_of(line)
        except (FileNotFoundError, ConnectionRefusedError):
            line.close()
            return None
        except OSError as error:
            line.close()
            raise HauberkError(f"the gate at {self._path} cannot be reached: {error}") from error
        if uid != os.geteuid():
            line.close()
            raise HauberkError(f"process {pid}, which listens at {self._path}, is user {uid}'s")
        return line

    def _start(self) -> None:
        """Start a gate, whose first line is a pair of sockets. Raises HauberkError."""
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        with theirs:
            fd = theirs.fileno()
            command = [sys.executable, "-I", "-c", _BEGIN, str(fd), self._path]
            nothing = subprocess.DEVNULL
            try:
                # It forks, and the process that is started here ends.
                subprocess.run(
                    command, pass_fds=(fd,), stdin=nothing, stdout=nothing, stderr=nothing, check=True
                )
            except (OSError, subprocess.CalledProcessError) as error:
                ours.close()
                raise HauberkError(f"the gate cannot be started: {error}") from error
        if not self._greet(ours):
            ours.close()
            raise HauberkError("the gate ended when it had hardly begun")

    def _greet(self, line: socket) -> bool:
        """Read the gate's first packet, whereupon the line is ours; False if it is of another version, or has
        gone. Raises HauberkError."""
        line.setblocking(False)
        try:
            message = self._next(line, time.monotonic() + _START_SECONDS)
        except HungUp:
            return False
        except ProtocolError as error:
            pid, _ = peer_of(line)
            line.close()
            raise HauberkError(
                f"the gate does not greet: {error.message}",
                f"kill -9 {pid}; starts of containers that wait go on then, whatever the policies say",
            ) from error
        match message:
            case {"is": "hello", "version": version} if version != VERSION:
                return False
            case {"is": "hello", "pid": pid, "passed": passed, "refused": refused}:
                self._line, self.pid, self._counts = line, pid, (passed, refused)
                return True
            case {"is": "busy"}:
                line.close()
                raise HauberkError("another agent is connected to the gate", "end it first")
            case {"is": "failed", "message": str(text), "remedy": str(remedy)}:
                line.close()
                raise HauberkError(f"starts of containers cannot be held: {text}", remedy)
        line.close()
        raise HauberkError("the gate does not say what it is")

    def _give_orders(self) -> None:
        self._send(pack("orders", **self._orders._asdict()))
        line, deadline = self._connected(), time.monotonic() + _START_SECONDS
        try:
            while (message := self._next(line, deadline))["is"] != "holding":
                self._note(message)
        except ProtocolError as error:
            raise self._lost(error) from error
        self.held, self.faults = tuple(message["programs"]), tuple(message["faults"])

    def _next(self, line: socket, deadline: float) -> dict[str, Any]:
        """Raises ProtocolError, also when the deadline comes first."""
        ready = poll()
        ready.register(line, POLLIN)
        while (message := receive(line)) is None:
            if not ready.poll(max(0, deadline - time.monotonic()) * 1000):
                raise ProtocolError("it does not answer")
        return message

    def _await_end(self, line: socket) -> None:
        """Until the gate hangs up. Raises ProtocolError if it does not."""
        deadline = time.monotonic() + _REPLY_SECONDS
        with suppress(HungUp):
            while self._next(line, deadline):
                pass

    def _note(self, message: dict[str, Any]) -> None:
        match message:
            case {"is": "held", "number": int(number), "pid": int(pid), "program": str(program)}:
                since = message.get("since", time.monotonic())
                self._waiting[number] = Waiting(number, pid, program, since)
            case {"is": "counts", "passed": int(passed), "refused": int(refused)}:
                self._counts = (passed, refused)
            case {"is": "failed", "message": str(text), "remedy": str(remedy)}:
                raise ProtocolError(text, remedy)

    def _send(self, packet: bytes) -> None:
        try:
            send(self._connected(), packet, _REPLY_SECONDS)
        except ProtocolError as error:
            raise self._lost(error) from error

    def _connected(self) -> socket:
        if self._line is None:
            raise GateLost("there is no line to the gate")
        return self._line

    def _lost(self, error: ProtocolError) -> GateLost:
        self.close()
        return GateLost(f"the gate is lost: {error.message}")
