# SPDX-License-Identifier: Apache-2.0
"""The entry point: whatever goes wrong is told in words and ends in a status, and colours stay on
terminals."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from hauberk import __version__
from hauberk.cli import main as module
from hauberk.errors import HauberkError

HAUBERK = str(Path(sys.executable).with_name("hauberk"))


def raising(error: BaseException) -> Callable[..., int]:
    def command(**options: object) -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (HauberkError("it is so", "do that"), 125, "hauberk: it is so\n  do that\n"),
        (HauberkError("it is so"), 125, "hauberk: it is so\n"),
        (
            KeyError("x"),
            125,
            "hauberk: a defect in Hauberk: KeyError: 'x'\n  HAUBERK_DEBUG=1 in the environment tells more\n",
        ),
        (OSError(28, "No space left on device"), 125, "hauberk: No space left on device\n"),
        (FileNotFoundError(2, "No such file", "/x"), 125, "hauberk: /x: No such file\n"),
        (MemoryError(), 125, "hauberk: a defect in Hauberk: MemoryError\n"),
        (click.UsageError("no such thing"), 2, "Error: no such thing\n"),
    ],
)
def test_every_error_ends_in_words_and_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
    said: str,
) -> None:
    monkeypatch.delenv("HAUBERK_DEBUG", raising=False)
    monkeypatch.setattr(module.hauberk, "main", raising(error))
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(said)
    assert "Traceback" not in captured.err


def test_the_place_of_an_error_is_told_to_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HAUBERK_DEBUG", "1")
    monkeypatch.setattr(module.hauberk, "main", raising(KeyError("x")))
    with pytest.raises(SystemExit):
        module.main()
    assert "in command" in capsys.readouterr().err


def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [HAUBERK, "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 125
    assert done.stderr.startswith("hauberk: No space left on device\n")


def test_ctrl_c_ends_it_as_it_ends_others(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "policy")
    argv = [HAUBERK, "policy", "check", str(tmp_path / "policy")]
    with subprocess.Popen(
        argv, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    ) as process:
        # It has begun to wait for the policy when somebody else can open the pipe.
        fd = os.open(tmp_path / "policy", os.O_WRONLY)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == b"\n"
        assert process.returncode == -signal.SIGINT
        os.close(fd)


def test_version() -> None:
    done = subprocess.run([HAUBERK, "version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"hauberk {__version__}\n"


def test_a_command_that_does_not_exist_is_a_usage_error() -> None:
    done = subprocess.run([HAUBERK, "rum"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "rum" in done.stderr
    assert "Traceback" not in done.stderr


def _at_a_terminal(argv: list[str], **environment: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, stdout=theirs, stderr=theirs, env={**os.environ, **environment}) as process:
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 4096):
                text += data
        except OSError:
            pass
        process.wait()
    os.close(ours)
    return text.decode()


def test_colours_are_for_terminals_and_for_those_who_want_them(tmp_path: Path) -> None:
    (tmp_path / "faulty.yaml").write_text("kind: Nonsense\n")
    argv = [HAUBERK, "policy", "check", str(tmp_path)]
    assert "\x1b[" in _at_a_terminal(argv, NO_COLOR="")
    assert "\x1b[" not in _at_a_terminal(argv, NO_COLOR="1")
    assert "\x1b[" not in subprocess.run(argv, capture_output=True, text=True, check=False).stdout
