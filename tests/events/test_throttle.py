# SPDX-License-Identifier: Apache-2.0
"""Alerts that are too many are told together, and their counts add up."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events import throttle
from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.throttle import Throttle, Throttling

SETTING = Throttling(alerts=3, seconds=30)


def alert(
    resource: str = "/etc/shadow", *, count: int = 1, of: str = "web", at: int = 0, **more: str
) -> Alert:
    made = Alert(PPID=1, UID=0, Hauberk=Extras(Rule="spec.file.matchPaths[0]", Count=count))
    made.Type, made.Action, made.PolicyName = "MatchedPolicy", "Block", "guard"
    made.Resource, made.ContainerName, made.ContainerImage = resource, of, "nginx"
    made.Timestamp, made.UpdatedTime = at, f"2026-01-01T00:00:{at:02}.000000Z"
    for key, value in more.items():
        setattr(made, key, value)
    return made


def passed(limit: Throttle, events: list[Alert | Log], now: float = 0.0) -> list[Alert | Log]:
    return [told for event in events for told in limit.take(event, now)]


def test_the_first_alerts_pass_and_one_notice_tells_of_the_others() -> None:
    limit = Throttle(SETTING)
    events = [alert(f"/{number}") for number in range(6)]
    *first, notice = passed(limit, events)
    assert first == events[:3]
    assert (notice.Type, notice.Operation) == ("SystemEvent", "AlertThreshold")
    assert isinstance(notice, Alert)
    assert (notice.MaxAlertsPerSec, notice.DroppingAlertsInterval) == (3, 30)
    assert (notice.ContainerName, notice.ContainerImage, notice.Hauberk.Count) == ("web", "nginx", 0)
    assert limit.due() == 30.0
    assert list(limit.expire(29.9)) == []
    assert list(limit.expire(30.0)) == events[3:]
    assert limit.due() is None


def test_what_is_alike_is_told_in_one_alert_with_its_times() -> None:
    limit = Throttle(SETTING)
    passed(limit, [alert() for _ in range(3)])
    passed(limit, [alert(at=5), alert(at=9, count=7, HostPID="8"), alert(at=7)])
    (told,) = limit.expire(30.0)
    expected = alert(at=9, count=9)
    expected.Hauberk.FirstTime, expected.Hauberk.LastTime = alert(at=5).UpdatedTime, alert(at=9).UpdatedTime
    assert told == expected


def test_an_alert_that_others_have_too_is_left_as_it_is() -> None:
    limit = Throttle(SETTING)
    passed(limit, [alert() for _ in range(3)])
    first = alert(count=5)
    first.Hauberk.FirstTime = first.Hauberk.LastTime = first.UpdatedTime
    before = msgspec.json.encode(first)
    passed(limit, [first, alert()])
    assert msgspec.json.encode(first) == before


def test_a_second_later_as_many_pass_again() -> None:
    limit = Throttle(SETTING)
    for now in (0.0, 1.0, 2.0):
        assert len(passed(limit, [alert() for _ in range(3)], now)) == 3
    assert limit.due() is None


def test_after_a_silence_the_counting_begins_anew() -> None:
    limit = Throttle(SETTING)
    passed(limit, [alert() for _ in range(9)])
    list(limit.expire(30.0))
    assert [told.Type for told in passed(limit, [alert() for _ in range(5)], 30.0)] == [
        *["MatchedPolicy"] * 3,
        "SystemEvent",
    ]


def test_a_workload_is_not_held_back_for_another() -> None:
    limit = Throttle(SETTING)
    passed(limit, [alert() for _ in range(9)])
    assert passed(limit, [alert(of="shop")]) == [alert(of="shop")]


def test_logs_and_marks_of_gaps_pass() -> None:
    limit = Throttle(SETTING)
    passed(limit, [alert() for _ in range(9)])
    log = Log(PPID=1, UID=0, Type="ContainerLog", ContainerName="web", Hauberk=Extras())
    gap = alert(Type="SystemEvent")
    assert passed(limit, [log, gap]) == [log, gap]


def test_without_a_setting_everything_passes() -> None:
    limit = Throttle(None)
    events = [alert() for _ in range(100)]
    assert passed(limit, list(events)) == events
    assert (limit.due(), list(limit.expire())) == (None, [])


def test_of_more_kinds_than_are_kept_one_alert_tells() -> None:
    limit = Throttle(SETTING)
    kinds = throttle.KINDS_OF_ONE
    passed(limit, [alert() for _ in range(3)])
    passed(limit, [alert(f"/{number}", at=number % 50) for number in range(kinds + 40)])
    *told, rest = limit.expire(30.0)
    assert [each.Resource for each in told] == [f"/{number}" for number in range(kinds)]
    assert (rest.PolicyName, rest.Resource, rest.Hauberk.Count) == ("OtherAlerts", "", 40)
    assert rest.ContainerName == "web"
    assert rest.Hauberk.FirstTime < rest.Hauberk.LastTime


def test_workloads_of_which_nothing_is_held_back_are_forgotten() -> None:
    limit = Throttle(SETTING)
    passed(limit, [alert(of=f"{number}") for number in range(throttle.IDLE)])
    passed(limit, [alert(of="late")], 2.0)
    assert len(limit._workloads) == 1


_events = st.builds(
    alert,
    st.sampled_from(["/a", "/b", "/c", "/d"]),
    count=st.integers(1, 9),
    of=st.sampled_from(["web", "shop"]),
    at=st.integers(0, 59),
    Action=st.sampled_from(["Block", "Audit"]),
    PolicyName=st.sampled_from(["one", "two"]),
)


@given(
    st.lists(st.tuples(st.floats(0, 0.4), st.lists(_events, max_size=12)), max_size=30),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_nothing_is_lost(batches, most, seconds, kinds):  # type: ignore[no-untyped-def]
    """Of every workload and action clients are told of as many accesses as there were."""
    came, told = Counter(), Counter()

    def tell(alerts):  # type: ignore[no-untyped-def]
        for each in alerts:
            told[each.ContainerName, each.Action] += each.Hauberk.Count if each.Action else 0

    before = throttle.KINDS_OF_ONE
    throttle.KINDS_OF_ONE = kinds
    try:
        limit, now = Throttle(Throttling(most, seconds)), 0.0
        for pause, events in batches:
            now += pause
            tell(limit.expire(now))
            for event in events:
                came[event.ContainerName, event.Action] += event.Hauberk.Count
            tell(passed(limit, list(events), now))
        tell(limit.expire())
    finally:
        throttle.KINDS_OF_ONE = before
    assert +told == +came
    assert limit.due() is None
