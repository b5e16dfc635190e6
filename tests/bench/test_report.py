# SPDX-License-Identifier: Apache-2.0
"""The report of the benchmarks, from stored figures: what is shown, and where it is written."""

from typing import Any

import pytest

from bench import report
from bench.micro import OPEN_FULL, SERVER

Result = dict[str, Any]


def test_a_result_within_all_targets_is_reported_so(result: Result, events: dict[str, Any]) -> None:
    text = report.text([result], events)
    assert "NOT MET" not in text
    assert "all targets met that were measured" in text
    for shown in (
        "6.12.117+deb12-amd64",
        "+1,350",
        "at most 1,400",
        "2,909,184",
        "40.0 MiB",
        "read policies, s",
        "130,000 a second",
        "AppArmor, 100 rules",
    ):
        assert shown in text


def test_targets_that_are_missed_are_marked_and_counted(result: Result, events: dict[str, Any]) -> None:
    result["settings"]["10000"]["in_force_seconds"] = 6
    text = report.text([result], events | {"alerts_per_second": 10})
    assert text.count("NOT MET") == 2
    assert "2 targets not met" in text


def test_events_that_were_not_measured_are_said_to_be(result: Result) -> None:
    assert report.text([result], None).count("not measured") == 2
    assert "| not measured | at least 100,000 a second | - |" in report.markdown([result], None)


def test_operations_and_programs_are_compared_in_one_machine(result: Result) -> None:
    written = report.markdown([result], None)
    assert "| | no enforcement | AppArmor, 100 rules | 100 rules |".replace("| |", "|  |") in written
    assert f"| {OPEN_FULL} | 7,000 | 1.243 | 1.193 |" in written
    assert f"| {SERVER} | 150,000 | 1.050 | 1.040 |" in written


def test_kernel_memory_is_shown_by_part_the_largest_first(result: Result) -> None:
    written = report.markdown([result], None)
    table = written.partition("in KiB:\n\n")[2].splitlines()
    assert table[0] == "|  | 1 workload, 100 rules | 1,000 workloads, 100 rules |"
    assert table[2:5] == [
        "| arena | 4,096 | 4,096 |",
        "| labels | 2,048 | 2,048 |",
        "| programs | 391 | 391 |",
    ]


def test_the_pages_generated_part_is_replaced_and_nothing_else(result: Result) -> None:
    page = f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter\n"
    written = report.with_figures(page, report.markdown([result], None))
    assert written.startswith(f"# Before\n\n{report.BEGIN}\n")
    assert written.endswith(f"{report.END}\n\nAfter\n")
    assert "old" not in written
    assert "| open+close, 1 rule | +1,350 | at most 1,700 | met |" in written
    assert report.with_figures(written, report.markdown([result], None)) == written


def test_a_page_without_a_generated_part_is_left_alone(result: Result) -> None:
    with pytest.raises(ValueError, match="lacks"):
        report.with_figures("# Page\n", report.markdown([result], None))
    with pytest.raises(ValueError, match="lacks"):
        report.with_figures(f"{report.BEGIN}\n", report.markdown([result], None))
