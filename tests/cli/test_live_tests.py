# SPDX-License-Identifier: Apache-2.0
"""`hauberk test --live`, as far as no kernel has to enforce anything."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hauberk.cli import lab
from hauberk.cli.main import hauberk
from hauberk.workbench.live import packages

SKIPPED = "- {id: one, suite: s, needs: k8s}\n- {id: two, suite: s, needs: in-process}\n"
BROKEN = "- {id: three, nedes: host}\n"


def run_tests(path: Path, text: str, *options: str) -> tuple[int, str]:
    file = path / "live.yaml"
    file.write_text(text)
    done = CliRunner().invoke(hauberk, ["test", "--live", *options, str(file)])
    return done.exit_code, done.output


def test_a_line_for_each_and_a_summary(tmp_path: Path) -> None:
    assert run_tests(tmp_path, SKIPPED) == (
        0,
        "one: skip: needs Kubernetes\ntwo: skip: needs a test of a function\n0 passed, 0 failed, 2 skipped\n",
    )


def test_if_one_fails_the_status_says_so(tmp_path: Path) -> None:
    status, output = run_tests(tmp_path, BROKEN)
    assert status == 1
    assert f"three: fail: {tmp_path / 'live.yaml'}:1: nedes: there is no such field; did you mean" in output


def test_as_json_the_results_are_one_list(tmp_path: Path) -> None:
    status, output = run_tests(tmp_path, SKIPPED, "--json", "--only", "t*")
    (result,) = json.loads(output)
    seconds = result.pop("seconds")
    assert (status, isinstance(seconds, float)) == (0, True)
    assert result == {"id": "two", "suite": "s", "status": "skip", "reason": "needs a test of a function"}


def test_without_files_there_is_nothing_to_run() -> None:
    done = CliRunner().invoke(hauberk, ["test", "--live"])
    assert done.exit_code == 2
    assert "give at least one FILE" in done.output


def test_without_live_nothing_is_run(tmp_path: Path) -> None:
    assert CliRunner().invoke(hauberk, ["test", str(tmp_path)]).exit_code == 2


@pytest.mark.parametrize(
    ("command", "fetches"),
    [
        (("hauberk", "test", "--live", "x.yaml"), True),
        (("/usr/bin/hauberk", "test", "x.yaml", "--live"), True),
        (("hauberk", "run", "--", "test", "--live"), False),
        (("cat", "--live"), False),
    ],
)
def test_the_lab_fetches_what_live_tests_need_before_it_boots(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], fetches: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(packages, "prepare", lambda progress: asked.append("packages"))

    def no_machine(*arguments: object, **options: object) -> int:
        asked.append("boot")
        raise click.Abort

    monkeypatch.setattr("hauberk.lab.run", no_machine)
    CliRunner().invoke(lab.lab, ["run", "--", *command])
    assert asked == (["packages", "boot"] if fetches else ["boot"])
