# SPDX-License-Identifier: Apache-2.0
"""The report of the benchmarks, from stored figures: what is shown, and that a target missed is called so."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import report

Result = dict[str, Any]

MIB = 1 << 20
FIGURES = "figures"


@pytest.fixture
def result() -> Result:
    """A result that meets every target."""
    found: Result = json.loads(Path(__file__).with_name("result.json").read_text())
    return found


def unmet(result: Result) -> set[str]:
    return {check.what for check in report.checks(result) if not check.met}


def test_figures_are_what_a_setting_adds_in_the_same_boot(result: Result) -> None:
    assert report.added(result, "1", report.FULL) == 1650
    assert report.added(result, "0", report.STATIC) == 2000


def test_a_result_within_all_targets_is_reported_so(result: Result) -> None:
    assert unmet(result) == set()
    text = report.text([result])
    assert "NOT MET" not in text
    assert "all targets met" in text
    for shown in (
        "6.12.117+deb12-amd64",
        "+1,650",
        "at most 1,700",
        "2,909,184",
        "40.0 MiB",
        "read policies, s",
    ):
        assert shown in text


def operation(setting: str, name: str, more: int) -> Callable[[Result], None]:
    def change(result: Result) -> None:
        result["settings"][setting][FIGURES][name] += more

    return change


def value(path: tuple[str, ...], to: float) -> Callable[[Result], None]:
    def change(result: Result) -> None:
        at = result
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        (operation("1", report.FULL, 51), {"open+close, 1 rule"}),
        (operation("100", report.FULL, 100), {"open+close, 100 rules"}),
        (operation("10000", report.FULL, -90), {"open+close, 10,000 rules against 1"}),
        (operation("10000", "pwrite 1 byte", 20), {"pwrite 1 byte, any number of rules"}),
        (operation("100", "pread 1 byte", -20), {"pread 1 byte, any number of rules"}),
        (operation("100", report.STATIC, 2051), {"exec of a static program, any number of rules"}),
        (operation("0", report.FULL, 11), {"open+close, a workload without policies"}),
        (value(("settings", "10000", "in_force_seconds"), 5.01), {"10,000 rules compiled and in force"}),
        (
            value(("settings", "10000", "compile_added_bytes"), 64 * MIB),
            {"10,000 rules, memory for compiling and table"},
        ),
        (value(("run", "1", "resident_bytes"), 60 * MIB + 1), {"the agent of `run`, 1 rule, resident"}),
    ],
)
def test_a_target_that_is_missed_is_marked_and_counted(
    result: Result, change: Callable[[Result], None], missed: set[str]
) -> None:
    change(result)
    assert unmet(result) == missed
    text = report.text([result])
    assert text.count("NOT MET") == 1
    assert "1 targets not met" in text


def test_the_older_kernel_may_add_more_to_a_workload_without_policies(result: Result) -> None:
    older = copy.deepcopy(result)
    older["kernel"] = "6.1.0-54-amd64"
    for each in (result, older):
        operation("0", report.FULL, 50)(each)
    assert unmet(result) == {"open+close, a workload without policies"}
    assert unmet(older) == set()


def test_the_pages_generated_part_is_replaced_and_nothing_else(result: Result) -> None:
    page = f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter\n"
    written = report.with_figures(page, report.markdown([result]))
    assert written.startswith(f"# Before\n\n{report.BEGIN}\n")
    assert written.endswith(f"{report.END}\n\nAfter\n")
    assert "old" not in written
    assert "| open+close, 1 rule | +1,650 | at most 1,700 | met |" in written
    assert report.with_figures(written, report.markdown([result])) == written


def test_a_page_without_a_generated_part_is_left_alone(result: Result) -> None:
    with pytest.raises(ValueError, match="lacks"):
        report.with_figures("# Page\n", report.markdown([result]))
    with pytest.raises(ValueError, match="lacks"):
        report.with_figures(f"{report.BEGIN}\n", report.markdown([result]))
