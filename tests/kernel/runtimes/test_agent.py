# SPDX-License-Identifier: Apache-2.0
"""Containers of every runtime under the agent: bound before their first instruction, and whatever is started
in them later. Each deed is shown to succeed where no policy selects the container."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hauberk.workloads.containers.model import DEFAULT_NAMESPACE
from tests.kernel.run.hauberk import until
from tests.kernel.runtimes.agent import FORBIDDEN_PROGRAM, Agent, alert_of, alerts, policy
from tests.kernel.runtimes.commands import Docker, Done, Podman, Runtime, call, must
from tests.kernel.runtimes.ground import Ground
from tests.runtimes.images import SECRET, SECRET_TEXT

ONE_SHOTS = 200 if os.environ.get("HAUBERK_FULL") == "1" else 3
BOUND, FREE = {"app": "bound", "tier": "test"}, {"app": "free"}
SLEEP = ("/bin/sleep", "600")

DEEDS = {
    "exec": ((FORBIDDEN_PROGRAM,), "uid=0("),
    "read": (("/bin/cat", SECRET), SECRET_TEXT.strip()),
}
"""Of each forbidden act the command, and what it writes if it succeeds."""

pytestmark = pytest.mark.timeout(7200 if ONE_SHOTS > 3 else 900)


def succeeded(done: Done, evidence: str) -> bool:
    """What it wrote counts, not its status: a container that did the deed and failed later did it."""
    return evidence in done.stdout


def refuses(runtime: Runtime, container: str) -> bool:
    """Whether both deeds are refused in a running container, and what nothing forbids is not."""
    assert runtime.exec(container, "/bin/true").returncode == 0
    outcomes = {succeeded(runtime.exec(container, *deed), told) for deed, told in DEEDS.values()}
    assert len(outcomes) == 1, "one deed is refused, the other is not"
    return outcomes == {False}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_container_whose_whole_job_is_forbidden_never_succeeds(
    agent: Agent, runtime: Runtime, container: str, deed: str
) -> None:
    command, evidence = DEEDS[deed]
    assert succeeded(runtime.run(container, *command, labels=FREE), evidence)
    names = [f"{container}-{number}" for number in range(ONE_SHOTS)]
    outcomes = [runtime.run(name, *command, labels=BOUND) for name in names]
    assert [done.stdout for done in outcomes if succeeded(done, evidence)] == []
    assert all(done.returncode for done in outcomes)
    until(lambda: all(map(alerts, names)), "an alert of each")


def test_an_alert_names_its_container(agent: Agent, runtime: Runtime, container: str) -> None:
    runtime.start(container, *SLEEP, labels=BOUND)
    runtime.exec(container, FORBIDDEN_PROGRAM)
    alert = alert_of(container)
    assert alert["ContainerID"] in runtime.ids()
    assert "hauberk/tiny:1" in alert["ContainerImage"]
    assert alert["NamespaceName"] == DEFAULT_NAMESPACE
    assert {"app=bound", "tier=test"} <= set(alert["Labels"].split(","))
    assert (alert["PolicyName"], alert["Operation"], alert["Action"]) == ("bound", "Process", "Block")
    assert alert["Resource"].split()[0] == FORBIDDEN_PROGRAM
    assert alert["Result"] == "Permission denied"


def test_what_is_started_in_a_container_is_bound_too(agent: Agent, runtime: Runtime, container: str) -> None:
    runtime.start(container, *SLEEP, labels=BOUND)
    assert refuses(runtime, container)
    standing = agent.workload(container)
    assert (standing.kind, standing.state, standing.runtime) == ("container", "enforced", runtime.name)
    assert standing.caveats == ()
    assert (standing.pid, standing.namespace) == (runtime.pid(container), DEFAULT_NAMESPACE)
    assert standing.refused >= len(DEEDS)


def test_a_container_that_no_policy_selects_does_what_it_likes(
    agent: Agent, runtime: Runtime, container: str
) -> None:
    runtime.start(container, *SLEEP, labels=FREE)
    assert not refuses(runtime, container)
    assert agent.workload(container).state == "none"
    assert alerts(container) == []


TRIES = f"""
while :; do
    if {{ read line; }} < {SECRET}; then echo > /tmp/read; else echo > /tmp/refused; fi
    /bin/sleep 0.2
done
"""


def test_a_policy_that_comes_later_binds_what_runs(agent: Agent, runtime: Runtime, container: str) -> None:
    runtime.start(container, "/bin/sh", "-c", TRIES, labels={"app": container})
    tmp = Path(f"/proc/{runtime.pid(container)}/root/tmp")
    until(tmp.joinpath("read").exists, "a try")
    assert not refuses(runtime, container)
    assert not tmp.joinpath("refused").exists()
    agent.apply(policy(container, container))
    until(tmp.joinpath("refused").exists, "a refusal of what ran already")
    tmp.joinpath("read").unlink()
    tmp.joinpath("refused").unlink()
    until(tmp.joinpath("refused").exists, "another try")
    assert not tmp.joinpath("read").exists()
    assert refuses(runtime, container)
    agent.delete(container)
    until(tmp.joinpath("read").exists, "a try that no policy forbids any more")
    assert not refuses(runtime, container)


def test_runtimes_are_told_with_what_catches_their_containers(
    agent: Agent, runtime: Runtime, container: str
) -> None:
    runtime.start(container, *SLEEP, labels=FREE)
    (told,) = [each for each in agent.status().runtimes if each.name == runtime.name]
    assert (told.path, told.containers) == ("gate", 1)
    assert runtime.program in {Path(each).resolve() for each in told.program.split()}


def test_containers_of_several_runtimes_start_at_once_and_none_succeeds(
    agent: Agent, runtimes: Ground
) -> None:
    def one(name: str) -> tuple[str, Done]:
        command, _ = DEEDS["read"]
        return name, runtimes[name].run(f"at-once-{name}", *command, labels=BOUND)

    with ThreadPoolExecutor(len(runtimes)) as pool:
        outcomes = dict(pool.map(one, runtimes))
    assert [name for name, done in outcomes.items() if succeeded(done, DEEDS["read"][1])] == []
    for name in runtimes:
        assert alert_of(f"at-once-{name}")["Resource"] == SECRET


@pytest.fixture
def checked(request: pytest.FixtureRequest, runtimes: Ground) -> Iterator[tuple[Docker, str]]:
    """A runtime that knows health checks, and a container's name."""
    found, name = runtimes[request.param], f"checked-{request.param}"
    assert isinstance(found, Docker)
    yield found, name
    found.remove(name)


@pytest.mark.parametrize("labels", [FREE, BOUND], ids=["free", "bound"])
@pytest.mark.parametrize("checked", ["docker", "podman-crun"], indirect=True)
def test_health_checks_are_bound_too(
    agent: Agent, checked: tuple[Docker, str], labels: dict[str, str]
) -> None:
    docker, name = checked
    # Podman leaves the intervals to systemd, which is not here.
    podman = isinstance(docker, Podman)
    interval = "disable" if podman else "1s"
    check = ["--health-cmd", f"cat {SECRET}", "--health-interval", interval, "--health-retries", "1"]
    must(docker.run_command(name, SLEEP, labels, "-d", *check))
    if podman:
        healthy = call([*docker.client, "healthcheck", "run", name]).returncode == 0
    else:
        health = [*docker.client, "inspect", "-f", "{{.State.Health.Status}}", name]
        until(lambda: must(health).strip() != "starting", "a health check")
        healthy = must(health).strip() == "healthy"
    assert healthy is (labels is FREE)


def test_nothing_is_degraded_or_lost(agent: Agent) -> None:
    status = agent.status()
    assert (status.findings, status.lost) == ((), {})
    assert status.placed_without_agent == status.refused_without_agent == 0
