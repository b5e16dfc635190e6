# SPDX-License-Identifier: Apache-2.0
"""Signals, terminals and jobs: the command has them as under `env COMMAND`, whatever stands beside it."""

import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HAUBERK = str(Path(sys.executable).with_name("hauberk"))
RUN = [HAUBERK, "run", "--allow-unselected", "--"]


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{what} has not come about"
        time.sleep(0.02)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def defaults() -> None:
    """Tests may run where some signals are ignored, which a shell can then not change."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)


def trap(number: str, then: str) -> list[str]:
    return ["sh", "-c", f"trap '{then}' {number}; echo ready; while :; do sleep 0.05; done"]


@contextmanager
def started(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, without a terminal, that has said `ready`."""
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, start_new_session=True, preexec_fn=defaults
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Terminal:
    """A process at a terminal of its own."""

    def __init__(self, *argv: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            defaults()
            os.execv(argv[0], argv)
        self.text = ""

    def expect(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.text:
            assert time.monotonic() < deadline, f"no {text!r} in {self.text!r}"
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.text += os.read(self.fd, 4096).decode()
                except OSError:
                    assert text in self.text, self.text
        self.text = self.text.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def hang_up(self) -> None:
        os.close(self.fd)
        self.fd = -1

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def terminal(*argv: str) -> Iterator[Terminal]:
    found = Terminal(*argv)
    try:
        yield found
    finally:
        with suppress(ProcessLookupError):
            os.killpg(found.pid, signal.SIGKILL)
        if found.fd >= 0:
            found.hang_up()
        with suppress(ChildProcessError):
            os.waitpid(found.pid, 0)


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "WINCH", "RTMIN"])
def test_a_signal_sent_to_hauberk_reaches_the_command(name: str) -> None:
    with started(*RUN, *trap(name, f"echo got {name}; exit 5")) as process:
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.communicate(timeout=60)[0] == f"got {name}\n".encode()
        assert process.returncode == 5


def test_a_signal_that_the_command_does_not_survive_ends_hauberk_too() -> None:
    with started(*RUN, "sh", "-c", "echo ready; exec sleep 100") as process:
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM


def test_what_the_command_sends_to_its_group_does_not_come_back_to_it() -> None:
    script = "n=0; trap 'n=$((n+1))' USR1; echo ready; kill -USR1 0; sleep 0.5; echo $n"
    with started(*RUN, "sh", "-c", script) as process:
        assert process.communicate(timeout=60)[0] == b"1\n"
        assert process.returncode == 0


def test_a_command_that_is_killed_is_told_and_its_signal_is_hauberks_end() -> None:
    with started(*RUN, "sh", "-c", "echo ready; exec sleep 100") as process:
        (command,) = children(process.pid)
        os.kill(command, signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL


def test_killed_itself_hauberk_leaves_the_command_alone() -> None:
    with started(*RUN, "sh", "-c", "echo ready; sleep 1; echo done") as process:
        process.kill()
        assert process.communicate(timeout=60)[0] == b"done\n"


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_interrupted_before_the_command_began_it_never_begins(tmp_path: Path, name: str) -> None:
    # The policies come from a pipe that nobody writes to, so that it is known where Hauberk stands.
    os.mkfifo(tmp_path / "policy")
    argv = [HAUBERK, "run", "-p", str(tmp_path / "policy"), "--", "touch", str(tmp_path / "mark")]
    with subprocess.Popen(
        argv, start_new_session=True, stderr=subprocess.PIPE, preexec_fn=defaults
    ) as process:
        until(lambda: process.poll() is not None or len(children(process.pid)) == 2, "two children")
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        waiting = children(process.pid)
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == -getattr(signal, f"SIG{name}")
    assert not any(Path(f"/proc/{pid}").exists() for pid in waiting)
    assert not (tmp_path / "mark").exists()


def test_an_interrupt_that_is_ignored_stays_so() -> None:
    script = f"trap '' INT; exec {' '.join(RUN)} sh -c 'echo ready; kill -INT $$ $PPID; sleep 0.3; exit 4'"
    with started("sh", "-c", script) as process:
        assert process.wait(60) == 4


def test_ctrl_c_is_the_commands_to_answer_and_comes_once() -> None:
    with terminal(*RUN, *trap("INT", "echo interrupted; sleep 0.3; exit 6")) as tty:
        tty.expect("ready")
        tty.type("\x03")
        tty.expect("interrupted")
        assert tty.wait() == 6
        assert "interrupted" not in tty.text


def test_ctrl_c_ends_both_as_it_ends_one() -> None:
    with terminal(*RUN, "sh", "-c", "echo ready; exec sleep 100") as tty:
        tty.expect("ready")
        tty.type("\x03")
        assert tty.wait() == -signal.SIGINT


def test_ctrl_backslash_dumps_no_second_core() -> None:
    with terminal(*RUN, "sh", "-c", "echo ready; exec sleep 100") as tty:
        tty.expect("ready")
        tty.type("\x1c")
        _, status = os.waitpid(tty.pid, 0)
        assert os.WTERMSIG(status) == signal.SIGQUIT
        assert not os.WCOREDUMP(status)


def test_the_command_reads_from_the_terminal() -> None:
    with terminal(*RUN, "sh", "-c", 'tty >/dev/null && echo ready; read line; echo "<$line>"') as tty:
        tty.expect("ready")
        tty.type("hello\n")
        tty.expect("<hello>")
        assert tty.wait() == 0


def test_a_terminal_that_closes_ends_a_command_that_does_not_mind_it() -> None:
    with terminal(*RUN, "sh", "-c", "echo ready; exec sleep 100") as tty:
        tty.expect("ready")
        (command,) = children(tty.pid)
        tty.hang_up()
        assert tty.wait() == -signal.SIGHUP
        assert not Path(f"/proc/{command}").exists()


def test_a_command_that_outlives_its_terminal_is_waited_for(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"trap '' HUP; echo ready; while [ ! -e {mark} ]; do sleep 0.05; done; exit 8"
    with terminal(*RUN, "sh", "-c", script) as tty:
        tty.expect("ready")
        (command,) = children(tty.pid)
        tty.hang_up()
        time.sleep(0.3)
        assert state(command) in "SR"
        mark.touch()
        assert tty.wait() == 8


SHELL = """
    # What a shell does for a job: a process group of its own, in the foreground, watched for stops.
    import os, signal, sys
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(sys.argv[1], sys.argv[1:])
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    for _ in range(2):
        status = os.waitpid(pid, os.WUNTRACED)[1]
        if os.WIFSTOPPED(status):
            os.tcsetpgrp(0, os.getpgrp())
            print("stopped", flush=True)
            input()
            os.tcsetpgrp(0, pid)
            os.killpg(pid, signal.SIGCONT)
        else:
            print("ended", os.waitstatus_to_exitcode(status), flush=True)
            break
"""


def test_a_job_is_stopped_and_goes_on_as_one() -> None:
    script = "echo ready $$; read line; echo got $line; exit 9"
    with terminal(sys.executable, "-c", textwrap.dedent(SHELL), *RUN, "sh", "-c", script) as tty:
        tty.expect("ready")
        (hauberk,) = children(tty.pid)
        (command,) = children(hauberk)
        tty.type("\x1a")
        tty.expect("stopped")
        assert (state(hauberk), state(command)) == ("T", "T")
        tty.type("fg\n")
        until(lambda: "T" not in state(hauberk) + state(command), "the job going on")
        tty.type("hello\n")
        tty.expect("got hello")
        tty.expect("ended 9")


def test_without_a_terminal_a_stopped_command_stops_nobody_else() -> None:
    with started(*RUN, "sh", "-c", "echo ready; kill -STOP $$; exit 7") as process:
        (command,) = children(process.pid)
        until(lambda: state(command) == "T", "the stop")
        time.sleep(0.3)
        assert state(process.pid) == "S"
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 7
