# SPDX-License-Identifier: Apache-2.0
"""The host and its services under the agent."""

import subprocess
from pathlib import Path

import pytest

from tests.kernel.agent.agent import Agent, entering, in_cgroup, run
from tests.kernel.run.hauberk import HAUBERK, until

CONSOLE = "system.slice/system-getty.slice/getty@tty1.service"


def host_policy(name: str, rules: str) -> str:
    return f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata: {{name: {name}}}
spec:
  nodeSelector: {{matchLabels: {{role: edge}}}}
  {rules}
  action: Block
"""


def unit_policy(name: str, unit: str, rules: str) -> str:
    return f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: {name}, namespace: host}}
spec:
  selector: {{matchLabels: {{hauberk.io/systemd-unit: {unit}}}}}
  {rules}
  action: Block
"""


def file_rule(path: Path | str) -> str:
    return f"file: {{matchPaths: [{{path: {path}}}]}}"


def test_a_host_policy_binds_what_runs_and_what_comes(agent: Agent, secret: Path) -> None:
    # It began before: a shell that reads when it is told to.
    shell = subprocess.Popen(
        ["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert run("cat", str(secret)).stdout == "secret\n"
    agent.apply(host_policy("no-secret", file_rule(secret)))
    before, _ = shell.communicate(f"read line < {secret} && echo got $line; exit 0\n")
    assert "got" not in before
    assert "ermission denied" in before
    assert run("cat", str(secret)).returncode == 1
    until(lambda: agent.alerts("no-secret"), "an alert")
    alert = agent.alerts("no-secret")[0]
    assert (alert["Type"], alert["HostName"], alert["Resource"]) == (
        "MatchedHostPolicy",
        "node-1",
        str(secret),
    )
    assert agent.workload("host").state == "enforced"
    agent.delete("no-secret")
    assert run("cat", str(secret)).stdout == "secret\n"


def test_a_host_policy_decides_about_capabilities(agent: Agent) -> None:
    rule = "capabilities: {matchCapabilities: [{capability: sys_chroot}]}"
    assert run("chroot", "/", "true").returncode == 0
    agent.apply(host_policy("no-chroot", rule))
    assert run("chroot", "/", "true").returncode != 0


def test_a_session_on_the_console_can_take_back_what_blocks_too_much(agent: Agent) -> None:
    rule = "process: {matchDirectories: [{dir: /usr/bin/, recursive: true}]}\n"
    rule += "  file: {matchDirectories: [{dir: /etc/, recursive: true}]}"
    agent.apply(host_policy("too-much", rule))
    with pytest.raises(PermissionError):
        run("/usr/bin/id")
    done = in_cgroup(CONSOLE, HAUBERK, "policy", "delete", "too-much")
    assert done.returncode == 0, done.stderr
    assert run("/usr/bin/id").returncode == 0


def test_a_policy_that_is_forced_binds_sessions_on_the_console(agent: Agent, secret: Path) -> None:
    agent.apply(host_policy("spares", file_rule(secret)))
    assert in_cgroup(CONSOLE, "cat", str(secret)).returncode == 0
    agent.apply(host_policy("spares", file_rule(secret)), force=True)
    assert in_cgroup(CONSOLE, "cat", str(secret)).returncode == 1


def test_a_service_is_bound_from_its_first_program_on_and_by_the_hosts_policies_too(
    agent: Agent, secret: Path
) -> None:
    agent.apply(host_policy("of-host", file_rule(secret)))
    agent.apply(unit_policy("of-unit", "first.service", "process: {matchPaths: [{path: /usr/bin/id}]}"))
    done = in_cgroup("system.slice/first.service", "sh", "-c", f"id; cat {secret}; exit 0")
    assert done.stdout == ""
    assert run("id").returncode == 0
    until(lambda: agent.alerts("of-unit"), "an alert")
    alert = agent.alerts("of-unit")[0]
    assert (alert["NamespaceName"], alert["ContainerName"]) == ("host", "first.service")
    assert alert["Labels"] == "hauberk.io/systemd-unit=first.service"
    assert alert["Type"] == "MatchedPolicy"
    standing = agent.workload("first.service")
    assert {ref.name for ref, state, _ in standing.policies if state == "enforced"} == {"of-host", "of-unit"}


def test_a_service_that_runs_already_is_bound_where_it_is(agent: Agent, secret: Path) -> None:
    script = f"echo ready; read line; cat {secret}; exit 0"
    with subprocess.Popen(
        ["sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=entering("system.slice/late.service"),
    ) as service:
        assert service.stdout
        assert service.stdout.readline() == "ready\n"
        agent.apply(unit_policy("late", "late.service", file_rule(secret)))
        assert agent.workload("late.service").tasks >= 1
        out, _ = service.communicate("go\n")
    assert out == ""
