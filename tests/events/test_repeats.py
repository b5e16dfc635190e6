# SPDX-License-Identifier: Apache-2.0
"""Repeats: from slots to alerts whose counts add up."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.alert import Alert
from hauberk.events.pipeline import Losses, Pipeline
from hauberk.events.record import Call
from hauberk.events.repeats import SLOTS, WINDOW_BYTES, Firsts, Repeat, decode_repeats
from hauberk.rules.model import NONE, Verdict

from .golden import translator
from .pack import access, pack, pack_window, repeat
from .test_pipeline import Collector

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)


def slots(parity):
    return st.integers(1 + parity * SLOTS, (1 + parity) * SLOTS)


def windows(parity):
    """Lists of what is counted in one window, by slot."""
    return st.lists(
        st.builds(
            Repeat,
            slot=slots(parity),
            count=st.integers(1, 2**64 - 1),
            first_ns=u64,
            last_ns=u64,
            workload=u32,
            generation=u32,
            rule=u32,
            verdict=st.integers(0, 255),
            section=st.integers(0, 255),
            call=st.integers(0, 2**16 - 1),
        ),
        unique_by=lambda each: each.slot,
        max_size=20,
    )


@given(st.integers(0, 1).flatmap(lambda parity: st.tuples(st.just(parity), windows(parity))))
def test_what_a_window_holds_round_trips(case):
    parity, counted = case
    assert list(decode_repeats(parity, pack_window(*counted))) == sorted(counted, key=lambda each: each.slot)


@given(st.binary(max_size=200).map(lambda raw: raw + bytes(-len(raw) % 56)))
def test_any_bytes_of_slots_decode_and_nothing_counted_is_forgotten(raw):
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    pipeline.feed_repeats(0, raw)
    counted = sum(int.from_bytes(raw[at + 16 : at + 24], "little") for at in range(0, len(raw), 56))
    assert sum(event.Hauberk.Count for event in sink.events) + pipeline.losses.corrupt == counted


def test_an_empty_window_says_nothing():
    assert list(decode_repeats(0, b"")) == []
    assert list(decode_repeats(1, bytes(WINDOW_BYTES))) == []


# What happens to a run: something new in a slot, repeats of it, or the end of a window.
steps = st.lists(st.integers(0, 5), max_size=60)


@given(steps)
def test_whatever_the_order_the_counts_of_all_alerts_add_up_to_what_was_done(order):
    """Steps 0 to 3: an access of that object; 4: the window is closed; 5: the closed one is read."""
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    window, closed = 0, None
    counts: list[Counter[int]] = [Counter(), Counter()]
    made: Counter[str] = Counter()

    def take():
        nonlocal closed
        if closed is not None:
            parity = closed & 1
            found = [
                repeat(slot=1 + thing + parity * SLOTS, count=number - 1)
                for thing, number in counts[parity].items()
                if number > 1
            ]
            pipeline.feed_repeats(closed, pack_window(*found))
            counts[parity].clear()
            closed = None

    for step in order:
        if step == 4:
            take()
            closed, window = window, window + 1
        elif step == 5:
            take()
        else:
            parity = window & 1
            made[f"/{step}"] += 1
            counts[parity][step] += 1
            if counts[parity][step] == 1:
                slot = 1 + step + parity * SLOTS
                pipeline.feed([pack(access(slot=slot, object=f"/{step}".encode()))])
    take()
    closed = window
    take()
    told: Counter[str] = Counter()
    for event in sink.events:
        told[event.Resource] += event.Hauberk.Count
    assert told == made
    assert pipeline.summary.refused == made.total()
    assert pipeline.losses == Losses()
    assert not pipeline.holds(0)
    assert not pipeline.holds(1)


def test_repeats_are_told_as_the_first_was_with_their_number_and_times():
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    pipeline.feed([pack(access(slot=5, tgid=11)), pack(access(slot=5, tgid=12))])
    assert pipeline.holds(0)
    pipeline.feed_repeats(0, pack_window(repeat(count=40)))
    first, second, third = sink.events
    assert (first.Hauberk.Count, second.Hauberk.Count, third.Hauberk.Count) == (1, 1, 40)
    assert (first.HostPID, second.HostPID, third.HostPID) == (11, 12, 11)
    assert third.Hauberk.FirstTime < third.Hauberk.LastTime == third.UpdatedTime
    assert first.UpdatedTime < third.Hauberk.FirstTime
    for event in (first, third):
        event.Timestamp, event.UpdatedTime = 0, ""
        event.Hauberk.Count, event.Hauberk.FirstTime, event.Hauberk.LastTime = 1, "", ""
    assert first == third
    (row,) = pipeline.summary.rows()
    assert (row.count, row.latest) == (42, third)


def test_the_latest_alert_of_a_summary_is_so_by_its_time():
    pipeline = Pipeline(translator(), [])
    pipeline.feed([pack(access(slot=5)), pack(access(time_ns=repeat().last_ns + 10**6, object=b"/late"))])
    pipeline.feed_repeats(0, pack_window(repeat()))
    assert pipeline.summary.rows()[0].latest.Resource == "/late"


def test_repeats_whose_first_is_not_known_are_told_with_their_rule():
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    pipeline.feed_repeats(0, pack_window(repeat(count=4)))
    (event,) = sink.events
    assert isinstance(event, Alert)
    assert (event.PolicyName, event.Hauberk.Rule, event.Hauberk.Count) == (
        "cart-hardening",
        "spec.file.matchPaths[0]",
        4,
    )
    assert (event.Resource, event.Data, event.EventData, event.HostPID) == ("", "", {}, 0)
    assert "not known here" in event.Hauberk.Reason


def test_repeats_of_nonsense_are_counted_as_damaged():
    pipeline = Pipeline(translator(), [])
    pipeline.feed_repeats(
        0, pack_window(repeat(call=Call.ENDED, count=6), repeat(slot=9, verdict=4, count=1))
    )
    assert pipeline.losses == Losses(corrupt=7)


def test_a_record_that_names_no_slot_is_not_kept():
    pipeline = Pipeline(translator(), [])
    pipeline.feed([pack(access()), pack(access(rule=NONE, verdict=Verdict.PERMIT))])
    assert not pipeline.holds(0)
    assert not pipeline.holds(1)


def test_the_end_of_a_workload_is_told_after_its_repeats():
    sink = Collector()
    ends = []
    pipeline = Pipeline(translator(), [sink], on_ended=lambda workload: ends.append(len(sink.events)))
    other = repeat(slot=5 + SLOTS)
    pipeline.feed([pack(access(slot=5)), pack(access(slot=other.slot)), pack(access(call=Call.ENDED))])
    assert ends == []
    pipeline.feed_repeats(0, pack_window(repeat()))
    assert ends == []
    # later repeats, of others, do not put it off again
    pipeline.feed([pack(access(slot=5, workload=1))])
    pipeline.feed_repeats(1, pack_window(other))
    assert ends == [4 + 1]


def test_what_is_kept_of_firsts_is_bounded_in_number_and_bytes():
    long = access(object=b"x" * 4096, args=b"y" * 4096)
    firsts = Firsts(kept_bytes=100_000)
    for slot in range(1, 2 * SLOTS + 10):
        firsts.add(access(slot=slot, **{name: getattr(long, name) for name in ("object", "args")}))
    assert firsts.of(0) == firsts.of(1) == 50_000 // (2 * 4096 + len(b"/usr/bin/dash/usr/sbin/nginx/var/www"))
    firsts.forget(0)
    assert (firsts.of(0), firsts.get(1)) == (0, None)
    firsts.add(access(slot=1))
    assert firsts.get(1) == access(slot=1)
    for slot in range(1, 2 * SLOTS + 10):
        firsts.add(access(slot=slot, object=b"", exe=b"", parent=b"", cwd=b""))
    assert firsts.of(0) == SLOTS
    assert firsts.of(1) == SLOTS


@pytest.mark.parametrize("call", [Call.KILL, Call.IOCTL, Call.UNIX, Call.INHERIT, Call.CONNECT])
def test_repeats_of_every_call_that_can_be_refused_are_sound(call):
    assert repeat(call=call).sound


@pytest.mark.parametrize("call", [Call.ENDED, Call.HOLD, Call.DNS, Call.EXIT, max(Call) + 1])
def test_repeats_of_what_is_never_a_violation_are_not(call):
    assert not repeat(call=call).sound
