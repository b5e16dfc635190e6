# SPDX-License-Identifier: Apache-2.0
"""When windows are closed and what is told of them; the kernel's side is played by plain objects."""

import struct
from typing import Any, cast

import pytest

from hauberk.agent import reader as reading
from hauberk.agent.reader import WINDOW_SECONDS, Reader
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.events.clock import Clock
from hauberk.events.pipeline import Pipeline
from hauberk.events.repeats import SLOTS, Repeat
from hauberk.events.translate import Translator
from tests.events.pack import access, pack, pack_window, repeat
from tests.events.test_pipeline import Collector


class Ring:
    """Records that wait; a batch holds two."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self.written = 0
        self.read = 0

    def write(self, *payloads: bytes) -> None:
        self._waiting += payloads
        self.written += sum(map(len, payloads))

    def drain(self) -> memoryview:
        batch = b""
        for payload in self._waiting[:2]:
            batch += struct.pack("=II", len(payload), 0) + payload + bytes(-len(payload) % 8)
            self.read += len(payload)
        del self._waiting[:2]
        return memoryview(batch)


class Windows:
    """What `Repeats` is over shared memory."""

    def __init__(self) -> None:
        self.window = 0
        self.inside = [0, 0]
        self.counted: tuple[list[Repeat], list[Repeat]] = ([], [])
        self.taken: list[int] = []

    def close_window(self) -> int:
        self.window += 1
        return self.window - 1

    def quiet(self, window: int) -> bool:
        return not self.inside[window & 1]

    def take(self, window: int) -> bytes:
        held = pack_window(*self.counted[window & 1])
        self.counted[window & 1].clear()
        self.taken.append(window)
        return held


class Kernel:
    """An engine, a reader of it, and the time."""

    def __init__(self) -> None:
        self.violations, self.events, self.repeats = Ring(), Ring(), Windows()
        self.now = 0.0
        self.sink = Collector()
        pipeline = Pipeline(Translator(Clock()), [cast(Any, self.sink)])
        self.reader = Reader(cast(Engine, self), pipeline, lambda: self.now)

    def deny(self, times: int = 1, *, name: bytes = b"/x", place: int = 1) -> None:
        """The first one becomes a record, the others are counted."""
        slot = place + (self.repeats.window & 1) * SLOTS
        self.violations.write(pack(access(slot=slot, object=name)))
        if times > 1:
            self.repeats.counted[self.repeats.window & 1].append(repeat(slot=slot, count=times - 1))

    def told(self) -> list[int]:
        return [event.Hauberk.Count for event in self.sink.events]

    def pass_time(self, seconds: float) -> None:
        """As long as there is nothing to wait for, somebody reads once a second."""
        for _ in range(round(seconds)):
            self.now += 1
            self.reader.read()


@pytest.fixture
def kernel() -> Kernel:
    """After its first windows, which are read for what an earlier reader may have left."""
    made = Kernel()
    made.pass_time(2 * WINDOW_SECONDS)
    assert made.repeats.taken == [-1, 0]
    made.repeats.taken.clear()
    return made


def test_the_first_is_told_at_once_and_the_others_when_the_window_closes(kernel: Kernel) -> None:
    kernel.deny(100)
    kernel.reader.read()
    assert kernel.told() == [1]
    kernel.pass_time(WINDOW_SECONDS - 1)
    assert kernel.told() == [1]
    kernel.pass_time(1)
    assert kernel.told() == [1, 99]


def test_no_window_is_closed_while_nothing_happens(kernel: Kernel) -> None:
    kernel.pass_time(1000)
    assert kernel.repeats.taken == []
    kernel.deny()
    kernel.pass_time(1000)
    assert kernel.repeats.taken == [1]


def test_a_window_in_which_a_program_is_at_work_is_told_of_the_next_time(kernel: Kernel) -> None:
    kernel.deny(10)
    kernel.reader.read()
    kernel.repeats.inside[kernel.repeats.window & 1] = 1
    kernel.pass_time(3 * WINDOW_SECONDS)
    assert kernel.repeats.taken == []
    # meanwhile others go into the next window, which waits for its turn
    kernel.deny(3, name=b"/y")
    kernel.pass_time(2 * WINDOW_SECONDS)
    assert kernel.told() == [1, 1]
    kernel.repeats.inside = [0, 0]
    kernel.reader.read()
    assert kernel.told() == [1, 1, 9]
    kernel.pass_time(2 * WINDOW_SECONDS)
    assert kernel.told() == [1, 1, 9, 2]
    assert [event.Resource for event in kernel.sink.events] == ["/x", "/y", "/x", "/y"]


def test_repeats_come_after_the_records_of_their_window(kernel: Kernel) -> None:
    for place in range(1, 10):
        kernel.deny(5, name=b"/%d" % place, place=place)
    kernel.reader.read()
    kernel.now += WINDOW_SECONDS + 1
    kernel.reader.read()
    while kernel.reader.read():
        pass
    assert kernel.told() == [1] * 9 + [4] * 9


def test_the_end_leaves_nothing_in_rings_and_windows(kernel: Kernel) -> None:
    kernel.deny(10)
    kernel.pass_time(WINDOW_SECONDS)
    kernel.deny(20, name=b"/y", place=2)
    kernel.events.write(*[pack(access(verdict=0)) for _ in range(9)])
    kernel.repeats.close_window()  # by a reader that did not live to take it
    kernel.reader = Reader(cast(Engine, kernel), Pipeline(Translator(Clock()), [cast(Any, kernel.sink)]))
    kernel.deny(30, name=b"/z")
    kernel.reader.finish()
    told = [event for event in kernel.sink.events if event.Type == "MatchedPolicy"]
    assert sum(event.Hauberk.Count for event in told) == 10 + 20 + 30
    assert len(kernel.sink.events) - len(told) == 9
    assert kernel.violations.read == kernel.violations.written


def test_what_a_program_holds_back_at_the_end_is_left_for_later(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LOOK_SECONDS", 0)
    kernel.deny(10)
    kernel.repeats.inside[kernel.repeats.window & 1] = 1
    kernel.reader.finish()
    assert kernel.told() == [1]
    kernel.repeats.inside = [0, 0]
    kernel.reader.read()
    assert kernel.told() == [1, 9]
