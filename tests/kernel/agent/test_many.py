# SPDX-License-Identifier: Apache-2.0
"""Many containers at once, and many one after the other: what that takes, and that it is given back.

The containers are made up: a process in a mount namespace and a cgroup of its own, with a record such as runc
writes. Real ones are in tests/kernel/runtimes.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hauberk.workloads.containers.podman import MANAGER
from tests.kernel.agent.agent import CGROUPS, Agent, descriptors, entering
from tests.kernel.helpers import SHARE
from tests.kernel.run.hauberk import until

RECORDS = Path("/run/runc")
CONTAINERS = 100 if SHARE == 1 else 10
RULES = 1000
MOST_RESIDENT = 60 << 20
"""Bytes that the agent may take with a hundred containers."""


def policy(name: str, rules: int) -> str:
    paths = ", ".join(f"{{path: /srv/many/{number}}}" for number in range(rules))
    return f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: made-up}}}}
  file: {{matchPaths: [{paths}]}}
  action: Block
"""


@contextmanager
def made_up(name: str, *notes: str, waits: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A running container that prints the file of which it is told the name; `notes` are annotations. As far
    as its record says it `waits` for its first instruction."""
    cgroup = CGROUPS / "made-up" / name
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", "echo ready; read line; cat $line; exit 0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=entering(f"made-up/{name}"),
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        record = RECORDS / name / "state.json"
        record.parent.mkdir(parents=True)
        pipe = record.with_name("exec.fifo")
        if waits:
            os.mkfifo(pipe)
        state = {
            "id": name,
            "init_process_pid": process.pid,
            "init_process_start": int(stat[19]),
            "config": {"rootfs": "/", "labels": ["app=made-up", *notes, "bundle=/run/made-up"]},
            "cgroup_paths": {"": str(cgroup)},
        }
        record.with_name("new").write_text(json.dumps(state))
        record.with_name("new").rename(record)
        try:
            yield process
        finally:
            record.unlink()
            pipe.unlink(missing_ok=True)
            record.parent.rmdir()
            process.kill()
            process.wait()
            until(lambda: not (cgroup / "cgroup.procs").read_text(), "the container's end")
            cgroup.rmdir()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def containers(agent: Agent) -> int:
    return sum(each.kind == "container" for each in agent.status().workloads)


@pytest.fixture
def records() -> None:
    RECORDS.mkdir(exist_ok=True)


def test_many_containers_under_a_thousand_rules_fit_into_sixty_mebibytes(
    agent: Agent, records: None, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.apply(policy("many", RULES))
    secret = Path("/srv/many/7")
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("secret\n")
    assert agent.process
    with ExitStack() as stack:
        there = [stack.enter_context(made_up(f"many-{number}")) for number in range(CONTAINERS)]
        until(lambda: containers(agent) == CONTAINERS, "all containers in the status")
        standing = agent.status().workloads
        assert {each.state for each in standing if each.kind == "container"} == {"degraded"}
        assert all("before enforcement" in each.caveats[0] for each in standing if each.kind == "container")
        took = resident(agent.process.pid)
        with capsys.disabled():
            print(f"\nresident with {CONTAINERS} containers and {RULES} rules: {took / (1 << 20):.1f} MiB")
        assert took < MOST_RESIDENT
        outputs = [process.communicate(f"{secret}\n")[0] for process in there]
        assert set(outputs) == {""}
    until(lambda: containers(agent) == 0, "no containers in the status")


def test_containers_that_come_and_go_leave_nothing(agent: Agent, records: None) -> None:
    agent.apply(policy("churn", 3))
    assert agent.process

    def generation(round_: int) -> None:
        with ExitStack() as stack:
            for number in range(20):
                stack.enter_context(made_up(f"churn-{round_}-{number}"))
            until(lambda: containers(agent) == 20, "all containers in the status")
        until(lambda: containers(agent) == 0, "no containers in the status")

    generation(0)
    before = descriptors(agent.process.pid), len(agent.status().workloads)
    generation(1)
    generation(2)
    assert (descriptors(agent.process.pid), len(agent.status().workloads)) == before


def test_one_that_may_be_anybody_is_closed_and_others_are_not(agent: Agent, records: None) -> None:
    """Its annotations say that it is Podman's, which has no record of it."""
    agent.apply(policy("known", 3))
    free = Path("/srv/many-free")
    free.write_text("free\n")
    podman = "=".join(MANAGER)
    with made_up("forgotten", podman, waits=True) as forgotten, made_up("known", waits=True) as known:
        until(lambda: containers(agent) == 2, "both in the status")
        assert agent.workload("known").state == "enforced"
        standing = agent.workload("forgotten")
        assert standing.state == "closed"
        assert "Podman" in standing.caveats[0]
        assert known.communicate(f"{free}\n")[0] == "free\n"
        assert forgotten.communicate(f"{free}\n")[0] == ""
