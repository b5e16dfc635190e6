# SPDX-License-Identifier: Apache-2.0
"""What clients of the feeder get when there are too many alerts."""

import asyncio
from itertools import pairwise
from pathlib import Path

import grpc
import pytest

from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.hub import Hub, Numbered
from hauberk.agent.feeder.throttling import Throttled
from hauberk.agent.feeder.wire import Grpc
from hauberk.events.alert import Alert, Extras
from hauberk.events.throttle import Throttling

from .grpc.served import free_port, watch
from .making import feeding_in
from .test_client import until


def alerts(count: int) -> list[Alert]:
    return [Alert(PPID=0, UID=0, Type="MatchedPolicy", Hauberk=Extras()) for _ in range(count)]


async def told(hub: Hub, throttled: Throttled, *, close: bool) -> list[Numbered]:
    """What a client gets of 500 alerts until one stands for several."""
    subscription = hub.subscribe(lambda event: True)
    throttled.publish(hub.number(alerts(500)))
    if close:
        throttled.close()
        hub.close()
    got = []
    async with asyncio.timeout(60):
        async for item in subscription:
            assert isinstance(item, Numbered)
            got.append(item)
            if item.event.Hauberk.Count > 1 and not close:
                hub.close()
    hub.leave(subscription)
    return got


@pytest.mark.parametrize(
    ("seconds", "close"), [(1, False), (3600, True)], ids=["the silence ends", "the process ends"]
)
def test_what_is_held_back_is_told_when(seconds: int, close: bool) -> None:
    async def run() -> list[Numbered]:
        hub = Hub()
        throttled = Throttled(hub)
        throttled.use(Throttling(10, seconds))
        return await told(hub, throttled, close=close)

    got = asyncio.run(run())
    assert [item.event.Hauberk.Count for item in got] == [*[1] * 10, 0, 490]
    assert all(before.number <= after.number for before, after in pairwise(got))
    assert got[-1].number == 500


@pytest.mark.grpc
def test_clients_of_grpc_get_a_notice_and_the_sum(tmp_path: Path) -> None:
    asked = Grpc(address="127.0.0.1", port=free_port())
    feeder = Feeder(feeding_in(tmp_path, grpc=asked, throttling=Throttling(3, 1)))
    feeder.start(tuple)
    address = f"127.0.0.1:{asked.port}"
    try:
        until(feeder, lambda: f"gRPC at {address}" in feeder.told.listening)
        with grpc.insecure_channel(address) as channel:
            stream = watch(channel, "WatchAlerts")
            until(feeder, lambda: feeder.told.clients == 1)
            feeder.write(alerts(20))
            *first, notice, rest = [next(stream) for _ in range(5)]
        assert [each.Type for each in first] == ["MatchedPolicy"] * 3
        assert (notice.Type, notice.Operation) == ("SystemEvent", "AlertThreshold")
        assert (notice.MaxAlertsPerSec, notice.DroppingAlertsInterval) == (3, 1)
        assert (rest.Type, rest.EventData["Count"]) == ("MatchedPolicy", "17")
    finally:
        feeder.close()
