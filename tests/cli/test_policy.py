# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy check`: the status says whether there are faults; text and JSON say which."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hauberk.cli.policy import policy

GOOD = """\
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: good}
spec: {process: {matchPaths: [{path: /a}]}}
"""
BAD = GOOD.replace("good", "bad").replace("path: /a", "pth: /a")
WARNED = GOOD.replace("good", "warned").replace("matchPaths: [{path: /a}]", "matchDirectories: [{dir: /a}]")
DEGRADED = GOOD.replace("good", "degraded").replace("spec: {", "spec: {presets: [{name: exec}], ")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in (("good", GOOD), ("bad", BAD), ("warned", WARNED), ("degraded", DEGRADED)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "status"), [("good", 0), ("bad", 1), ("warned", 0), ("degraded", 0), ("absent", 1)]
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_only_faults_make_the_status_1(directory: Path, name: str, status: int, options: list[str]) -> None:
    result = CliRunner().invoke(policy, ["check", *options, f"{directory}/{name}.yaml"])
    assert result.exit_code == status


def test_the_text_names_every_finding_with_its_place(directory: Path) -> None:
    result = CliRunner().invoke(policy, ["check", str(directory)])
    assert result.output.splitlines() == [
        f"{directory}/bad.yaml:4:31: fault: spec.process.matchPaths[0]: the rule names no program",
        "    hint: give it a `path` or an `execname`",
        f"{directory}/bad.yaml:4:32: fault: spec.process.matchPaths[0].pth: there is no field `pth` here",
        "    hint: did you mean `path`?",
        f"{directory}/warned.yaml:4:43: warning: spec.process.matchDirectories[0].dir: "
        "a directory ends with `/`; KubeArmor refuses it without",
        "    hint: write `/a/`",
        f"{directory}/degraded.yaml:4: degraded: spec.presets[0] is not enforced by this version",
        "3 policies without faults, 2 faults, 1 warning, 1 degraded",
    ]
    assert result.exit_code == 1


def test_the_json_has_the_same_findings(directory: Path) -> None:
    found = json.loads(CliRunner().invoke(policy, ["check", "--json", str(directory)]).output)
    assert {each["name"] for each in found["policies"]} == {"good", "warned", "degraded"}
    assert found["faults"][0] == {
        "file": f"{directory}/bad.yaml",
        "line": 4,
        "column": 31,
        "field": "spec.process.matchPaths[0]",
        "message": "the rule names no program",
        "hint": "give it a `path` or an `execname`",
        "severity": "fault",
    }
    assert [each["severity"] for each in found["warnings"]] == ["warning"]
    assert [(each["name"], each["field"], each["line"]) for each in found["degraded"]] == [
        ("degraded", "spec.presets[0]", 4)
    ]


def test_a_dash_reads_standard_input() -> None:
    result = CliRunner().invoke(policy, ["check", "-"], input=BAD)
    assert result.exit_code == 1
    assert "<stdin>:4:" in result.output


def test_without_a_file_there_is_nothing_to_check() -> None:
    assert CliRunner().invoke(policy, ["check"]).exit_code == 2
