# SPDX-License-Identifier: Apache-2.0
"""The demonstration itself, in the lab."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from demo.attacks import ATTACKS

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "build" / "demo" / "alerts.jsonl"

pytestmark = pytest.mark.lab


def demo(*options: str) -> tuple[int, list[str]]:
    """Its status, and what it prints without a terminal, from both streams."""
    command = [sys.executable, str(ROOT / "demo" / "run.py"), *options]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout.splitlines()


def results(lines: list[str]) -> list[tuple[str, str]]:
    """What was tried, and what came of it."""
    pairs = pairwise(lines)
    return [
        (first.removeprefix("... "), second.strip())
        for first, second in pairs
        if first.startswith("... ") and second.startswith("    ")
    ]


def test_every_attack_works_without_policies_and_is_refused_by_its_rule_under_them() -> None:
    status, lines = demo()
    assert status == 0, lines
    expected = [(f"without policies: {attack.title}", "worked") for attack in ATTACKS]
    for attack in ATTACKS:
        refusal = f"{attack.policy} {attack.rule.removeprefix('spec.')}"
        expected.append((f"under 5 policies: {attack.title}", refusal))
    assert results(lines) == expected
    alerts = [json.loads(line) for line in ALERTS.read_text().splitlines()]
    named = {(alert["PolicyName"], alert["Hauberk"]["Rule"]) for alert in alerts}
    assert named >= {(attack.policy, attack.rule) for attack in ATTACKS}


def test_without_one_policy_its_attacks_get_through_and_the_demonstration_fails() -> None:
    status, lines = demo("--without", "packages")
    assert status == 1, lines
    through = {what for what, outcome in results(lines) if outcome == "NOT REFUSED"}
    assert through == {
        f"under 4 policies: {attack.title}" for attack in ATTACKS if attack.policy == "shop-packages"
    }
    assert len(through) == 2
    said = lines[lines.index("This did not go as it should:") + 1 :]
    assert [line.strip() for line in said] == [
        "start apt-get: worked in spite of the policies",
        "apt-get through ld.so: worked in spite of the policies",
    ]
