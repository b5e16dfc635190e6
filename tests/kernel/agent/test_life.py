# SPDX-License-Identifier: Apache-2.0
"""The agent comes and goes, and what is in force does not."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import SOCKET, AskStatus
from hauberk.agent.feeder.wire import EVENTS, HISTORY
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.errors import HauberkError
from tests.kernel.agent.agent import GROUND, Agent, descriptors, entering, in_cgroup, run
from tests.kernel.agent.test_host import file_rule, host_policy, unit_policy
from tests.kernel.helpers import SHARE
from tests.kernel.run.hauberk import until

FLIPS = 500 if SHARE == 1 else 10
"""Each of two changes."""


def test_a_killed_agent_ends_nothing_and_the_next_one_knows_all(agent: Agent, secret: Path) -> None:
    agent.apply(host_policy("stays", file_rule(secret)))
    agent.apply(unit_policy("unit-stays", "kept.service", "process: {matchPaths: [{path: /usr/bin/id}]}"))
    agent.end(signal.SIGKILL)
    assert run("cat", str(secret)).returncode == 1
    assert in_cgroup("system.slice/kept.service", "sh", "-c", "id; exit 0").stdout == ""
    agent.start()
    until(lambda: agent.alerts("stays") and agent.alerts("unit-stays"), "the alerts that waited")
    assert agent.alerts("stays")[-1]["Hauberk"]["Rule"] == "spec.file.matchPaths[0]"
    assert agent.alerts("unit-stays")[-1]["ContainerName"] == "kept.service"
    assert agent.workload("host").state == "enforced"
    assert run("cat", str(secret)).returncode == 1
    agent.delete("stays")
    assert run("cat", str(secret)).returncode == 0


def test_a_fault_changes_nothing(agent: Agent, secret: Path) -> None:
    agent.apply(host_policy("good", file_rule(secret)))
    faulty = host_policy("good", file_rule("/other")) + "---\n" + host_policy("bad", "fiel: {}")
    with pytest.raises(AgentError) as told:
        agent.apply(faulty)
    assert any("test.yaml" in fault and "fiel" in fault for fault in told.value.faults)
    assert run("cat", str(secret)).returncode == 1
    assert [info.ref.name for info in agent.listed().policies] == ["good"]


def test_files_in_the_watched_directory_are_in_force_while_they_are_there(agent: Agent, secret: Path) -> None:
    file = agent.policies / "one.yaml"
    file.write_text(host_policy("watched", file_rule(secret)))
    until(lambda: run("cat", str(secret)).returncode == 1, "the file's policy")
    file.write_text("kind: [")
    until(lambda: any("one.yaml" in each for each in agent.status().findings), "the fault")
    assert run("cat", str(secret)).returncode == 1
    with pytest.raises(AgentError, match=r"one\.yaml"):
        agent.delete("watched")
    file.unlink()
    until(lambda: run("cat", str(secret)).returncode == 0, "the policy's end")
    assert agent.status().findings == ()


def test_what_was_lost_with_the_compilers_process_is_done_again_by_itself(agent: Agent, secret: Path) -> None:
    agent.apply(host_policy("other", file_rule("/srv/other")))
    assert agent.process
    worker = _compiler_of(agent.process.pid)
    os.kill(worker, signal.SIGSTOP)
    file = agent.policies / "lost.yaml"
    file.write_text(host_policy("lost", file_rule(secret)))
    until(lambda: not _answers_at_once(), "an agent that waits for its compiler")
    os.kill(worker, signal.SIGKILL)
    until(lambda: run("cat", str(secret)).returncode == 1, "the policy that was lost")
    assert agent.status().findings == ()
    file.unlink()
    until(lambda: run("cat", str(secret)).returncode == 0, "the policy's end")


def _compiler_of(agent: int) -> int:
    """The process that compiles for an agent."""
    return _child_of(agent, b"compiler.worker")


def _feeder_of(agent: int) -> int:
    """The process that clients connect to."""
    return _child_of(agent, b"feeder.process")


def _child_of(agent: int, what: bytes) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parent = process.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(agent) and what in process.joinpath("cmdline").read_bytes():
                return int(process.name)
    raise AssertionError(f"the agent has no {what.decode()}")


def _answers_at_once() -> bool:
    try:
        ask(AskStatus(), timeout=2)
    except HauberkError:
        return False
    return True


def test_a_hangup_has_settings_read_again(agent: Agent) -> None:
    rule = "network: {matchProtocols: [{protocol: udp}]}"
    agent.apply(host_policy("only", rule).replace("action: Block", "action: Allow"))
    assert not _refused()
    assert agent.process
    agent.write_settings(hostDefaultNetworkPosture="block")
    agent.process.send_signal(signal.SIGHUP)
    until(_refused, "a refusal")
    assert agent.workload("host").postures["network"] == "block"
    agent.write_settings()
    agent.process.send_signal(signal.SIGHUP)
    until(lambda: not _refused(), "the posture before")


def _refused() -> bool:
    """Whether this process, which is one of the host's, may not make a TCP socket."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    except PermissionError:
        return True
    return False


def test_changes_are_atomic_under_load(agent: Agent, secret: Path) -> None:
    """Two policies of one name, both of which refuse the secret, take turns; the attempts never cease."""
    agent.apply(unit_policy("flips", "flips.service", file_rule(secret)))
    script = f"while :; do read line < {secret} && echo got; read line < /etc/hostname || echo lost; done"
    with subprocess.Popen(
        ["sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=entering("system.slice/flips.service"),
    ) as load:
        for _ in range(FLIPS):
            agent.apply(unit_policy("flips", "flips.service", file_rule(secret)))
            both = f"file: {{matchPaths: [{{path: {secret}}}, {{path: /srv/other}}]}}"
            agent.apply(unit_policy("flips", "flips.service", both))
        load.kill()
        assert load.stdout
        assert load.stdout.read() == ""
    until(lambda: agent.alerts("flips"), "an alert")


def test_nothing_piles_up_in_the_agent(agent: Agent, secret: Path) -> None:
    assert agent.process

    def once() -> None:
        agent.apply(host_policy("again", file_rule(secret)))
        agent.delete("again")

    once()
    before = descriptors(agent.process.pid)
    for _ in range(5):
        once()
    assert descriptors(agent.process.pid) == before


def test_uninstalling_leaves_nothing(agent: Agent, secret: Path) -> None:
    agent.apply(host_policy("gone", file_rule(secret)))
    assert run("cat", str(secret)).returncode == 1
    history = GROUND / "state" / HISTORY
    socket_ = Path(SOCKET).with_name(EVENTS)
    until(lambda: history.exists() and socket_.exists(), "the feeder's files")
    # What is killed removes nothing: the history has its -wal and -shm beside it, and the socket stays.
    assert agent.process
    feeder = _feeder_of(agent.process.pid)
    agent.process.send_signal(signal.SIGSTOP)
    os.kill(feeder, signal.SIGKILL)
    agent.end(signal.SIGKILL)
    assert {path.name for path in (GROUND / "state").glob(f"{HISTORY}*")} > {HISTORY}
    assert socket_.exists()
    agent.uninstall()
    # The kernel lets go of the programs on its own time.
    until(lambda: run("cat", str(secret)).returncode == 0, "the end of enforcement")
    left = [PIN_ROOT / "node", Path("/run/hauberk/node"), Path("/run/hauberk/gate.sock"), GROUND / "state"]
    assert [path for path in left if path.exists()] == []
    assert not socket_.exists()
    assert not Path("/run/hauberk-agent").exists()
