# SPDX-License-Identifier: Apache-2.0
"""The feeder keeps what happens: what it has confirmed is in the history, whatever becomes of its process."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.wire import HISTORY, Feeding
from hauberk.events.alert import Alert, Extras
from hauberk.sinks.history import History
from hauberk.sinks.recall import Kept, Recall, Span
from tests.agent.feeder.making import feeding_in


def alert(resource: str) -> Alert:
    return Alert(PPID=0, UID=0, Resource=resource, Hauberk=Extras(Count=3))


def until(feeder: Feeder, what: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        left = deadline - time.monotonic()
        assert left > 0, f"it has not come to that: {feeder.told}, {feeder.findings}"
        select.select([feeder], [], [], left)
        feeder.on_ready()


def kept(directory: Path) -> list[str]:
    found = Recall(directory / HISTORY, Span())
    return [msgspec.json.decode(each.event)["Resource"] for each in found if isinstance(each, Kept)]


def feeding(directory: Path) -> Feeding:
    return feeding_in(directory, history_mib=4)


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    feeder = Feeder(feeding(tmp_path))
    feeder.start(tuple)
    yield feeder
    feeder.close()


def test_what_is_confirmed_is_kept_even_if_the_process_is_killed(feeder: Feeder, tmp_path: Path) -> None:
    for place in range(1, 4):
        feeder.write([alert(str(place))])
        until(feeder, lambda: feeder.told.number == place)  # noqa: B023 it is called at once
        os.kill(feeder.pid, signal.SIGKILL)
        until(feeder, lambda: not feeder.pid)
        until(feeder, lambda: bool(feeder.pid))
    assert kept(tmp_path) == ["1", "2", "3"]


def test_without_a_directory_losses_are_counted_until_there_is_one(tmp_path: Path) -> None:
    directory = tmp_path / "later"
    feeder = Feeder(msgspec.structs.replace(feeding(tmp_path), state_directory=str(directory)))
    feeder.start(tuple)
    feeder.write([alert("lost")])
    until(feeder, lambda: feeder.told.number == 1)
    assert feeder.told.lost == {"history": 3}
    assert any("there is no history" in finding for finding in feeder.findings)
    directory.mkdir()
    feeder.write([alert("kept")])
    until(feeder, lambda: feeder.told.number == 2)
    assert kept(directory) == ["kept"]
    assert not any("there is no history" in finding for finding in feeder.findings)
    feeder.close()


def test_the_next_process_waits_until_the_last_one_has_written_what_it_has_heard(tmp_path: Path) -> None:
    last = History(tmp_path / HISTORY, 4)
    last.write([(last.next, alert("last"))])
    feeder = Feeder(feeding(tmp_path))
    feeder.start(tuple)
    feeder.write([alert("next")])
    last.write([(last.next, alert("very last"))])
    last.close()
    until(feeder, lambda: feeder.told.number == 1)
    feeder.close()
    assert kept(tmp_path) == ["last", "very last", "next"]
    assert feeder.lost == 0
