# SPDX-License-Identifier: Apache-2.0
"""Defects of services. The service here is a fake that fails on purpose."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from hauberk.agent.feeder.careful import Careful
from hauberk.agent.feeder.hub import Missing, Numbered
from hauberk.events.alert import Alert, Extras


class FailingFake:
    findings: Sequence[str] = ("something else",)
    listening: Sequence[str] = ()
    lost: Mapping[str, int] = {"files": 1}

    def __init__(self) -> None:
        self.taken = 0

    async def start(self) -> None:
        raise RuntimeError("at the start")

    def take(self, events: Sequence[Numbered]) -> None:
        if any(event.Message == "bad" for _, event in events if isinstance(event, Alert)):
            raise RuntimeError("on an event")
        self.taken += len(events)

    def miss(self, missing: Missing) -> None:
        raise RuntimeError("on a gap")

    async def close(self) -> None:
        pass


def events(message: str, count: int) -> list[Numbered]:
    return [Numbered(1, Alert(PPID=0, UID=0, Message=message, Hauberk=Extras(Count=count)))]


def test_a_service_goes_on_after_its_defects_which_are_told_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = FailingFake()
    service = Careful(fake)
    asyncio.run(service.start())
    service.take(events("bad", 5))
    service.take(events("good", 1))
    service.miss(Missing(2, "why"))
    assert fake.taken == 1
    assert service.lost == {"files": 1, "failingfake defects": 7}
    first, second = service.findings
    assert first == "something else"
    assert "RuntimeError('on a gap')" in second
    assert capsys.readouterr().err.count("Traceback") == 1
