# SPDX-License-Identifier: Apache-2.0
"""How the guest's agent starts a command; the parts that work on any machine."""

import os
import signal
from pathlib import Path

import pytest

from hauberk.lab.guest_agent import start, status_of


def run(argv: list[str], cwd: str = "/", **env: str) -> tuple[int, bytes, bytes]:
    """Start a command as the agent does and return its status and what it wrote."""
    with open("/dev/null", "rb") as empty:
        (out_read, out_write), (err_read, err_write) = os.pipe(), os.pipe()
        child = start(
            argv, cwd, {"PATH": os.environ["PATH"], **env}, (empty.fileno(), out_write, err_write), False
        )
    os.close(out_write)
    os.close(err_write)
    with open(out_read, "rb") as out, open(err_read, "rb") as err:
        written = out.read(), err.read()
    return status_of(os.waitpid(child, 0)[1]), *written


def test_a_command_gets_its_directory_its_environment_and_a_session_of_its_own() -> None:
    status, out, err = run(
        ["sh", "-c", 'pwd; echo "$A"; [ $$ = "$(ps -o sid= -p $$ | tr -d " ")" ]'], "/usr", A="x y"
    )
    assert (status, out, err) == (0, b"/usr\nx y\n", b"")


def test_its_streams_are_apart_and_its_status_is_passed() -> None:
    assert run(["sh", "-c", "echo out; echo err >&2; exit 41"]) == (41, b"out\n", b"err\n")


def test_a_command_that_a_signal_ended_has_the_status_that_a_shell_gives_it() -> None:
    assert run(["sh", "-c", "kill -TERM $$"])[0] == 128 + signal.SIGTERM


def test_a_broken_pipe_ends_a_command_as_usual() -> None:
    """Python ignores SIGPIPE, and what is ignored is inherited."""
    assert run(["sh", "-c", "kill -PIPE $$"])[0] == 128 + signal.SIGPIPE


@pytest.mark.parametrize("command", ["no-such-command", "/no/such/command"])
def test_a_command_that_is_not_there_is_127(command: str) -> None:
    status, out, err = run([command])
    assert (status, out) == (127, b"")
    assert err == f"hauberk lab: {command}: No such file or directory\n".encode()


def test_a_command_that_cannot_be_executed_is_126(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no program")
    (tmp_path / "data").chmod(0o755)
    assert run([str(tmp_path / "data")])[0] == 126


def test_a_directory_that_is_not_there_is_named() -> None:
    status, _, err = run(["true"], "/no/such/directory")
    assert status == 127
    assert b"/no/such/directory" in err
