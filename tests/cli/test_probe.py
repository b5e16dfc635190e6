# SPDX-License-Identifier: Apache-2.0
"""`hauberk probe`: the status says whether enforcement is possible, the text why not, the JSON the same."""

import json

import pytest
from click.testing import CliRunner

from hauberk.cli import probe as command
from hauberk.kernel.features import PROBE_HOOK, SECTION_HOOKS, Diagnosis, Observed, diagnose

HOOKS = frozenset({PROBE_HOOK, *(hook for hooks in SECTION_HOOKS.values() for hook in hooks)})
WORKING = diagnose(
    Observed(
        release="6.12.0", capabilities=frozenset({"CAP_SYS_ADMIN"}), hooks=HOOKS, called=True, lsms=("bpf",)
    )
)
BROKEN = diagnose(
    Observed(release="6.12.0", capabilities=frozenset({"CAP_SYS_ADMIN"}), hooks=HOOKS, load_error=22)
)


@pytest.mark.parametrize(("found", "status"), [(WORKING, 0), (BROKEN, 1)])
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_status_says_whether_policies_can_be_enforced(
    monkeypatch: pytest.MonkeyPatch, found: Diagnosis, status: int, arguments: list[str]
) -> None:
    monkeypatch.setattr(command, "probe_machine", lambda: found)
    assert CliRunner().invoke(command.probe, arguments).exit_code == status


def test_reasons_come_with_their_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "probe_machine", lambda: BROKEN)
    output = CliRunner().invoke(command.probe).output
    assert "Policies cannot be enforced here." in output
    assert BROKEN.findings
    for finding in BROKEN.findings:
        assert finding.message in output
        assert f"remedy: {finding.remedy}" in output


def test_the_json_has_what_a_program_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "probe_machine", lambda: BROKEN)
    document = json.loads(CliRunner().invoke(command.probe, ["--json"]).output)
    assert document["enforceable"] is False
    assert document["sections"] == dict.fromkeys(SECTION_HOOKS, False)
    assert document["observed"]["load_error"] == 22
    assert [set(finding) for finding in document["findings"]] == [{"feature", "message", "remedy"}]


def test_the_real_machine_gets_an_answer() -> None:
    result = CliRunner().invoke(command.probe, ["--json"])
    assert result.exit_code == (0 if json.loads(result.output)["enforceable"] else 1)
