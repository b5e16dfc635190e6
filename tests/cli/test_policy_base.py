# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy base` prints all that the base set permits."""

import json

from click.testing import CliRunner

from hauberk.cli.policy import policy
from hauberk.rules.base import BASE_SET
from hauberk.rules.reasons import show_target


def test_it_prints_every_entry_with_its_purpose() -> None:
    result = CliRunner().invoke(policy, ["base"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) == len(BASE_SET)
    assert all(
        show_target(entry.target) in line and entry.purpose in line
        for entry, line in zip(BASE_SET, lines, strict=True)
    )


def test_as_json_it_tells_which_entries_are_the_tasks_own() -> None:
    entries = json.loads(CliRunner().invoke(policy, ["base", "--json"]).output)
    assert [entry["own"] for entry in entries] == [entry.own for entry in BASE_SET]
    assert {"target": "/etc/ld.so.cache", "purpose": "library cache", "own": False} in entries
    assert any(entry["target"] == "/proc/self/**" and entry["own"] for entry in entries)
