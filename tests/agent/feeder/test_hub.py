# SPDX-License-Identifier: Apache-2.0
"""What one client gets, and what it is told of the rest."""

import asyncio

import pytest

from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.agent.feeder.wire import Change
from hauberk.events.alert import Alert, Extras


def alert(count: int = 1) -> Alert:
    return Alert(PPID=0, UID=0, Hauberk=Extras(Count=count))


async def taken(hub: Hub, count: int, *, missing_for_all: int = 0) -> list[Numbered | Missing]:
    """What a client with room for two gets of so many alerts for two accesses each."""
    subscription = hub.subscribe(lambda event: True, size=2)
    hub.publish(hub.number([alert(2)] * count))
    if missing_for_all:
        hub.miss(Missing(missing_for_all, "the reason"))
    subscription.close()
    found = [each async for each in subscription]
    hub.leave(subscription)
    return found


@pytest.mark.parametrize(
    ("count", "missing_for_all", "missing", "lost"), [(2, 0, 0, 0), (5, 0, 6, 6), (2, 3, 3, 0), (5, 3, 9, 6)]
)
def test_what_does_not_fit_is_told_and_counted(
    count: int, missing_for_all: int, missing: int, lost: int
) -> None:
    async def run() -> None:
        hub = Hub()
        found = await taken(hub, count, missing_for_all=missing_for_all)
        assert [each.number for each in found if isinstance(each, Numbered)] == [1, 2]
        assert sum(each.accesses for each in found if isinstance(each, Missing)) == missing
        assert hub.lost == lost

    asyncio.run(run())


def test_workloads_are_told_of_when_something_is_new() -> None:
    async def run() -> None:
        hub = Hub()
        told: list[str] = []
        hub.watch(lambda change: told.append(f"{change.what} {change.image}"))
        for what, image in (
            ("updated", "1"), ("added", "1"), ("updated", "2"), ("deleted", "2"), ("deleted", "2")
        ):  # fmt: skip
            hub.change(Change(what, "default", "web", "0123", image, {}, 42))
        assert told == ["added 1", "updated 2", "deleted 2"]
        assert not hub.workloads

    asyncio.run(run())
