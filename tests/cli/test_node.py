# SPDX-License-Identifier: Apache-2.0
"""`hauberk status`, `top`, `posture` and `explain`: what an agent answers is shown, all of it."""

import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import click
import pytest

from hauberk.agent.control.messages import (
    AgentStatus,
    Explain,
    Explained,
    Explanation,
    PolicyRef,
    Posture,
    Postures,
    RuntimeStatus,
    Visibilities,
    Visibility,
    WorkloadStatus,
)
from hauberk.cli.explain import explain
from hauberk.cli.posture import posture
from hauberk.cli.status import status
from hauberk.cli.top import top
from hauberk.cli.visibility import visibility
from tests.cli.asking import FakeAgent

HAUBERK = str(Path(sys.executable).with_name("hauberk"))
WEB = PolicyRef("KubeArmorPolicy", "shop", "no-secrets")


def workload(name: str, **more: object) -> WorkloadStatus:
    return WorkloadStatus(name=name, kind="container", namespace="shop", **more)  # type: ignore[arg-type]


ANSWER = AgentStatus(
    version="9.9",
    pid=4711,
    node="edge-1",
    kernel="6.12.0",
    enforcer="bpf_lsm",
    since=0.0,
    on_agent_loss="refuse",
    placed_without_agent=3,
    refused_without_agent=2,
    policies=1,
    workloads=(
        workload("calm", state="enforced", policies=((WEB, "enforced", ()),), refused=1, audited=1),
        workload(
            "web",
            id="abcdef0123456789",
            image="registry.example/web:1",
            state="rejected",
            policies=((WEB, "rejected", ("presets are not enforced",)),),
            caveats=("started 12 ms before enforcement",),
            refused=70,
            audited=5,
            last_alert="12:00 read /etc/shadow",
            postures={"file": "block"},
        ),
        workload("noisy", state="degraded", refused=5, audited=90),
    ),
    runtimes=(RuntimeStatus("docker", "gate", "/usr/bin/runc", 2, ("its socket is gone",)),),
    lost={"alerts": 7, "logs": 0},
    findings=("a program was detached",),
)


def test_status_shows_workloads_with_states_and_counts(agent: FakeAgent) -> None:
    agent.answers = {"AskStatus": ANSWER}
    lines = agent.run(status).output.splitlines()
    rows = [line.split() for line in lines]
    assert lines[0].startswith("hauberk 9.9 on edge-1: process 4711, for ")
    assert "1 policy, 3 workloads: 1 degraded, 1 enforced, 1 rejected" in lines
    assert "without an agent: refuse (3 started so, 2 refused)" in lines
    assert ["shop/web", "container", "rejected", "1", "70", "5"] in rows
    assert ["docker", "2", "gate", "/usr/bin/runc"] in rows


def test_status_says_why_a_workload_is_not_simply_enforced(agent: FakeAgent) -> None:
    agent.answers = {"AskStatus": ANSWER}
    lines = agent.run(status).output.splitlines()
    assert "shop/web: degraded: started 12 ms before enforcement" in lines
    assert "shop/web: KubeArmorPolicy shop/no-secrets is rejected: presets are not enforced" in lines


def test_status_tells_losses_and_what_is_wrong(agent: FakeAgent) -> None:
    agent.answers = {"AskStatus": ANSWER}
    lines = agent.run(status).output.splitlines()
    assert "LOST: 7 alerts" in lines
    assert "wrong: a program was detached" in lines
    assert "wrong: docker: its socket is gone" in lines


def test_status_is_wide_where_asked(agent: FakeAgent) -> None:
    agent.answers = {"AskStatus": ANSWER}
    output = agent.run(status, "--wide").output
    for word in ("abcdef012345", "registry.example/web:1", "file=block", "12:00 read /etc/shadow"):
        assert word in output


def test_status_as_json_is_the_whole_answer(agent: FakeAgent) -> None:
    agent.answers = {"AskStatus": ANSWER}
    told = json.loads(agent.run(status, "--json").output)
    assert told["workloads"][1]["policies"][0][2] == ["presets are not enforced"]
    assert told["lost"] == {"alerts": 7, "logs": 0}


def test_a_node_without_workloads_has_a_status(agent: FakeAgent) -> None:
    agent.answers = {
        "AskStatus": AgentStatus(
            version="1", pid=1, node="n", kernel="k", enforcer="e", since=0.0, on_agent_loss="refuse"
        )
    }
    assert "0 policies, 0 workloads" in agent.run(status).output


@pytest.mark.parametrize("command", [status, top])
def test_names_do_nothing_to_the_terminal(agent: FakeAgent, command: click.Command) -> None:
    bad = AgentStatus(
        version="1",
        pid=1,
        node="n",
        kernel="k",
        enforcer="e",
        since=0.0,
        on_agent_loss="refuse",
        workloads=(workload("\x1b[2J[red]x", caveats=("\x1b]0;y",)),),
    )
    agent.answers = {"AskStatus": bad}
    output = agent.run(command).output
    assert "\x1b" not in output
    assert "shop/\\x1b[2J[red]x" in output


def test_top_ranks_by_violations_and_prints_once_where_no_terminal_is(agent: FakeAgent) -> None:
    agent.answers = {"AskStatus": ANSWER}
    names = [line.split()[0] for line in agent.run(top).output.splitlines()]
    assert names == ["WORKLOAD", "shop/noisy", "shop/web", "shop/calm"]
    assert len(agent.asked) == 1


def test_at_a_terminal_of_80_columns_lines_fit_and_top_goes_on_until_ctrl_c(agent: FakeAgent) -> None:
    agent.answers = {"AskStatus": ANSWER}
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)

    def start(*words: str) -> subprocess.Popen[bytes]:
        argv = [HAUBERK, *words, "--socket", str(agent.path)]
        return subprocess.Popen(
            argv,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
        )

    with start("status") as shown:
        assert shown.wait(60) == 0
    text = os.read(ours, 1 << 16).decode()
    assert "shop/noisy" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    with start("top", "--interval", "0.2") as shown:
        seen = b""
        while len(agent.asked) < 4:
            seen += os.read(ours, 1 << 16)
        shown.send_signal(signal.SIGINT)
        assert shown.wait(60) == 0
    assert b"shop/noisy" in seen
    os.close(ours)
    os.close(theirs)


def test_postures_are_shown_by_scope(agent: FakeAgent) -> None:
    agent.answers = {"Posture": Postures({"global": {"file": "audit"}, "namespace shop": {"file": "block"}})}
    rows = [line.split() for line in agent.run(posture).output.splitlines()]
    assert rows == [
        ["SCOPE", "FILE", "NETWORK", "CAPABILITIES"],
        ["global", "audit", "-", "-"],
        ["namespace", "shop", "block", "-", "-"],
    ]
    assert agent.asked == [Posture()]


def test_postures_are_changed_for_a_namespace_or_a_workload(agent: FakeAgent) -> None:
    agent.answers = {"Posture": Postures({})}
    agent.run(posture, "file=block", "network=default", "-n", "shop")
    agent.run(posture, "file=audit", "--workload", "web")
    assert agent.asked == [
        Posture("shop", "", {"file": "block", "network": "default"}),
        Posture("", "web", {"file": "audit"}),
    ]


@pytest.mark.parametrize(
    "words", [("file",), ("file=deny",), ("disk=block",), ("-n", "a"), ("-n", "a", "-w", "b", "file=block")]
)
def test_postures_that_make_no_sense_are_not_asked_for(agent: FakeAgent, words: tuple[str, ...]) -> None:
    assert agent.run(posture, *words).exit_code == 2
    assert agent.asked == []


def test_visibility_is_shown_by_scope(agent: FakeAgent) -> None:
    agent.answers = {"Visibility": Visibilities({"global": ("process", "dns"), "namespace shop": ()})}
    rows = [line.split() for line in agent.run(visibility).output.splitlines()]
    assert rows == [["SCOPE", "VISIBLE"], ["global", "process,dns"], ["namespace", "shop", "none"]]
    assert agent.asked == [Visibility()]


def test_visibility_is_changed_for_a_namespace_or_a_workload(agent: FakeAgent) -> None:
    agent.answers = {"Visibility": Visibilities({})}
    agent.run(visibility, "process,dns", "-n", "shop")
    agent.run(visibility, "none", "--workload", "web")
    agent.run(visibility, "default")
    assert agent.asked == [
        Visibility("shop", "", ("process", "dns")),
        Visibility("", "web", ()),
        Visibility(sections=("default",)),
    ]


@pytest.mark.parametrize(
    "words", [("files",), ("",), ("process,none",), ("-n", "a"), ("-n", "a", "-w", "b", "file")]
)
def test_visibility_that_makes_no_sense_is_not_asked_for(agent: FakeAgent, words: tuple[str, ...]) -> None:
    assert agent.run(visibility, *words).exit_code == 2
    assert agent.asked == []


EXPLAINED = Explained(
    "web",
    (
        Explanation(
            "exec /bin/sh", "refused", "KubeArmorPolicy shop/x", "spec.process[0]", "no Allow excepts it"
        ),
        Explanation("read /x", "permitted", "", "", ""),
    ),
)


def test_explain_says_the_rule_and_the_reason(agent: FakeAgent) -> None:
    agent.answers = {"Explain": EXPLAINED}
    arguments = ("-w", "web", "--source", "/s", "--exec", "/bin/sh", "--read", "/x", "--write", "/y")
    assert agent.run(explain, *arguments).output.splitlines() == [
        "workload web",
        "  exec /bin/sh: refused",
        "    by KubeArmorPolicy shop/x spec.process[0]",
        "    no Allow excepts it",
        "  read /x: permitted",
    ]
    assert agent.asked == [Explain("", "web", "/s", ("/bin/sh",), ("/x",), ("/y",))]


def test_alerts_are_explained_from_the_command_line_and_from_standard_input(agent: FakeAgent) -> None:
    agent.answers = {"Explain": EXPLAINED}
    agent.run(explain, '{"a": 1}')
    result = agent.run(explain, "--json", "-", input='{"b": 2}\n\n{"c": 3}\n')
    assert [json.loads(line)["workload"] for line in result.output.splitlines()] == ["web", "web"]
    assert [each.alert for each in agent.asked if isinstance(each, Explain)] == [
        '{"a": 1}',
        '{"b": 2}',
        '{"c": 3}',
    ]


@pytest.mark.parametrize(
    "words", [(), ("not json",), ("{}", "--workload", "w"), ("--workload", "w"), ("--exec", "/a")]
)
def test_a_question_that_is_none_is_not_asked(agent: FakeAgent, words: tuple[str, ...]) -> None:
    assert agent.run(explain, *words).exit_code == 2
    assert agent.asked == []
