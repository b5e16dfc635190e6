# SPDX-License-Identifier: Apache-2.0
"""`make bench-check`: what is dearer than it was fails, and what repeats does not."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import check
from bench.check import Recorded
from bench.micro import OPEN_FULL, OPERATIONS, STATIC

Result = dict[str, Any]
Check = Callable[..., int]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Check:
    """The command, with a baseline of its own and results that need no machine."""
    monkeypatch.setattr(check, "BASELINE", tmp_path / "baseline.toml")

    def run(result: Result | None, *arguments: str) -> int:
        found = {"6.12": result} if result is not None else {}
        monkeypatch.setattr(check, "measured", lambda kernels, what: found)
        monkeypatch.setattr(sys, "argv", ["check.py", "--kernel", "6.12", *arguments])
        return check.main()

    return run


def dearer(result: Result, operation: str, more: int) -> Result:
    result["settings"]["100"]["figures"][operation] += more
    return result


def test_what_was_recorded_passes(checked: Check, result: Result) -> None:
    assert checked(result, "--record") == 0
    assert checked(result) == 0


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_regression_of_any_operation_by_five_percent_fails(
    checked: Check, result: Result, operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(result, "--record") == 0
    whole = result["settings"]["100"]["figures"][operation]
    assert checked(dearer(result, operation, whole * 5 // 100 + 1)) == 1
    shown = capsys.readouterr()
    assert f"FAULT 6.12: {operation}: adds" in shown.err
    assert shown.out.count("DEARER") == 1


def test_five_percent_of_what_is_added_are_enough_where_figures_repeat_better(
    checked: Check, result: Result
) -> None:
    assert checked(result, "--record") == 0
    assert checked(dearer(result, OPEN_FULL, 67)) == 0
    assert checked(dearer(result, OPEN_FULL, 1)) == 1


def test_what_does_not_repeat_is_no_regression() -> None:
    assert Recorded(alone=20_000, added=500).tolerance("rename") == 0.005 * 20_500
    assert Recorded(alone=5_000, added=500).tolerance("socket, udp") == 0.05 * 5_500
    assert Recorded(alone=200_000, added=5_000).tolerance(STATIC) == 0.01 * 205_000
    assert Recorded(alone=1_300, added=0).tolerance("pread 1 byte") == 6.5


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("alone", "more"), [(7000, 1350), (205_000, 5000), (1300, 0), (8500, -40)])
def test_never_more_than_five_percent_of_the_operation_pass(operation: str, alone: int, more: int) -> None:
    assert Recorded(alone, more).tolerance(operation) <= 0.05 * (alone + more)


def test_another_build_of_the_kernel_changes_nothing(checked: Check, result: Result) -> None:
    assert checked(result, "--record") == 0
    for setting in ("none", "100"):
        for operation in OPERATIONS:
            result["settings"][setting]["figures"][operation] += 3000
    assert checked(result) == 0


def test_what_became_cheaper_passes_and_asks_to_be_recorded(
    checked: Check, result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(result, "--record") == 0
    assert checked(dearer(result, OPEN_FULL, -500)) == 0
    assert "cheaper" in capsys.readouterr().out


def test_a_machine_that_measured_nothing_is_a_fault(checked: Check, result: Result) -> None:
    assert checked(result, "--record") == 0
    assert checked(None) == 1
    assert checked(None, "--record") == 1


def test_without_a_baseline_nothing_passes(checked: Check, result: Result) -> None:
    assert checked(result) == 1


def test_an_operation_that_is_missing_on_either_side_is_a_fault(checked: Check, result: Result) -> None:
    assert checked(result, "--record") == 0
    for setting in ("none", "100"):
        del result["settings"][setting]["figures"][STATIC]
    assert checked(result) == 1


def test_the_committed_baseline_has_every_operation_on_both_kernels() -> None:
    baseline = check.read(Path(check.__file__).with_name("baseline.toml").read_text())
    assert {kernel: set(operations) for kernel, operations in baseline.items()} == {
        kernel: set(OPERATIONS) for kernel in check.KERNELS
    }


def test_a_baseline_is_read_as_it_was_written() -> None:
    baseline = {"6.1": {OPEN_FULL: Recorded(7000, -3)}, "6.12": {STATIC: Recorded(1, 2)}}
    assert check.read(check.write(baseline)) == baseline
