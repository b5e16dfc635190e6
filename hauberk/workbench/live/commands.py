# SPDX-License-Identifier: Apache-2.0
"""One command, as a user, with or without a terminal: what it printed, and how it ended."""

import errno
import os
import pty
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hauberk.workbench.live.scenario import ScenarioError

SEARCH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for."""
TIMEOUT: Final = 180.0
"""Seconds that a command may take, under emulation too."""
MAX_OUTPUT: Final = 1 << 20
"""Bytes of output that are kept; the rest is read and dropped."""
CANNOT_EXECUTE, NOT_FOUND = 126, 127
"""How a shell, and we, tell that a program was not executed."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who runs a command."""

    uid: int = 0
    home: str = "/root"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended (128 + N: by signal N), and what it wrote: output and errors in one."""

    status: int
    output: str


def run_command(
    argv: Sequence[str], *, tty: bool, who: Identity | None = None, cwd: str = "/", timeout: float = TIMEOUT
) -> Outcome:
    """Run a program to its end.

    `who` changes the user, and gives it that user's environment. With `tty` the command leads a session with
    a terminal of its own, without it has none. Raises ScenarioError if it does not end within `timeout`
    seconds; it is killed then.
    """
    if tty:
        pid, reading = pty.fork()
    else:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
    if pid == 0:
        _become(argv, None if tty else writing, who, cwd)
    if not tty:
        os.close(writing)
    output = None
    try:
        output = _read(reading, pid, time.monotonic() + timeout)
    finally:
        if output is None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        os.close(reading)
        _, status = os.waitpid(pid, 0)
    if output is None:
        raise ScenarioError(f"`{' '.join(argv)}` has not ended within {timeout:g} seconds")
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code if code >= 0 else 128 - code, output.decode("utf-8", "replace").replace("\r\n", "\n"))


def _become(argv: Sequence[str], writing: int | None, who: Identity | None, cwd: str) -> None:
    """In the child: execute the program, or say why not. Never returns."""
    status = CANNOT_EXECUTE
    try:
        if writing is not None:
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            for target, fd in ((0, null), (1, writing), (2, writing)):
                os.dup2(fd, target)
        environment = {"PATH": SEARCH, "HOME": "/root", "TERM": "xterm"}
        if who is not None:
            os.setgroups([who.uid])
            os.setgid(who.uid)
            os.setuid(who.uid)
            environment["HOME"] = who.home
        os.chdir(cwd)
        os.execvpe(argv[0], list(argv), environment)
    except OSError as error:
        status = NOT_FOUND if error.errno == errno.ENOENT else CANNOT_EXECUTE
        os.write(2, f"{argv[0]}: {os.strerror(error.errno or 0)}\n".encode())
    finally:
        os._exit(status)


def _read(fd: int, pid: int, deadline: float) -> bytes | None:
    """All that is written, until nobody can write any more or the command has ended; None if it does not
    come to that."""
    output = bytearray()
    ended = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(ended, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(poll.poll(left * 1000))
            if fd in ready:
                try:
                    data = os.read(fd, 65536)
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    data = b""  # so a terminal tells that its other end was closed
                if not data:
                    return bytes(output)
                output += data[: MAX_OUTPUT - len(output)]
            elif ended in ready:
                # What it left running in the background may hold the output open for ever.
                return bytes(output)
        return None
    finally:
        os.close(ended)
