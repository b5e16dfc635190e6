# SPDX-License-Identifier: Apache-2.0
"""Hashes come from a process of their own, which nobody waits for long."""

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.hashing import Hashing
from hauberk.agent.feeder.wire import Change, Grpc
from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.clock import unix_time

from .grpc.served import free_port, watch
from .making import feeding_in
from .test_client import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has what the process keeps")
SHELL = os.path.realpath("/bin/sh")


def sha(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def alert(resource: str = "", *, container: str = "", unit: str = "") -> Alert:
    made = Alert(PPID=0, UID=0, Type="MatchedHostPolicy", Operation="File", Hauberk=Extras())
    made.ProcessName = made.ParentProcessName = SHELL
    made.Resource, made.ContainerID, made.ContainerName = resource, container, unit
    made.UpdatedTime = unix_time(time.time_ns())[1]
    return made


@pytest.fixture
def hashing() -> Iterator[Hashing]:
    before = children()
    made = Hashing()
    made.pid = (children() - before).pop()  # type: ignore[attr-defined]
    yield made
    if made._line is not None:
        made._line.close()
    os.kill(made.pid, signal.SIGCONT)  # type: ignore[attr-defined]
    os.waitpid(made.pid, 0)  # type: ignore[attr-defined]


def children() -> set[int]:
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def fill(hashing: Hashing, *events: Alert | Log, **containers: int) -> None:
    """As often as it takes until the process has begun."""
    there = {name: Change("added", "", name, name, "", {}, pid) for name, pid in containers.items()}

    async def run() -> None:
        deadline = time.monotonic() + 60
        await hashing.fill(events, there)
        while hashing.findings and time.monotonic() < deadline:
            await hashing.fill(events, there)

    asyncio.run(run())


def test_programs_and_objects_of_alerts_have_hashes(hashing: Hashing, tmp_path: Path) -> None:
    file = tmp_path / "a b\\"
    file.write_bytes(b"x")
    time.sleep(0.05)
    event = alert(str(file).replace("\\", "\\\\"))
    fill(hashing, event)
    assert (event.ProcessHash, event.ParentHash) == (sha(SHELL), sha(SHELL))
    assert (event.ResourceHash, event.HashAlgo) == (hashlib.sha256(b"x").hexdigest(), "sha256")


def test_a_path_of_a_container_is_looked_up_there(hashing: Hashing) -> None:
    inside, gone, unit = alert("/etc/passwd", container="c"), alert(container="d"), alert(unit="web.service")
    fill(hashing, inside, gone, unit, c=os.getpid())
    assert inside.ResourceHash == sha("/etc/passwd")
    assert (gone.ProcessHash, unit.ProcessHash, unit.HashAlgo) == ("", "", "")


def test_of_logs_only_programs_have_hashes(hashing: Hashing) -> None:
    log = Log(PPID=0, UID=0, Type="HostLog", Operation="File", Resource="/etc/passwd", Hauberk=Extras())
    log.ProcessName, log.UpdatedTime = SHELL, unix_time(time.time_ns())[1]
    fill(hashing, log)
    assert (log.ProcessHash, log.ParentHash, log.ResourceHash) == (sha(SHELL), "", "")


def test_an_event_without_a_time_has_none(hashing: Hashing) -> None:
    event = alert()
    event.UpdatedTime = ""
    fill(hashing, event)
    assert event.ProcessHash == ""


def test_who_does_not_answer_holds_up_nobody_and_is_heard_again(hashing: Hashing) -> None:
    fill(hashing, alert())
    os.kill(hashing.pid, signal.SIGSTOP)  # type: ignore[attr-defined]
    event = alert()

    async def run() -> None:
        for _ in range(3):
            await hashing.fill([event], {})

    asyncio.run(run())
    assert event.ProcessHash == ""
    assert hashing.findings == ("hashes are missing: files take long to read",)
    os.kill(hashing.pid, signal.SIGCONT)  # type: ignore[attr-defined]
    fill(hashing, event)
    assert event.ProcessHash == sha(SHELL)
    assert hashing.findings == ()


def test_without_the_process_events_have_none(hashing: Hashing) -> None:
    fill(hashing, alert())
    os.kill(hashing.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    event = alert()
    asyncio.run(hashing.fill([event], {}))
    assert event.ProcessHash == ""
    assert hashing.findings == ("hashes are missing: the process that computes them has ended",)


def test_it_keeps_the_right_to_read_and_no_other(hashing: Hashing) -> None:
    fill(hashing, alert())
    status = Path(f"/proc/{hashing.pid}/status").read_text()  # type: ignore[attr-defined]
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["CapEff"] == facts["CapPrm"] == format(1 << 2 | 1 << 19, "016x")
    assert {facts[name] for name in ("CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"


@pytest.mark.grpc
def test_clients_of_the_feeder_get_hashes(tmp_path: Path) -> None:
    asked = Grpc(address="127.0.0.1", port=free_port())
    feeder = Feeder(feeding_in(tmp_path, grpc=asked, hashes=True))
    feeder.start(tuple)
    address = f"127.0.0.1:{asked.port}"
    try:
        until(feeder, lambda: f"gRPC at {address}" in feeder.told.listening)
        with grpc.insecure_channel(address) as channel:
            stream = watch(channel, "WatchAlerts")
            until(feeder, lambda: feeder.told.clients == 1)
            deadline = time.monotonic() + 60
            found = ""
            while not found:
                # The process that computes them may still begin.
                assert time.monotonic() < deadline
                feeder.write([alert()])
                found = next(stream).ProcessHash
        assert found == sha(SHELL)
    finally:
        feeder.close()
