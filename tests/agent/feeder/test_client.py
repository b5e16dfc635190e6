# SPDX-License-Identifier: Apache-2.0
"""The feeder's process: what it is told, and what becomes of that when it dies."""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import msgspec
import pytest

from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.wire import Change, Feeding, Grpc
from hauberk.events.alert import Alert, Extras, Log
from tests.agent.feeder.grpc.served import free_port, watch
from tests.agent.feeder.making import feeding_in

WEB = Change("added", "default", "web", "0123", "nginx", {"app": "web"}, 42)


def alert(count: int = 1, message: str = "") -> Alert:
    return Alert(PPID=0, UID=0, Type="MatchedPolicy", Message=message, Hauberk=Extras(Count=count))


@pytest.fixture
def feeding(tmp_path: Path) -> Feeding:
    return feeding_in(tmp_path)


@pytest.fixture
def feeder(feeding: Feeding) -> Iterator[Feeder]:
    feeder = Feeder(feeding, memory=1 << 20)
    feeder.start(lambda: [WEB])
    yield feeder
    feeder.close()
    assert feeder.pid == 0


def until(feeder: Feeder, what: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        left = deadline - time.monotonic()
        assert left > 0, f"it has not come to that: {feeder.told}, {feeder.findings}"
        select.select([feeder], [], [], left)
        feeder.on_ready()


def test_what_happens_is_confirmed(feeder: Feeder) -> None:
    feeder.write([alert(), Log(PPID=0, UID=0, Hauberk=Extras())])
    feeder.write([alert()])
    until(feeder, lambda: feeder.told.number == 2)
    assert feeder.lost == 0


def test_the_process_has_no_capability_left(feeder: Feeder) -> None:
    feeder.write([alert()])
    until(feeder, lambda: feeder.told.number == 1)
    status = Path(f"/proc/{feeder.pid}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"


def test_what_a_dead_process_has_not_confirmed_the_next_one_gets(feeder: Feeder) -> None:
    feeder.write([alert()])
    until(feeder, lambda: feeder.told.number == 1)
    first = feeder.pid
    os.kill(first, signal.SIGSTOP)
    feeder.write([alert()])
    os.kill(first, signal.SIGKILL)
    until(feeder, lambda: feeder.told.number == 2)
    assert feeder.pid != first
    assert feeder.lost == 0


def test_what_does_not_fit_in_memory_is_counted(feeder: Feeder) -> None:
    feeder.write([alert()])
    until(feeder, lambda: feeder.told.number == 1)
    os.kill(feeder.pid, signal.SIGSTOP)
    large = alert(count=7, message="x" * (300 << 10))
    for _ in range(4):
        feeder.write([large])
    assert feeder.lost == 7
    os.kill(feeder.pid, signal.SIGCONT)
    until(feeder, lambda: feeder.told.number == 4)
    feeder.write([alert()])
    until(feeder, lambda: feeder.told.number == 5)
    assert feeder.lost == 7


def test_while_no_process_is_there_a_finding_says_so(feeder: Feeder) -> None:
    feeder.write([alert()])
    until(feeder, lambda: feeder.told.number == 1)
    os.kill(feeder.pid, signal.SIGKILL)
    until(feeder, lambda: bool(feeder.findings))
    assert feeder.findings == ("clients are not served: its process was ended by signal 9",)
    until(feeder, lambda: not feeder.findings)


@pytest.mark.grpc
def test_what_happens_reaches_clients_also_those_of_the_next_process(
    feeder: Feeder, feeding: Feeding
) -> None:
    asked = Grpc(address="127.0.0.1", port=free_port())
    feeder.configure(msgspec.structs.replace(feeding, grpc=asked))
    address = f"127.0.0.1:{asked.port}"
    for number in range(2):
        until(feeder, lambda: f"gRPC at {address}" in feeder.told.listening)
        with grpc.insecure_channel(address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
            stream = watch(channel, "WatchAlerts")
            until(feeder, lambda: feeder.told.clients == 1)
            feeder.write([alert(message=f"alert {number}")])
            assert next(stream).Message == f"alert {number}"
        os.kill(feeder.pid, signal.SIGKILL)
        until(feeder, lambda: bool(feeder.findings))
    until(feeder, lambda: not feeder.findings)


def test_that_an_address_is_taken_is_a_finding(feeder: Feeder, feeding: Feeding) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        asked = Grpc(address="127.0.0.1", port=other.getsockname()[1])
        feeder.configure(msgspec.structs.replace(feeding, grpc=asked))
        until(feeder, lambda: any("is not served" in finding for finding in feeder.findings))
        other.close()
        until(feeder, lambda: not feeder.findings)
