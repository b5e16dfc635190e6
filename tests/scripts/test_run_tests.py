# SPDX-License-Identifier: Apache-2.0
"""The runner of all tests: totals are sums, and no fault of a run can hide behind them."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "run_tests.py"

REPORT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="{tests}" failures="{failures}"
 errors="{errors}" skipped="{skipped}"/></testsuites>"""


@pytest.fixture
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_tests_under_test", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def report(path: Path, *, tests: int, failures: int = 0, errors: int = 0, skipped: int = 0) -> Path:
    path.write_text(REPORT.format(tests=tests, failures=failures, errors=errors, skipped=skipped))
    return path


def fake_lab(runner: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Puts a shell script in place of `hauberk`; $REPORT is the report that pytest would write."""
    find = 'for each in "$@"; do case "$each" in --junit-xml=*) REPORT=${each#--junit-xml=};; esac; done\n'
    hauberk = tmp_path / "hauberk"
    hauberk.write_text(f"#!/bin/sh\n{find}{script}\n")
    hauberk.chmod(0o755)
    monkeypatch.setattr(runner, "BIN", tmp_path)
    monkeypatch.setattr(runner, "LAB_REPORTS", tmp_path)


def test_totals_are_summed_over_runs(runner: ModuleType, tmp_path: Path) -> None:
    outcome = runner.Outcome()
    outcome.add_report("here", report(tmp_path / "1.xml", tests=10, skipped=2), 0)
    outcome.add_report("there", report(tmp_path / "2.xml", tests=7, failures=1, errors=2, skipped=1), 1)
    assert re.fullmatch(r"1 failed, 11 passed, 3 skipped, 2 errors in 5s", outcome.line(5))
    assert outcome.faults == ["there: tests failed"]


def test_a_run_without_a_report_is_a_fault(runner: ModuleType, tmp_path: Path) -> None:
    outcome = runner.Outcome()
    outcome.add_report("here", tmp_path / "none.xml", 0)
    assert outcome.faults == ["here: no report was written (status 0)"]
    assert outcome.line(0) == "no tests ran in 0s"


@pytest.mark.parametrize("status", [2, 3, 4, 5, 130])
def test_a_run_that_pytest_did_not_end_well_is_a_fault(
    runner: ModuleType, tmp_path: Path, status: int
) -> None:
    outcome = runner.Outcome()
    outcome.add_report("here", report(tmp_path / "1.xml", tests=3), status)
    assert outcome.faults == [f"here: pytest ended with status {status}"]


def test_a_lost_machine_is_told_from_failed_tests(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = runner.Outcome()
    fake_lab(runner, monkeypatch, tmp_path, "echo booting; exit 125")
    runner.boot(outcome, runner.Machine("6.1", "6.1"))
    (fault,) = outcome.faults
    assert "the virtual machine was lost" in fault
    assert outcome.totals.total() == 0


def test_lines_of_a_machine_are_shown_with_its_name_and_kept(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = runner.Outcome()
    xml = REPORT.format(tests=4, failures=0, errors=0, skipped=0)
    fake_lab(runner, monkeypatch, tmp_path, f"echo one; echo two >&2; cat >$REPORT <<'END'\n{xml}\nEND")
    runner.boot(outcome, runner.Machine("6.12", "6.12", "preempt=full"))
    assert sorted(capsys.readouterr().out.splitlines()) == ["[6.12] one", "[6.12] two"]
    assert (tmp_path / "6.12.log").read_text() == "one\ntwo\n"
    assert outcome.faults == []
    assert outcome.totals["passed"] == 4
