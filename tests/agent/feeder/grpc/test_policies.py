# SPDX-License-Identifier: Apache-2.0
"""PolicyService and ProbeService, against an agent that reads and keeps policies and has no engine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from hauberk.agent.control.messages import PolicyRef
from hauberk.agent.feeder.grpc.policies import WHY, without_blanks
from hauberk.agent.feeder.wire import Grpc
from hauberk.api import policy_pb2 as api
from tests.agent.feeder.grpc.agents import AgentWithoutEngine
from tests.agent.feeder.grpc.served import SECONDS, Served, free_port

pytestmark = pytest.mark.grpc

SPEC = {
    "selector": {"matchLabels": {"kubearmor.io/container.name": "web"}},
    "process": {"matchPaths": [{"path": "/bin/sleep", "pts": False}]},
    "file": {},
    "syscalls": {},
    "severity": 5,
    "tags": None,
    "action": "Block",
}
HOST_SPEC = {
    "nodeSelector": {"matchLabels": {"kubearmor.io/hostname": "*"}},
    "file": {"matchDirectories": [{"dir": "/srv/secret/", "recursive": True}]},
    "device": {},
    "action": "Block",
}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentWithoutEngine]:
    with AgentWithoutEngine(tmp_path) as found:
        yield found


@pytest.fixture
def channel(agent: AgentWithoutEngine) -> Iterator[grpc.Channel]:
    with Served(control=agent.socket) as served, grpc.insecure_channel(served.address) as found:
        yield found


def send(
    channel: grpc.Channel, method: str, type_: str, name: str, spec: object = None, **metadata: str
) -> tuple[str, str]:
    event = {"type": type_, "object": {"metadata": {"name": name, **metadata}, "spec": spec or {}}}
    return send_bytes(channel, method, json.dumps(event).encode())


def send_bytes(channel: grpc.Channel, method: str, data: bytes) -> tuple[str, str]:
    """The status, and why."""
    call = channel.unary_unary(
        f"/policy.PolicyService/{method}", api.policy.SerializeToString, api.response.FromString
    )
    answer, about = call.with_call(api.policy(policy=data), timeout=SECONDS)
    why = dict(about.trailing_metadata()).get(WHY, "")
    return api.PolicyStatus.Name(answer.status), why


def test_a_policy_is_added_modified_and_deleted(channel: grpc.Channel, agent: AgentWithoutEngine) -> None:
    ref = PolicyRef("KubeArmorPolicy", "container_namespace", "no-sleep")
    assert send(channel, "containerPolicy", "ADDED", "no-sleep", SPEC) == ("Applied", "")
    assert agent.refs == [ref]
    assert send(channel, "containerPolicy", "MODIFIED", "no-sleep", SPEC) == ("Modified", "")
    assert agent.refs == [ref]
    assert send(channel, "containerPolicy", "DELETED", "no-sleep") == ("Deleted", "")
    assert agent.refs == []
    status, why = send(channel, "containerPolicy", "DELETED", "no-sleep")
    assert (status, why) == ("NotExist", "there is no KubeArmorPolicy container_namespace/no-sleep")


def test_deleting_leaves_policies_of_the_same_name_elsewhere(
    channel: grpc.Channel, agent: AgentWithoutEngine
) -> None:
    send(channel, "containerPolicy", "ADDED", "same", SPEC, namespace="shop")
    send(channel, "hostPolicy", "ADDED", "same", HOST_SPEC)
    assert send(channel, "containerPolicy", "DELETED", "same")[0] == "NotExist"
    assert send(channel, "containerPolicy", "DELETED", "same", namespace="shop")[0] == "Deleted"
    assert agent.refs == [PolicyRef("KubeArmorHostPolicy", "", "same")]


def test_a_host_policy_is_one_of_the_host(channel: grpc.Channel, agent: AgentWithoutEngine) -> None:
    assert send(channel, "hostPolicy", "ADDED", "host", HOST_SPEC, namespace="shop") == ("Applied", "")
    assert agent.refs == [PolicyRef("KubeArmorHostPolicy", "", "host")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "truncated"),
        (b"[" * 100_000, ""),
        (b'{"type": "ADDED"}', "missing required field `object`"),
        (b'{"type": "ADDED", "object": {"metadata": {"name": ""}}}', "no name"),
        (b'{"type": "ADDED", "object": {"metadata": {"name": "a"}, "spec": {"action": "Deny"}}}', "action"),
        (b'{"type": "REMOVED", "object": {"metadata": {"name": "a"}}}', "no type"),
        (b'{"type": "ADDED", "object": {"metadata": {"name": "a\\u001b[2J\\n\xc3\xa9"}}}', ""),
    ],
)
def test_what_is_no_policy_is_invalid(
    channel: grpc.Channel, agent: AgentWithoutEngine, data: bytes, why: str
) -> None:
    status, told = send_bytes(channel, "containerPolicy", data)
    assert status == "Invalid"
    assert why in told
    assert told.isprintable()
    assert agent.refs == []


def test_network_policies_are_not_enabled(channel: grpc.Channel) -> None:
    assert send(channel, "networkPolicy", "ADDED", "net", {})[0] == "NotEnabled"


def test_a_kind_that_binds_nothing_is_not_enabled(agent: AgentWithoutEngine) -> None:
    asked = Grpc(address="127.0.0.1", port=free_port(), kinds=("KubeArmorPolicy",))
    with Served(asked, agent.socket) as served, grpc.insecure_channel(served.address) as channel:
        assert send(channel, "hostPolicy", "ADDED", "host", HOST_SPEC)[0] == "NotEnabled"


def test_without_an_agent_it_is_a_failure() -> None:
    with Served() as served, grpc.insecure_channel(served.address) as channel:
        status, why = send(channel, "containerPolicy", "ADDED", "no-sleep", SPEC)
        assert status == "Failure"
        assert why.startswith("no agent listens at /nowhere/agent.sock")


def test_blanks_are_left_out_and_labels_are_not() -> None:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"a": ""}},
        "process": {"matchPaths": [{"path": "/a", "pts": False, "ownerOnly": False, "tags": []}]},
        "network": {"matchProtocols": None},
        "severity": 0,
    }
    assert without_blanks(spec) == {
        "selector": {"matchLabels": {"a": ""}},
        "process": {"matchPaths": [{"path": "/a", "pts": False, "ownerOnly": False}]},
    }


def test_the_probe_tells_which_policies_bind_what(channel: grpc.Channel) -> None:
    send(channel, "containerPolicy", "ADDED", "no-sleep", SPEC)
    send(channel, "hostPolicy", "ADDED", "host", HOST_SPEC)
    call = channel.unary_unary(
        "/policy.ProbeService/getProbeData", lambda _: b"", api.ProbeResponse.FromString
    )
    found = call(None, timeout=SECONDS)
    assert list(found.containerList) == ["web"]
    assert list(found.containerMap["web"].policyList) == ["no-sleep"]
    assert found.containerMap["web"].policyEnabled == 1
    assert {name: list(each.policyList) for name, each in found.hostMap.items()} == {"node": ["host"]}
