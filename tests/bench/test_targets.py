# SPDX-License-Identifier: Apache-2.0
"""A figure beyond its target is called so, and one that was not measured is not called met."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from bench import targets
from bench.micro import OPEN_EARLY, OPEN_FULL, STATIC

Result = dict[str, Any]

MIB = 1 << 20


def unmet(result: Result) -> set[str]:
    return {check.what for check in targets.checks(result) if check.met is False}


def test_figures_are_what_a_setting_adds_in_the_same_machine(result: Result) -> None:
    assert targets.added(result, "100", OPEN_FULL) == 1350
    assert targets.added(result, "0", STATIC) == 2000
    assert targets.added(result, "apparmor-100", "create+close+unlink") == 3210


def test_a_result_within_all_targets_misses_none(result: Result) -> None:
    assert unmet(result) == set()
    assert all(check.met for check in targets.checks(result))


def operation(setting: str, name: str, more: int) -> Callable[[Result], None]:
    def change(result: Result) -> None:
        result["settings"][setting]["figures"][name] += more

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
        (operation("1", OPEN_FULL, 351), "open+close, 1 rule"),
        (operation("10000", OPEN_FULL, -90), f"{OPEN_FULL}, 10,000 rules against 100"),
        (operation("10000", STATIC, 1030), f"{STATIC}, 10,000 rules against 100"),
        (operation("10000", "pwrite 1 byte", 20), "pwrite 1 byte, any number of rules"),
        (operation("100", "pread 1 byte", -20), "pread 1 byte, any number of rules"),
        (operation("1", "stat", 26), "stat, any number of rules"),
        (operation("0", OPEN_FULL, 11), "open+close, a workload without policies"),
        (value(("settings", "10000", "in_force_seconds"), 5.01), "10,000 rules compiled and in force"),
        (
            value(("settings", "10000", "compile_added_bytes"), 64 * MIB),
            "10,000 rules, memory for compiling and table",
        ),
        (value(("run", "1", "resident_bytes"), 60 * MIB + 1), "the agent of `run`, 1 rule, resident"),
        (
            value(("change", "slowest_force"), 0.0501),
            "100 rules compiled until they are in force, in place of others, the slowest of several",
        ),
        (
            value(("memory", "1000", "total"), 6_691_456 + MIB + 1),
            "1,000 workloads of one rule set, kernel memory more than one takes",
        ),
    ],
)
def test_a_target_that_is_missed_is_found(
    result: Result, change: Callable[[Result], None], missed: str
) -> None:
    change(result)
    assert unmet(result) == {missed}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (OPEN_FULL, 51),
        (OPEN_EARLY, 51),
        ("socket, udp", 51),
        ("socket+connect, udp", 51),
        ("create+close+unlink", 101),
        (STATIC, 1001),
    ],
)
def test_each_operation_has_its_own_bound_with_100_rules(result: Result, name: str, more: int) -> None:
    for setting in ("100", "10000"):
        operation(setting, name, more)(result)
    assert unmet(result) == {f"{name}, 100 rules"}


def test_apparmors_figures_are_held_to_no_target(result: Result) -> None:
    for name in result["settings"]["apparmor-100"]["figures"]:
        operation("apparmor-100", name, 100_000)(result)
    assert unmet(result) == set()


def test_the_targets_of_operations_are_those_of_one_kernel_and_are_shown_on_the_other(result: Result) -> None:
    older = copy.deepcopy(result)
    older["kernel"] = "6.1.0-54-amd64"
    for each in (result, older):
        operation("100", "socket, udp", 51)(each)
        operation("10000", "socket, udp", 51)(each)
        operation("0", OPEN_FULL, 50)(each)
    assert unmet(result) == {"socket, udp, 100 rules", "open+close, a workload without policies"}
    assert unmet(older) == set()
    (check,) = (check for check in targets.checks(older) if check.what == "socket, udp, 100 rules")
    assert (check.target, check.mark) == ("at most 400 on 6.12", "-")


def test_the_event_path_is_held_to_its_rate_and_to_memory_that_does_not_grow(events: dict[str, Any]) -> None:
    assert [check.met for check in targets.event_checks(events)] == [True, True]
    slow = targets.event_checks(events | {"alerts_per_second": 99_999})
    assert [check.met for check in slow] == [False, True]
    growing = targets.event_checks(events | {"grown_kib": 1025})
    assert [check.met for check in growing] == [True, False]


def test_an_event_path_that_was_not_measured_is_shown_and_not_called_met() -> None:
    found = targets.event_checks(None)
    assert [check.figure for check in found] == ["not measured"] * 2
    assert [check.met for check in found] == [None, None]
