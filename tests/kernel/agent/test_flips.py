# SPDX-License-Identifier: Apache-2.0
"""What binds a running container changes over and over, in ways that all refuse one file: it is never let
through, and what nothing forbids never fails.

The container is made up: a process in a mount namespace and a cgroup of its own, with records such as runc
and Docker write. HAUBERK_FULL=1 has a thousand changes.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import Posture
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE
from tests.kernel.agent.agent import CGROUPS, PATIENCE, Agent, entering
from tests.kernel.helpers import SHARE
from tests.kernel.run.hauberk import until

FLIPS = 334 if SHARE == 1 else 8
"""Of each kind."""
ID = "f1" * 32
RECORD = Path("/run/docker/runtime-runc/moby", ID, "state.json")
CONFIG = Path("/var/lib/docker/containers", ID, "config.v2.json")
CGROUP = f"flips/{ID}"

Flip = Callable[[Agent, Path, int], None]


def policy(name: str, selector: str, secret: Path, more: str = "") -> str:
    return f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: {name}, namespace: {DEFAULT_NAMESPACE}}}
spec:
  selector: {{matchLabels: {{{selector}}}}}
  file: {{matchPaths: [{{path: {secret}, action: Block}}{more}]}}
"""


def write(path: Path, said: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name("new").write_text(json.dumps(said))
    path.with_name("new").rename(path)


def label(tier: str) -> None:
    """Docker's record of the container from now on."""
    labels = {"app": "flips", "tier": tier}
    write(CONFIG, {"Name": "/flips", "Config": {"Image": "made-up", "Labels": labels}, "Image": "sha256:0"})


def of_selector(agent: Agent, secret: Path, number: int) -> None:
    agent.apply(policy("one", "app: flips" if number % 2 else "tier: a", secret))


def of_posture(agent: Agent, secret: Path, number: int) -> None:
    sections = {"file": "block" if number % 2 else "audit"}
    ask(Posture(namespace=DEFAULT_NAMESPACE, sections=sections), timeout=PATIENCE)


def of_label(agent: Agent, secret: Path, number: int) -> None:
    tier = "b" if number % 2 else "a"
    label(tier)
    # A runtime's directory changes: that is what makes the agent look.
    poke = RECORD.parent.with_name("f2" * 32)
    poke.mkdir()
    poke.rmdir()
    until(lambda: agent.workload("flips").labels["tier"] == tier, f"tier {tier}")


def is_bound(agent: Agent) -> bool:
    """Whether the agent has heard of the container, and put it under policies."""
    return any(each.name == "flips" and each.state != "none" for each in agent.status().workloads)


@pytest.fixture
def load(agent: Agent, secret: Path) -> Iterator["subprocess.Popen[str]"]:
    """The container, which does nothing but try."""
    label("a")
    script = f"""
exec 2>/dev/null
echo ready; read line
while :; do
    read line < {secret} && echo got $line
    read line < /etc/hostname || echo lost
done
"""
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=entering(CGROUP),
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        state = {
            "id": ID,
            "init_process_pid": process.pid,
            "init_process_start": int(stat[19]),
            "config": {"rootfs": "/", "labels": ["bundle=/run/flips"]},
            "cgroup_paths": {"": str(CGROUPS / CGROUP)},
        }
        write(RECORD, state)
        yield process
        process.kill()
    shutil.rmtree(RECORD.parent)
    shutil.rmtree(CONFIG.parent)
    ask(Posture(namespace=DEFAULT_NAMESPACE, sections={"file": "default"}), timeout=PATIENCE)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("flip", [of_selector, of_posture, of_label])
def test_a_change_of_what_binds_a_container_is_atomic_under_load(
    agent: Agent, secret: Path, load: "subprocess.Popen[str]", flip: Flip
) -> None:
    # Without this, posture `block` would not be about files.
    allowed = ", {path: /etc/hostname, action: Allow}"
    agent.apply(policy("one", "tier: a", secret, allowed) + "---" + policy("two", "tier: b", secret))
    until(lambda: is_bound(agent), "the container in the status")
    assert load.stdin
    load.stdin.write("go\n")
    load.stdin.flush()
    until(lambda: agent.workload("flips").refused, "a refusal")
    before = agent.workload("flips").refused
    for number in range(FLIPS):
        flip(agent, secret, number)
    until(lambda: agent.workload("flips").refused > before, "another refusal")
    load.kill()
    assert load.stdout
    assert load.stdout.read() == ""
