# SPDX-License-Identifier: Apache-2.0
"""Signals, terminals and death: how a run is ended from outside, and that nothing outlives it."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

LAB = [sys.executable, "-c", "from hauberk.cli.lab import lab; lab()", "run", "--"]
PATIENCE = 120.0


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(status.parent.name))
    return found


def read_until(descriptor: int, wanted: bytes, seen: bytes = b"") -> bytes:
    """Read until `wanted` has come; what came after it is returned."""
    deadline = time.monotonic() + PATIENCE
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], deadline - time.monotonic())
        assert ready, f"{wanted!r} did not come: {seen!r}"
        data = os.read(descriptor, 4096)
        assert data, f"ended before {wanted!r}: {seen!r}"
        seen += data
    return seen.split(wanted, 1)[1]


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose command has said `go`."""
    with subprocess.Popen(
        [*LAB, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            read_until(process.stdout.fileno(), b"go\n")
            yield process
        finally:
            process.kill()


def test_a_signal_reaches_the_command_which_decides_what_to_make_of_it() -> None:
    script = 'trap "trap \\"echo int; exit 7\\" INT; echo next" TERM; echo go; while :; do sleep 0.1; done'
    with running("sh", "-c", script) as process:
        assert process.stdout is not None
        process.terminate()
        rest = read_until(process.stdout.fileno(), b"next\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest + out, err) == (7, b"int\n", b"")


def test_a_command_that_does_not_listen_is_ended_by_insisting() -> None:
    with running("sh", "-c", "trap '' INT; echo go; sleep 1000") as process:
        (machine,) = children(process.pid)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        assert process.returncode == 128 + signal.SIGINT
        assert not Path(f"/proc/{machine}").exists()


def test_the_machine_dies_with_its_parent_however_that_ends() -> None:
    with running("sh", "-c", "echo go; sleep 1000") as process:
        (machine,) = children(process.pid)
        handle = os.pidfd_open(machine)
        try:
            process.kill()
            assert select.select([handle], [], [], PATIENCE)[0], "the machine outlived its parent"
        finally:
            os.close(handle)


def test_a_signal_during_the_boot_ends_it() -> None:
    with subprocess.Popen(
        [*LAB, "true"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        while not children(process.pid):
            assert process.poll() is None
            time.sleep(0.01)
        (machine,) = children(process.pid)
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert b"SIGTERM" in err
    assert not Path(f"/proc/{machine}").exists()


def test_a_terminal_is_passed_on_with_its_size_and_its_keys() -> None:
    child, terminal = pty.fork()
    if not child:
        os.environ.pop("PYTHONSTARTUP", None)
        os.execv(LAB[0], [*LAB, "bash", "--norc", "--noediting"])
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        rest = read_until(terminal, b"# ")
        os.write(terminal, b"echo size $(stty size) on $(tty).\r")
        rest = read_until(terminal, b"size 33 99 on /dev/pts/", rest)
        # The prompt of the inner shell says that it has begun to read; only then does the key mean something.
        os.write(terminal, b"sh -c 'echo be''gun; exec sleep 1000'\r")
        rest = read_until(terminal, b"begun", rest)
        time.sleep(0.5)
        os.write(terminal, b"\x03")
        os.write(terminal, b"echo status $?.\r")
        rest = read_until(terminal, b"status 130.", rest)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.write(terminal, b"while [ \"$(stty size)\" != '40 120' ]; do sleep 0.1; done; echo res''ized\r")
        rest = read_until(terminal, b"resized", rest)
        os.write(terminal, b"exit 9\r")
        with contextlib.suppress(OSError):
            while os.read(terminal, 4096):
                pass
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    finally:
        os.close(terminal)
