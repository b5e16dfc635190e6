# SPDX-License-Identifier: Apache-2.0
"""A place with programs to hold, a command that stands in for the agent, and processes that run them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from select import select
from typing import Any

from hauberk.agent.gate.keeper import Gatekeeper, Waiting
from hauberk.agent.gate.protocol import RUN_LAST_KNOWN

PATIENCE = 60
"""Seconds after which a test fails; nothing takes so long."""

AGENT = """\
import os, sys, signal
from hauberk.agent.gate.keeper import Gatekeeper
path, loss, command, program, forks = sys.argv[1:]
keeper = Gatekeeper([program], loss, [command], path=path)
child = os.fork() if forks == "1" else 0
if forks == "1" and not child:
    signal.pause()
print(keeper.pid, child, flush=True)
signal.pause()
"""


class Held:
    """A process that executes a program, and its pid."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    @property
    def waits(self) -> bool:
        """Whether it has not begun to run the program."""
        try:
            return os.readlink(f"/proc/{self.pid}/exe") == os.path.realpath("/bin/sh")
        except FileNotFoundError:  # it has ended
            return False

    def waits_or_has_ended(self) -> None:
        """Returns when it waits in the kernel, or has ended without having waited."""
        deadline = time.monotonic() + PATIENCE
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "DZ":
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> str:
        """How it ends: "ran", or what its exec failed with."""
        _, error = self._process.communicate(timeout=PATIENCE)
        if self._process.returncode == 126:
            return error.decode().strip().rpartition(": ")[2]
        return "ran" if self._process.returncode == 0 else f"status {self._process.returncode}"


REFUSED = "Operation not permitted"


class Yard:
    """Everything below one directory with a short name, which a socket's path has to have."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.directory = directory
        self.path = str(directory / "gate.sock")
        self.command = directory / "place"
        self.program = self.copy(directory / "runc")
        self.other = self.copy(directory / "crun")

    def copy(self, to: Path) -> Path:
        """A program that does nothing, with success."""
        shutil.copy("/bin/true", to)
        return to

    def keeper(self, programs: Sequence[Path] = (), loss: str = RUN_LAST_KNOWN, **options: Any) -> Gatekeeper:
        """This process becomes the agent."""
        keeper = Gatekeeper(
            programs or (self.program, self.other), loss, [str(self.command)], path=self.path, **options
        )
        self._stack.callback(keeper.close)
        self.end_later(keeper.pid)
        return keeper

    def agent(self, loss: str = RUN_LAST_KNOWN, forks: bool = False) -> subprocess.Popen[bytes]:
        """Another process that is the agent and answers nothing; it is there when this returns."""
        words = [self.path, loss, str(self.command), str(self.program), str(int(forks))]
        process = subprocess.Popen([sys.executable, "-c", AGENT, *words], stdout=subprocess.PIPE)
        self._stack.callback(process.communicate)
        self._stack.callback(process.kill)
        assert process.stdout
        for pid in map(int, process.stdout.readline().split()):
            self.end_later(pid)
        return process

    def kill(self, agent: subprocess.Popen[bytes]) -> None:
        """End the agent at once."""
        agent.kill()
        agent.wait()

    def end_later(self, pid: int) -> None:
        """See that a process is gone after the test."""
        if pid:
            pidfd = os.pidfd_open(pid)
            self._stack.callback(os.close, pidfd)
            self._stack.callback(_kill, pidfd)

    def command_does(self, script: str) -> None:
        """What the command does; each run writes a line to the file `runs` first."""
        self.command.write_text(f"#!/bin/sh\necho $$ >> {self.directory}/runs\n{script}\n")
        self.command.chmod(0o755)

    def command_waits(self, script: str = "") -> None:
        """The command waits for `let_go` before it does this."""
        os.mkfifo(self.directory / "fifo")
        # Again if it comes while another run's end of the pipe is just being closed.
        self.command_does(f"until read word < {self.directory}/fifo; do :; done\n{script}")

    def let_go(self) -> None:
        """Have one run of the command go on; it is there when this returns."""
        (self.directory / "fifo").write_text("go\n")

    @property
    def runs(self) -> list[int]:
        """The processes that the command was, so far."""
        runs = self.directory / "runs"
        return list(map(int, runs.read_text().split())) if runs.exists() else []

    def execute(self, program: Path | None = None) -> Held:
        """A process that executes the program. A shell in between: Popen waits for the exec's end."""
        line = ["/bin/sh", "-c", f"exec {program or self.program}"]
        process = subprocess.Popen(line, stderr=subprocess.PIPE)
        self._stack.callback(process.communicate)
        self._stack.callback(process.kill)
        return Held(process)

    def gate_is_up_to_date(self, keeper: Gatekeeper, besides: int = 0) -> None:
        """The gate has heard of all that happened to files and to the command before: it heeds that before an
        exec that came after. `besides`: as many wait already."""
        held = self.execute(self.other)
        keeper.answer(until(keeper, besides + 1)[-1], True)
        assert held.end() == "ran"


def until(keeper: Gatekeeper, count: int) -> list[Waiting]:
    """Those that wait, when there are so many."""
    while len(waiting := keeper.waiting()) < count:
        assert select([keeper], [], [], PATIENCE)[0], f"{len(waiting)} wait instead of {count}"
    assert len(waiting) == count
    return waiting


def ended(pidfd: int) -> bool:
    """Waits for a process's end."""
    return bool(select([pidfd], [], [], PATIENCE)[0])


def _kill(pidfd: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    ended(pidfd)
