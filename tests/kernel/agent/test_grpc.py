# SPDX-License-Identifier: Apache-2.0
"""What clients get from the agent over gRPC, and what of it they may change."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from scripts.build_karmor import binary
from tests.agent.feeder.grpc.served import watch
from tests.agent.feeder.grpc.test_policies import send
from tests.kernel.agent.agent import Agent, run
from tests.kernel.agent.test_host import file_rule, host_policy
from tests.kernel.run.hauberk import HAUBERK, until

pytestmark = pytest.mark.grpc

ADDRESS = "127.0.0.1:32767"
SOCKET = "unix:/run/hauberk-agent/grpc/hauberk.sock"
PROBE = """
import os, sys, grpc, grpc._channel
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    grpc.insecure_channel(sys.argv[1]).unary_unary("/policy.ProbeService/getProbeData")(b"", timeout=60)
except grpc.RpcError as error:
    print(error.code().name, error.details())
"""


@pytest.fixture
def channel(agent: Agent) -> Iterator[grpc.Channel]:
    until(lambda: any("gRPC at 127" in each for each in agent.status().listening), "gRPC")
    with grpc.insecure_channel(ADDRESS) as found:
        yield found


def test_a_refused_open_reaches_a_client(agent: Agent, channel: grpc.Channel, secret: Path) -> None:
    stream = watch(channel, "WatchAlerts", "policy")
    agent.apply(host_policy("no-secret", file_rule(secret)))
    process = subprocess.Popen(["cat", str(secret)], stderr=subprocess.DEVNULL)
    assert process.wait() == 1
    alert = next(stream)
    while alert.HostPID != process.pid:
        alert = next(stream)
    assert alert.PolicyName == "no-secret"
    assert (alert.Type, alert.Operation, alert.Action) == ("MatchedHostPolicy", "File", "Block")
    assert (alert.Resource, alert.Result) == (str(secret), "Permission denied")
    assert (alert.HostName, alert.ClusterName, alert.Enforcer) == ("node-1", "default", "BPFLSM")
    assert alert.Data.startswith("lsm=FILE_OPEN")
    assert alert.EventData["Rule"] == "spec.file.matchPaths[0]"
    assert alert.ProcessName.endswith("/cat")
    assert agent.status().clients == 1


@pytest.mark.parametrize("address", [ADDRESS, SOCKET])
def test_a_policy_that_comes_over_grpc_is_in_force(agent: Agent, secret: Path, address: str) -> None:
    spec = {
        "nodeSelector": {"matchLabels": {"role": "edge"}},
        "file": {"matchPaths": [{"path": str(secret)}]},
        "action": "Block",
    }
    until(lambda: f"gRPC at {address}" in agent.status().listening, "gRPC")
    with grpc.insecure_channel(address) as channel:
        assert send(channel, "hostPolicy", "ADDED", "over-grpc", spec) == ("Applied", "")
        assert run("cat", str(secret)).returncode == 1
        assert send(channel, "hostPolicy", "DELETED", "over-grpc") == ("Deleted", "")
        assert run("cat", str(secret)).returncode == 0


def test_another_user_may_not_delete_a_policy(agent: Agent, channel: grpc.Channel, secret: Path) -> None:
    agent.apply(host_policy("stays", file_rule(secret)))
    for address in (ADDRESS, SOCKET):
        done = run(sys.executable, "-c", PROBE, address)
        told = done.stdout.split(" ")[0]
        assert told == ("PERMISSION_DENIED" if address == ADDRESS else "UNAVAILABLE"), done
    assert run("cat", str(secret)).returncode == 1


@pytest.mark.skipif(not binary().exists(), reason=f"{binary()} is not there: make karmor")
def test_karmor_shows_what_was_refused(agent: Agent, channel: grpc.Channel, secret: Path) -> None:
    agent.apply(host_policy("no-secret", file_rule(secret)))
    before = agent.status().clients
    options = ("--gRPC", ADDRESS, "--json", "--logFilter", "all", "--resource", str(secret))
    with subprocess.Popen(
        [binary(), "logs", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: agent.status().clients == before + 2, "karmor")
            assert run("cat", str(secret)).returncode == 1
            assert process.stdout is not None
            alert = json.loads(process.stdout.readline())
        finally:
            process.kill()
    assert (alert["PolicyName"], alert["Resource"]) == ("no-secret", str(secret))
    assert (alert["UID"], alert["Result"]) == (0, "Permission denied")


def test_status_shows_where_it_is_served(agent: Agent, channel: grpc.Channel) -> None:
    shown = run(HAUBERK, "status").stdout
    assert f"serves gRPC at {ADDRESS}\n" in shown
    assert "serves gRPC health at 127.0.0.1:32766\n" in shown
    assert f"serves gRPC at {SOCKET}\n" in shown
