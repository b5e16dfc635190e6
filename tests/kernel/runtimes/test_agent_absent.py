# SPDX-License-Identifier: Apache-2.0
"""Containers while no agent is there: before it comes, after it was killed, and when it was taken away."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from tests.kernel.runtimes.agent import Agent, alert_of, policy
from tests.kernel.runtimes.commands import Podman, Runtime, call
from tests.kernel.runtimes.ground import Ground
from tests.kernel.runtimes.test_agent import BOUND, DEEDS, FREE, SLEEP, refuses, succeeded


@pytest.fixture
def fresh(unpacked: None) -> Iterator[Agent]:
    """An agent that has not been started, of which nothing is left afterwards."""
    agent = Agent()
    yield agent
    agent.uninstall()


def test_a_container_that_was_there_before_is_told_to_be_degraded(
    fresh: Agent, runtime: Runtime, container: str
) -> None:
    runtime.start(container, *SLEEP, labels=BOUND)
    assert not refuses(runtime, container)
    fresh.start()
    fresh.apply(policy("bound", "bound"))
    assert refuses(runtime, container)
    standing = fresh.workload(container)
    told = [*standing.caveats, *(reason for *_, reasons in standing.policies for reason in reasons)]
    assert any("ms before enforcement" in reason for reason in told)


def test_what_runs_stays_bound_and_what_comes_is_bound_when_the_agent_was_killed(
    fresh: Agent, runtime: Runtime, container: str
) -> None:
    fresh.start(onAgentLoss="run-last-known")
    fresh.apply(policy("bound", "bound"))
    runtime.start(container, *SLEEP, labels=BOUND)
    fresh.end(signal.SIGKILL)
    assert refuses(runtime, container)
    new = f"{container}-new"
    for command, evidence in DEEDS.values():
        done = runtime.run(new, *command, labels=BOUND)
        assert not succeeded(done, evidence)
        assert done.returncode != 0
    assert succeeded(runtime.run(f"{container}-free", *DEEDS["read"][0], labels=FREE), DEEDS["read"][1])
    fresh.start()
    assert fresh.status().placed_without_agent >= 3
    assert fresh.status().refused_without_agent == 0
    assert alert_of(new)["PolicyName"] == "bound"
    assert refuses(runtime, container)
    assert fresh.workload(container).caveats == ()


def test_nothing_starts_when_the_agent_was_killed_and_starts_are_to_be_refused(
    fresh: Agent, runtime: Runtime, container: str
) -> None:
    fresh.start(onAgentLoss="refuse")
    command, evidence = DEEDS["read"]
    assert succeeded(runtime.run(container, *command, labels=FREE), evidence)
    fresh.end(signal.SIGKILL)
    done = runtime.run(container, *command, labels=FREE)
    assert not succeeded(done, evidence)
    assert done.returncode != 0
    runtime.remove(container)
    fresh.start(onAgentLoss="refuse")
    assert fresh.status().refused_without_agent >= 1
    assert succeeded(runtime.run(container, *command, labels=FREE), evidence)


def test_one_that_nobody_knows_is_closed_and_others_start(fresh: Agent, runtimes: Ground) -> None:
    """Podman's database is away while the low-level runtime's record of a container that waits is there."""
    podman, other = runtimes["podman-crun"], runtimes["containerd"]
    assert isinstance(podman, Podman)
    name = "nobody-knows"
    podman.init(name, *DEEDS["read"][0], labels=FREE)
    (number,) = podman.ids()
    database = next(Path("/var/lib/containers/storage").glob("**/bolt_state.db"))
    away = database.rename(database.with_name("away"))
    try:
        fresh.start()
        assert fresh.workload(number).state == "closed"
        command, evidence = DEEDS["read"]
        assert succeeded(other.run("others-start", *command, labels=FREE), evidence)
        call([str(podman.program), "start", number])
        assert fresh.workload(number).refused >= 1
    finally:
        away.rename(database)
        podman.remove(name)


def test_an_agent_that_is_taken_away_leaves_nothing_in_force(fresh: Agent, runtimes: Ground) -> None:
    fresh.start()
    fresh.apply(policy("bound", "bound"))
    command, evidence = DEEDS["read"]
    for name, runtime in runtimes.items():
        assert not succeeded(runtime.run(f"taken-{name}", *command, labels=BOUND), evidence)
    fresh.uninstall()
    assert list(PIN_ROOT.glob("*")) == []
    for name, runtime in runtimes.items():
        assert succeeded(runtime.run(f"taken-{name}", *command, labels=BOUND), evidence)
