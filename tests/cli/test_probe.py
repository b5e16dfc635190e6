# SPDX-License-Identifier: Apache-2.0
"""`hauberk probe`: the status says whether enforcement is possible, the text why not, the JSON the same."""

import json

import pytest
from click.testing import CliRunner

from hauberk.cli import probe as command
from hauberk.enforcers.bpf_lsm.memory import EngineMemory
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


ENGINES = [
    EngineMemory(
        name="run-1-aa",
        workloads=3,
        tasks=7,
        tables=2,
        table_bytes=5000,
        maps={"arena": 65536, "labels": 1 << 21},
        programs=9,
        program_bytes=4096,
    ),
    EngineMemory("run-2-bb", 1, 1, 1, 100, {"arena": 1024}, 1, 1),
]


def test_memory_is_told_by_engine_and_part_the_largest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "engines", lambda: ENGINES)
    lines = CliRunner().invoke(command.probe, ["--memory"]).output.splitlines()
    assert lines[0] == "run-1-aa: 2,116 KiB; workloads: 3, with 7 tasks and 2 tables"
    assert [line.split()[0] for line in lines[1:4]] == ["labels", "arena", "9"]
    assert lines[2].endswith("64 KiB  filled up to 5 KiB")
    assert lines[-1].split() == ["all", "engines", "2,118", "KiB"]


def test_memory_as_json_has_the_same_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "engines", lambda: ENGINES)
    document = json.loads(CliRunner().invoke(command.probe, ["--memory", "--json"]).output)
    assert document["total"] == (65536 + (1 << 21) + 4096) + 1025
    assert [engine["total"] for engine in document["engines"]] == [2166784, 1025]
    assert document["engines"][0]["maps"] == {"arena": 65536, "labels": 1 << 21}


def test_without_an_engine_memory_says_so_and_nothing_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "engines", list)
    monkeypatch.setattr(command, "probe_machine", lambda: pytest.fail("probed"))
    done = CliRunner().invoke(command.probe, ["--memory"])
    assert (done.exit_code, done.output) == (0, "No engine is loaded here.\n")
