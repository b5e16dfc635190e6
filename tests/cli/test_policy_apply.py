# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy apply` and `diff`: what is sent, what is told, and what the status says."""

import json
from pathlib import Path

import pytest

from hauberk.agent.control.messages import (
    Apply,
    Document,
    Failure,
    Policies,
    PolicyInfo,
    PolicyRef,
    Standing,
)
from hauberk.cli.policy import policy
from hauberk.errors import HauberkError
from tests.cli.asking import FakeAgent

REF = PolicyRef("KubeArmorPolicy", "shop", "web")


def answered(*standings: Standing, change: str = "created", **more: object) -> dict[str, Policies]:
    info = PolicyInfo(REF, change, workloads=standings, **more)  # type: ignore[arg-type]
    return {"Apply": Policies((info,))}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "web.yaml"
    path.write_text("kind: Whatever\n")
    return path


def test_files_directories_and_standard_input_are_sent(agent: FakeAgent, tmp_path: Path, file: Path) -> None:
    agent.answers = answered()
    (tmp_path / "d").mkdir()
    for name in ("b.yml", "a.json", "c.yaml", "notes.txt"):
        (tmp_path / "d" / name).write_text(name)
    arguments = ("apply", "-f", str(file), "-f", str(tmp_path / "d"), "-f", "-")
    assert agent.run(policy, *arguments, input="piped").exit_code == 0
    assert agent.asked == [
        Apply(
            (
                Document(str(file), "kind: Whatever\n"),
                *(Document(f"{tmp_path}/d/{name}", name) for name in ("a.json", "b.yml", "c.yaml")),
                Document("<stdin>", "piped"),
            )
        )
    ]


def test_force_is_passed_on_and_diff_is_a_dry_run(agent: FakeAgent, file: Path) -> None:
    agent.answers = answered()
    agent.run(policy, "apply", "--force", "-f", str(file))
    agent.run(policy, "diff", "-f", str(file))
    assert [(each.force, each.dry_run) for each in agent.asked if isinstance(each, Apply)] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((), 0),
        (("enforced", "degraded"), 0),
        (("enforced", "rejected"), 1),
        (("closed",), 1),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_status_is_1_if_it_is_not_in_force_somewhere(
    agent: FakeAgent, file: Path, states: tuple[str, ...], status: int, options: tuple[str, ...]
) -> None:
    agent.answers = answered(*(Standing(f"w{index}", state) for index, state in enumerate(states)))
    assert agent.run(policy, "apply", *options, "-f", str(file)).exit_code == status


def test_every_workload_is_told_of_with_its_reasons(agent: FakeAgent, file: Path) -> None:
    agent.answers = answered(
        *(Standing(f"web-{index}", "enforced") for index in range(7)),
        Standing("db", "rejected", ("web.yaml:7: presets are not enforced",)),
        Standing("cache", "degraded", ("/srv has too many entries",)),
        warnings=("web.yaml:3: odd",),
    )
    assert agent.run(policy, "apply", "-f", str(file)).output.splitlines() == [
        "KubeArmorPolicy shop/web: created",
        "  warning: web.yaml:3: odd",
        "  degraded: cache",
        "    /srv has too many entries",
        "  enforced: 7 workloads: web-0, web-1, web-2, web-3, web-4, ...",
        "  rejected: db",
        "    web.yaml:7: presets are not enforced",
    ]


def test_a_policy_that_selects_nothing_says_so(agent: FakeAgent, file: Path) -> None:
    agent.answers = answered()
    assert "selects no workload that is here now" in agent.run(policy, "apply", "-f", str(file)).output


def test_names_of_workloads_do_nothing_to_the_terminal(agent: FakeAgent, file: Path) -> None:
    agent.answers = answered(Standing("\x1b[2Jx\n", "enforced"))
    output = agent.run(policy, "apply", "-f", str(file)).output
    assert "\\x1b[2Jx\\x0a" in output
    assert "\x1b" not in output


def test_json_has_all_of_the_answer(agent: FakeAgent, file: Path) -> None:
    agent.answers = answered(Standing("db", "rejected", ("because",)))
    (told,) = json.loads(agent.run(policy, "apply", "--json", "-f", str(file)).output)["policies"]
    assert told["ref"] == {"kind": "KubeArmorPolicy", "namespace": "shop", "name": "web"}
    assert told["workloads"] == [{"workload": "db", "state": "rejected", "reasons": ["because"]}]


@pytest.mark.parametrize("command", ["apply", "diff"])
def test_faults_are_told_and_make_the_status_1(agent: FakeAgent, file: Path, command: str) -> None:
    agent.answers = {"Apply": Failure("nothing has changed", "mend them", ("web.yaml:1:1: bad", "more"))}
    result = agent.run(policy, command, "-f", str(file))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "web.yaml:1:1: bad",
        "more",
        "hauberk: nothing has changed",
        "  mend them",
    ]


def test_another_failure_is_an_error(agent: FakeAgent, file: Path) -> None:
    agent.answers = {"Apply": Failure("no room", "make some")}
    result = agent.run(policy, "apply", "-f", str(file))
    assert isinstance(result.exception, HauberkError)
    assert result.exception.message == "no room"


def test_diff_shows_what_would_change_and_its_status_says_whether(agent: FakeAgent, file: Path) -> None:
    agent.answers = answered(change="changed", diff="--- in force\n+++ web.yaml\n@@ -1 +1 @@\n-a\n+b\n")
    result = agent.run(policy, "diff", "-f", str(file))
    assert result.exit_code == 1
    assert "  -a\n  +b\n" in result.output
    agent.answers = answered(change="unchanged")
    assert agent.run(policy, "diff", "-f", str(file)).exit_code == 0


def test_what_cannot_be_read_is_told_before_anything_is_sent(agent: FakeAgent, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    for source, said in (("absent.yaml", "No such file"), ("empty", "has no"), ("binary.yaml", "not text")):
        result = agent.run(policy, "apply", "-f", str(tmp_path / source))
        assert said in str(result.exception)
    assert agent.run(policy, "apply").exit_code == 2
    assert agent.asked == []
