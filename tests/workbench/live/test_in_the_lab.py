# SPDX-License-Identifier: Apache-2.0
"""Scenarios played on a real kernel, all in one boot: those that must pass do, and what is wrong is told."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hauberk import lab
from hauberk.workbench.live import packages

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[3]
HAUBERK = str(Path(sys.executable).with_name("hauberk"))
FILES = ("docs/examples/live-tests.yaml", "tests/workbench/live/played.yaml")
EXPECTED = {
    "web-keeps-its-secrets": ("pass", ""),
    "allow-list-of-an-owner": ("pass", ""),
    "audit-is-what-block-refuses": ("pass", ""),
    "what-is-permitted-is-logged": ("pass", ""),
    "host-file": ("pass", ""),
    "upstream-is-wrong": ("fail", "exit status 0, expected fail"),
    "alert-that-does-not-come": ("fail", "no such alert as expected"),
}


def test_scenarios_are_played_and_the_machine_is_left_as_it_was() -> None:
    packages.prepare(print)
    # The agent, its socket, its engine and the containers are gone afterwards.
    script = f"""
        cd {ROOT} && {HAUBERK} test --live --json {" ".join(FILES)}; echo status $?
        ls -d /run/hauberk* /sys/fs/bpf/hauberk/* /run/crun/* /sys/fs/cgroup/hauberk* 2>/dev/null
        grep -c hauberk-live- /proc/mounts
        true
    """
    done = lab.capture(["sh", "-c", script], lab.Options(kernel="6.12"))
    lines = done.stdout.decode().splitlines()
    assert lines, done.stderr.decode()
    results: list[dict[str, Any]] = json.loads(lines[0])
    told = {each["id"]: (each["status"], each["reason"]) for each in results}
    assert {name: status for name, (status, _) in told.items()} == {
        name: status for name, (status, _) in EXPECTED.items()
    }, told
    for name, (_, reason) in EXPECTED.items():
        assert reason in told[name][1]
    assert lines[1:] == ["status 1", "/run/hauberk-lab", "0"]
