# SPDX-License-Identifier: Apache-2.0
"""Many violations at once: each distinct one is told, and the counts add up to what was done.

The flood is of 600,000 denials with HAUBERK_FULL=1, as many as 10,000 a second are in a minute; without, of a
tenth. HAUBERK_FLOOD sets another number.
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hauberk.agent import reader as reading
from hauberk.agent.reader import Reader
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.events.alert import Alert, Log
from hauberk.events.clock import Clock
from hauberk.events.pipeline import Losses, Pipeline
from hauberk.events.record import Record
from hauberk.events.repeats import SLOTS, decode_repeats
from hauberk.events.translate import Translator
from hauberk.rules.model import Section
from tests.kernel.arena import Arena, drain
from tests.kernel.helpers import SHARE
from tests.kernel.helpers.act import Done, Session, policy

TASKS = 8
OBJECTS = 40
WAYS = (("open", "O_RDONLY"), ("open", "O_WRONLY"), ("unlink", ""), ("mkdir", ""))
DENIALS = int(os.environ.get("HAUBERK_FLOOD", 600_000 // SHARE))
PLACE = "/srv/flood"

Violation = tuple[str, str, str, str]
"""Program, call, open flags, object."""


class Counting:
    """A sink that counts accesses by what they were, and alerts."""

    def __init__(self) -> None:
        self.lost = 0
        self.accesses: Counter[Violation] = Counter()
        self.alerts = 0
        self.logs = 0
        self.backward = 0

    def write(self, events: Sequence[Alert | Log]) -> None:
        for event in events:
            if not isinstance(event, Alert):
                self.logs += 1
                continue
            extras = event.Hauberk
            key = (event.ProcessName, extras.Call, event.EventData.get("Flags", ""), event.Resource)
            self.accesses[key] += extras.Count
            self.alerts += 1
            self.backward += extras.FirstTime > extras.LastTime

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class Flooded(Session):
    """A session whose records go the way that `hauberk run` sends them."""

    reader: Reader = field(init=False)
    sink: Counting = field(init=False, default_factory=Counting)
    pipeline: Pipeline = field(init=False)

    def __enter__(self) -> "Flooded":
        self.pipeline = Pipeline(Translator(Clock()), [self.sink])
        self.arena.drain()
        self.reader = Reader(self.arena.engine, self.pipeline)
        return super().__enter__()

    def _records(self) -> list[Record]:
        for _ in range(64):
            if not self.reader.read():
                break
        return []

    def flood(self, denials: int, objects: int, programs: Sequence[str], lookers: int = 2) -> Done:
        before = self.arena.engine.counters()
        each, rest = divmod(denials, TASKS)
        assert rest == 0
        script = f"flood {TASKS} {each} {objects} {PLACE} {lookers} {PLACE}/seen {' '.join(programs)}"
        done = self.do(script, timeout=1500)
        self.reader.finish()
        after = self.arena.engine.counters()
        self.lost = {name: after[name] - before[name] for name in after}
        return done


def lay_out(objects: int) -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    for directory in ("kept", "new"):
        Path(PLACE, directory).mkdir(parents=True)
    for number in range(objects):
        Path(PLACE, "kept", str(number)).write_text("content")
    Path(PLACE, "seen").write_text("content")


DIRECTORIES = [{"dir": f"{PLACE}/{name}/", "recursive": True} for name in ("kept", "new")]
POLICY = policy(file={"matchDirectories": DIRECTORIES})


def expected(denials: int, objects: int, programs: Sequence[str]) -> Counter[Violation]:
    """What tasks do that go through the objects in one way, then in the next (helpers/flood.c)."""
    made: Counter[Violation] = Counter()
    each = denials // TASKS
    for task in range(TASKS):
        for way, (call, flags) in enumerate(WAYS):
            for number in range(objects):
                first = way * objects + number
                times = len(range(first, each, len(WAYS) * objects))
                path = f"{PLACE}/{'new' if call == 'mkdir' else 'kept'}/{number}"
                if times:
                    made[programs[task % len(programs)], call, flags, path] += times
    return made


@pytest.fixture
def programs(act: Path) -> list[str]:
    """Two programs that do the same."""
    lay_out(OBJECTS)
    copies = []
    for name in ("one", "two"):
        copies.append(f"{PLACE}/{name}")
        shutil.copy(act, copies[-1])
    return copies


@pytest.mark.timeout(1800)
def test_in_a_flood_every_distinct_violation_is_told_and_the_counts_are_exact(
    arena: Arena, act: Path, programs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with Flooded(arena, act, POLICY, visible=[Section.FILE]) as session:
        done = session.flood(DENIALS, OBJECTS, programs)
    sink, lost = session.sink, session.lost
    with capsys.disabled():
        print(
            f"\n{DENIALS} denials in {done.notes['milliseconds']} ms, {len(sink.accesses)} distinct:"
            f" {sink.alerts} alerts; {sink.logs} permitted accesses told, {lost['lost_events']} lost"
        )
    assert (done.results, done.notes["failed"]) == (["ok"], 0)
    assert sink.accesses == expected(DENIALS, OBJECTS, programs)
    assert len(sink.accesses) == len(WAYS) * OBJECTS * len(programs)
    assert session.pipeline.summary.refused == DENIALS
    assert sink.backward == 0
    assert sink.alerts < DENIALS / 4
    # the flood of the permitted took no room from the violations, and was one
    assert lost["lost_violations"] == 0
    assert lost["lost_events"] > 0
    assert session.pipeline.losses == Losses()


class Hasty(Flooded):
    """Its reader comes before all others, and again and again: programs are preempted wherever they are."""

    def _records(self) -> list[Record]:
        for _ in range(200):
            self.reader.read()
            time.sleep(0.0005)
        return []


@contextmanager
def first_in_line() -> Iterator[None]:
    """This process runs whenever it can."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.mark.preempt
@pytest.mark.timeout(900)
def test_no_count_is_lost_while_windows_change_as_fast_as_they_can(
    arena: Arena,
    act: Path,
    programs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    denials, objects = 32_000, 2
    monkeypatch.setattr(reading, "WINDOW_SECONDS", 0.0)
    before = arena.engine.repeats.window
    with Hasty(arena, act, POLICY) as session, first_in_line():
        done = session.flood(denials, objects, programs)
    windows = arena.engine.repeats.window - before
    with capsys.disabled():
        print(f"\n{denials} denials in {windows} windows: {session.sink.alerts} alerts")
    assert done.notes["failed"] == 0
    assert session.sink.accesses == expected(denials, objects, programs)
    assert session.lost["lost_violations"] == 0
    assert windows > 10
    assert session.sink.alerts > windows


class Unread(Session):
    """A session whose reader has stopped."""

    def _records(self) -> list[Record]:
        return []


def test_with_a_reader_that_has_stopped_what_is_told_counted_and_lost_adds_up(
    act: Path, programs: list[str]
) -> None:
    denials = 4000
    needed = TableFlag.FILE | TableFlag.BLOCKS
    with Arena(table_bytes=1 << 20, ring_bytes=4096, disabled=needless(needed)) as arena:
        ring, repeats = arena.engine.violations, arena.engine.repeats
        with Unread(arena, act, POLICY) as session:
            script = f"flood {TASKS} {denials // TASKS} {OBJECTS} {PLACE} 0 {PLACE}/seen {' '.join(programs)}"
            assert session.do(script).notes["failed"] == 0
            lost = arena.engine.counters()["lost_violations"]
            told = drain(ring)

            # The ring has room again: what was lost before is not taken for told.
            assert session.do(script).notes["failed"] == 0
            lost_again = arena.engine.counters()["lost_violations"] - lost
            told_again = drain(ring)
            window = repeats.close_window()
            assert repeats.quiet(window)
            counted = sum(repeat.count for repeat in decode_repeats(window, repeats.take(window)))
        assert lost > 0
        assert counted > 0
        assert len(told) + len(told_again) + counted + lost + lost_again == 2 * denials
        assert {record.slot for record in told}.isdisjoint({record.slot for record in told_again})
        assert min(len(told), len(told_again)) >= 5
        assert lost_again < lost
        assert arena.engine.counters()["lost_events"] == 0


def test_what_finds_no_slot_is_told_one_by_one(act: Path, programs: list[str]) -> None:
    objects = SLOTS + 500
    lay_out(objects)
    shutil.copy(act, programs[0])
    needed = TableFlag.FILE | TableFlag.BLOCKS
    with Arena(table_bytes=1 << 20, ring_bytes=1 << 23, disabled=needless(needed)) as arena:
        repeats = arena.engine.repeats
        with Unread(arena, act, POLICY) as session:
            script = f"flood {TASKS} {objects} {objects} {PLACE} 0 {PLACE}/seen {programs[0]}"
            assert session.do(script).notes["failed"] == 0
            told = drain(arena.engine.violations)
            window = repeats.close_window()
            assert repeats.quiet(window)
            counted = list(decode_repeats(window, repeats.take(window)))
        assert arena.engine.counters()["lost_violations"] == 0
    assert len({record.object for record in told}) == objects
    assert len(told) + sum(repeat.count for repeat in counted) == TASKS * objects
    alone = Counter(record.object for record in told if not record.slot)
    assert len(alone) >= 500
    assert set(alone.values()) == {TASKS}
    assert len(counted) + len(alone) == objects
