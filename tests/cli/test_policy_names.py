# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy list`, `get` and `delete`: which policy a name means, and what is shown."""

import json
import os
import tempfile
from pathlib import Path

import click
import pytest

from hauberk.agent.control.messages import (
    Delete,
    Document,
    Failure,
    GetPolicy,
    Policies,
    PolicyInfo,
    PolicyRef,
    PolicyText,
    Standing,
)
from hauberk.cli.asking import parse_ref
from hauberk.cli.policy import policy
from tests.cli.asking import FakeAgent, fake_agent

SHOP = PolicyRef("KubeArmorPolicy", "shop", "web")
TEST = PolicyRef("KubeArmorPolicy", "test", "web")
HOST = PolicyRef("KubeArmorHostPolicy", "", "web")
ONLY = PolicyRef("KubeArmorHostPolicy", "", "only")
LISTED = Policies(
    (
        PolicyInfo(SHOP, workloads=(Standing("a", "enforced"), Standing("b", "rejected", ("why",)))),
        PolicyInfo(TEST),
        PolicyInfo(HOST, origin="/etc/hauberk/policies.d/web.yaml"),
        PolicyInfo(ONLY),
    )
)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("web", PolicyRef("", "", "web")),
        ("shop/web", PolicyRef("", "shop", "web")),
        ("ksp/web", PolicyRef("KubeArmorPolicy", "", "web")),
        ("HSP/web", HOST),
        ("kubearmorpolicy/shop/web", SHOP),
    ],
)
def test_a_policy_can_be_named_in_parts(text: str, ref: PolicyRef) -> None:
    assert parse_ref(text) == ref


@pytest.mark.parametrize("text", ["", "shop/", "a/b/c", "ksp/a/b/c"])
def test_what_names_no_policy_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_ref(text)


def test_the_list_says_how_each_stands_and_where_it_is_from(agent: FakeAgent) -> None:
    agent.answers = {"ListPolicies": LISTED}
    lines = [line.split() for line in agent.run(policy, "list").output.splitlines()]
    assert lines[:2] == [
        ["KIND", "NAMESPACE", "NAME", "WORKLOADS", "FROM"],
        ["KubeArmorPolicy", "shop", "web", "1", "enforced,", "1", "rejected", "applied"],
    ]
    assert lines[3] == ["KubeArmorHostPolicy", "-", "web", "none", "/etc/hauberk/policies.d/web.yaml"]
    told = json.loads(agent.run(policy, "list", "--json").output)["policies"]
    assert [each["ref"]["namespace"] for each in told] == ["shop", "test", "", ""]


def test_an_empty_list_says_so(agent: FakeAgent) -> None:
    agent.answers = {"ListPolicies": Policies(())}
    assert agent.run(policy, "list").output == "no policies\n"


def test_get_prints_the_texts_as_one_file(agent: FakeAgent) -> None:
    agent.answers = {"GetPolicy": PolicyText((Document("x", "a: 1\n"), Document("y", "b: 2")))}
    assert agent.run(policy, "get", "shop/web").output == "a: 1\n---\nb: 2\n"
    assert agent.asked == [GetPolicy(PolicyRef("", "shop", "web"))]


def test_delete_removes_the_one_that_is_meant(agent: FakeAgent) -> None:
    agent.answers = {"ListPolicies": LISTED, "Delete": Policies((PolicyInfo(SHOP, "deleted"),))}
    result = agent.run(policy, "delete", "shop/web", "only")
    assert result.output == "KubeArmorPolicy shop/web: deleted\n"
    assert agent.asked[-1] == Delete((SHOP, ONLY))


@pytest.mark.parametrize(
    ("name", "said"), [("web", "can mean"), ("ksp/web", "can mean"), ("absent", "there is no policy absent")]
)
def test_delete_removes_nothing_if_it_is_not_sure(agent: FakeAgent, name: str, said: str) -> None:
    agent.answers = {"ListPolicies": LISTED}
    result = agent.run(policy, "delete", "only", name)
    assert said in str(result.exception)
    assert not any(isinstance(each, Delete) for each in agent.asked)


def test_delete_takes_files(agent: FakeAgent, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("text")
    agent.answers = {"Delete": Policies(())}
    assert agent.run(policy, "delete", "-f", str(tmp_path / "a.yaml")).exit_code == 0
    assert agent.asked == [Delete((), (Document(f"{tmp_path}/a.yaml", "text"),))]
    agent.answers = {"Delete": Failure("nothing", "", ("a.yaml:1: bad",))}
    assert agent.run(policy, "delete", "-f", str(tmp_path / "a.yaml")).exit_code == 1
    assert agent.run(policy, "delete").exit_code == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
def test_who_may_not_ask_is_told_who_may() -> None:
    with tempfile.TemporaryDirectory(prefix="hauberk-test-", dir="/tmp") as made:
        Path(made).chmod(0o755)
        with fake_agent(Path(made)) as agent:
            pid = os.fork()
            if not pid:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                result = agent.run(policy, "list")
                os._exit(0 if str(result.exception).startswith("you may not ask the agent") else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert agent.asked == []
