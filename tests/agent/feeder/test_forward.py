# SPDX-License-Identifier: Apache-2.0
"""The feeder writes to the machine's own logs, and waits for none of them."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hauberk.agent.feeder import forward
from hauberk.agent.feeder.forward import Forward
from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.agent.feeder.services import services_for
from hauberk.agent.feeder.wire import Feeding
from hauberk.events.alert import Alert, Extras
from hauberk.sinks.datagrams import Datagrams
from hauberk.sinks.log_records import PLACES, syslog_record


def alerts(count: int, first: int = 0) -> list[Numbered]:
    return [
        Numbered(number, Alert(PPID=0, UID=0, Action="Block", Resource=f"/{number}", Hauberk=Extras(Count=2)))
        for number in range(first, first + count)
    ]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[socket.socket]:
    """A datagram socket in place of a log service."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(tmp_path / "log"))
    made.setblocking(False)
    yield made
    made.close()


async def receive(receiver: socket.socket, count: int) -> list[dict[str, object]]:
    """What comes, as events."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        records = [await loop.sock_recv(receiver, 1 << 20) for _ in range(count)]
    return [json.loads(record.partition(b" - {")[2].join((b"{", b""))) for record in records]


def service(path: Path, memory: int = 1 << 20, stir: Callable[[], None] = lambda: None) -> Forward:
    to = Datagrams(str(path), memory=memory)
    return Forward("syslog", lambda event: syslog_record(event, "node"), to, stir)


def test_the_places_that_are_asked_for_are_served() -> None:
    feeding = Feeding(cluster="", node_name="node", socket="/x/y", state_directory="", forward=PLACES)
    services = services_for(feeding, Hub())
    assert [list(each.lost) for each in services if isinstance(each, Forward)] == [["journald"], ["syslog"]]


def test_a_slow_service_gets_everything_and_nobody_waits(receiver: socket.socket, tmp_path: Path) -> None:
    async def run() -> None:
        to = service(tmp_path / "log")
        await to.start()
        to.take(alerts(500))
        to.miss(Missing(7, "something"))
        events = await receive(receiver, 501)
        assert [event.get("Resource") for event in events] == [*(f"/{each}" for each in range(500)), None]
        assert events[-1]["Message"] == "7 accesses are missing here: something"
        assert (to.lost, to.findings) == ({"syslog": 0}, ())
        await to.close()

    asyncio.run(run())


def test_what_does_not_fit_is_counted_and_marked(receiver: socket.socket, tmp_path: Path) -> None:
    async def run() -> None:
        to = service(tmp_path / "log", memory=4000)
        to.take(alerts(500))
        lost = to.lost["syslog"]
        assert lost > 0
        sent = 500 - lost // 2
        await receive(receiver, sent)
        to.take(alerts(1, first=1000))
        mark, last = await receive(receiver, 2)
        assert mark["Message"] == f"{lost} accesses are missing here: syslog does not keep up"
        assert last["Resource"] == "/1000"
        assert to.lost["syslog"] == lost
        await to.close()

    asyncio.run(run())


def test_a_service_that_is_not_there_is_a_finding_until_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "RETRY_SECONDS", 0.05)

    async def run() -> None:
        stirred: list[int] = []
        to = service(tmp_path / "log", stir=lambda: stirred.append(1))
        to.take(alerts(3))
        assert to.findings == (f"events do not reach syslog: {tmp_path}/log: No such file or directory",)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as late:
            late.bind(str(tmp_path / "log"))
            late.setblocking(False)
            assert [event["Resource"] for event in await receive(late, 3)] == ["/0", "/1", "/2"]
            assert (to.findings, len(stirred)) == ((), 2)
        await to.close()

    asyncio.run(run())


def test_what_is_left_at_the_end_is_counted(tmp_path: Path) -> None:
    async def run() -> None:
        to = service(tmp_path / "log")
        to.take(alerts(3))
        await to.close()
        assert to.lost == {"syslog": 6}

    asyncio.run(run())
