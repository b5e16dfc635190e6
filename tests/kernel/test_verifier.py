# SPDX-License-Identifier: Apache-2.0
"""How many instructions the verifier walks to accept each program stays near what was measured
(verifier_budget.toml).

The verifier gives up at a million, and a load takes time in proportion. HAUBERK_VERIFIER_RECORD=1 prints the
measured table in the budget's form.
"""

import os
import tomllib
from pathlib import Path

import pytest

from tests.kernel.arena import Arena

BUDGET = Path(__file__).with_name("verifier_budget.toml")
MARGIN = 1.15


def test_no_program_needs_much_more_of_the_verifier_than_was_measured(
    arena: Arena, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = ".".join(os.uname().release.split(".")[:2])
    measured = arena.engine.verified_instructions()
    budgets = tomllib.loads(BUDGET.read_text())
    recording = os.environ.get("HAUBERK_VERIFIER_RECORD") == "1"
    if kernel not in budgets and not recording:
        pytest.skip(f"nothing was measured on kernel {kernel}")
    budget = budgets.get(kernel, {})
    with capsys.disabled():
        print(f'\n["{kernel}"]')
        for name, count in sorted(measured.items()):
            print(
                f"{name} = {count}" + ("" if recording else f"  # budget {budget.get(name, 0) * MARGIN:.0f}")
            )
        print(f"# all: {sum(measured.values())}")
    if not recording:
        assert measured.keys() <= budget.keys()
        over = {name: count for name, count in measured.items() if count > budget[name] * MARGIN}
        assert not over
