# SPDX-License-Identifier: Apache-2.0
"""Commands run with or without a terminal, as somebody, and come to an end."""

import os
from pathlib import Path

import pytest

from hauberk.workbench.live.commands import Identity, Outcome, run_command
from hauberk.workbench.live.scenario import ScenarioError


def shell(script: str, *, tty: bool = False, **rest: object) -> Outcome:
    return run_command(["sh", "-c", script], tty=tty, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("tty", [True, False])
def test_status_and_all_output_are_told(tty: bool) -> None:
    assert shell("echo out; echo err >&2; exit 3", tty=tty) == Outcome(3, "out\nerr\n")


def test_with_a_terminal_it_has_one_that_it_controls() -> None:
    assert shell("test -t 0 && test -t 2 && exec 3</dev/tty && echo yes", tty=True).output == "yes\n"


def test_without_a_terminal_it_has_none_at_all() -> None:
    done = shell("test -t 0 || test -t 1 || echo none; exec 3</dev/tty")
    assert done.output.startswith("none\n")
    assert done.status != 0


def test_a_signal_that_ends_it_is_told_as_a_shell_does() -> None:
    assert shell("kill -9 $$").status == 137


@pytest.mark.parametrize("tty", [True, False])
def test_what_cannot_be_executed_is_told_as_a_shell_does(tmp_path: Path, tty: bool) -> None:
    (tmp_path / "text").write_text("no program")
    done = run_command([str(tmp_path / "text")], tty=tty)
    assert done == Outcome(126, f"{tmp_path / 'text'}: Permission denied\n")
    assert run_command(["no-such-program"], tty=tty) == Outcome(
        127, "no-such-program: No such file or directory\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_it_runs_as_somebody_else_and_in_another_directory() -> None:
    done = shell("id -u; id -g; echo $HOME; pwd", who=Identity(61234, "/home/some"), cwd="/usr")
    assert done.output == "61234\n61234\n/home/some\n/usr\n"


def test_a_child_that_is_left_in_the_background_does_not_keep_it_waiting() -> None:
    assert shell("sleep 60 & echo done").output == "done\n"


def test_it_is_killed_if_it_does_not_end() -> None:
    with pytest.raises(ScenarioError, match="has not ended within"):
        shell("sleep 60", timeout=0.2)
