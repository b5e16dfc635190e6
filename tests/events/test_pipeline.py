# SPDX-License-Identifier: Apache-2.0
"""From a ring's batches to the sinks, and what is counted on the way."""

import errno

from hauberk.events.alert import Alert, Log
from hauberk.events.clock import Clock
from hauberk.events.outcomes import MOST, PATIENCE_NS, UNKNOWN_REASON
from hauberk.events.pipeline import Losses, Pipeline
from hauberk.events.record import Call
from hauberk.events.summary import Summary
from hauberk.rules.model import NONE, POSTURE, Section, Verdict

from .golden import POD, translator
from .pack import access, pack


class Collector:
    """A sink that keeps everything."""

    def __init__(self):
        self.events = []
        self.batches = []
        self.flushed = 0
        self.lost = 0

    def write(self, events):
        self.events += events
        self.batches.append(len(events))

    def flush(self):
        self.flushed += 1

    def close(self):
        pass


def test_every_sink_gets_every_event_in_order():
    sinks = [Collector(), Collector()]
    paths = [f"/data/{number}".encode() for number in range(1000)]
    Pipeline(translator(), sinks).feed(pack(access(object=path)) for path in paths)
    for sink in sinks:
        assert [event.Resource.encode() for event in sink.events] == paths
        assert max(sink.batches) < 1000


def test_the_bytes_of_a_batch_may_be_overwritten_after_it_was_fed():
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    buffer = bytearray(pack(access()))
    pipeline.feed([memoryview(buffer)])
    buffer[:] = bytes(len(buffer))
    assert sink.events[0].Resource == "/etc/shadow"


def test_damaged_records_are_counted_and_the_others_arrive():
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    assert pipeline.feed([b"", pack(access()), b"\xff" * 100]) == 3
    assert len(sink.events) == 1
    assert pipeline.losses == Losses(corrupt=2)


def test_losses_are_told_apart():
    sinks = [Collector(), Collector()]
    pipeline = Pipeline(translator(), sinks)
    assert pipeline.losses == Losses()
    sinks[0].lost, sinks[1].lost = 3, 4
    pipeline.note_ring_losses(violations=5, events=6)
    pipeline.feed([b""])
    assert pipeline.losses == Losses(violations=5, events=6, corrupt=1, sinks=7)


def test_the_end_of_a_workload_is_told_after_its_last_event():
    sink = Collector()
    seen = []
    pipeline = Pipeline(
        translator(), [sink], on_ended=lambda workload: seen.append((workload, len(sink.events)))
    )
    pipeline.feed([pack(access()), pack(access(call=Call.ENDED)), pack(access())])
    assert seen == [(POD, 1)]
    assert len(sink.events) == 2


def test_flush_reaches_every_sink():
    sinks = [Collector(), Collector()]
    Pipeline(translator(), sinks).flush()
    assert [sink.flushed for sink in sinks] == [1, 1]


def test_an_empty_batch_bothers_no_sink():
    sink = Collector()
    assert Pipeline(translator(), [sink]).feed([]) == 0
    assert sink.batches == []


def test_the_summary_counts_by_policy_and_rule():
    pipeline = Pipeline(translator(), [])
    pipeline.feed(
        pack(record)
        for record in [
            access(object=b"/etc/shadow"),
            access(rule=2, verdict=Verdict.AUDIT, object=b"/etc/motd"),
            access(object=b"/etc/gshadow"),
            access(rule=POSTURE, section=Section.NETWORK, call=Call.SOCKET, detail=(2, 1, 0, 0)),
            access(rule=NONE, verdict=Verdict.PERMIT),
        ]
    )
    summary = pipeline.summary
    assert (summary.refused, summary.audited, summary.logged) == (3, 1, 1)
    assert [
        (row.policy, row.rule, row.line, row.operation, row.action, row.count) for row in summary.rows()
    ] == [
        ("cart-hardening", "spec.file.matchPaths[0]", 10, "File", "Block", 2),
        ("cart-hardening", "spec.file.matchDirectories[0]", 12, "File", "Audit", 1),
        ("DefaultPosture", "", 0, "Network", "Block", 1),
    ]
    assert summary.rows()[0].latest.Resource == "/etc/gshadow"


def test_a_summary_does_not_count_the_mark_of_a_gap():
    summary = Summary()
    mark = Alert(PPID=0, UID=0, Hauberk=translator().translate(access()).Hauberk, Type="SystemEvent")
    summary.add([mark])
    assert (summary.refused, summary.audited, summary.logged, summary.rows()) == (0, 0, 0, [])


def test_permitted_accesses_become_logs():
    sink = Collector()
    Pipeline(translator(), [sink]).feed([pack(access(rule=NONE, verdict=Verdict.PERMIT))])
    assert [type(event) for event in sink.events] == [Log]


def execution(number, **changes):
    """A permitted exec whose outcome will come under this number."""
    values = {"section": Section.PROCESS, "call": Call.EXEC, "verdict": Verdict.PERMIT, "rule": NONE}
    return pack(access(**(values | {"object": b"/bin/a", "detail": (1, number, 0, 0)} | changes)))


def outcome(number, error=0):
    return pack(
        access(
            call=Call.EXECUTED, section=Section.PROCESS, verdict=0, detail=(number, -error & 0xFFFFFFFF, 0, 0)
        )
    )


def test_an_exec_has_the_result_that_came_of_it():
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    pipeline.feed([execution(1), execution(2, object=b"/bin/script"), execution(3), execution(2)])
    assert sink.events == []
    pipeline.feed([outcome(2, errno.ENOEXEC), outcome(1), outcome(3, errno.ENOENT), outcome(3), outcome(9)])
    assert [(event.Resource, event.Result) for event in sink.events] == [
        ("/bin/script", "Exec format error"),
        ("/bin/a", "Exec format error"),
        ("/bin/a", "Passed"),
        ("/bin/a", "No such file or directory"),
    ]
    assert not any(event.Hauberk.Reason for event in sink.events)


def test_what_is_refused_audited_or_without_a_number_waits_for_nothing():
    sink = Collector()
    Pipeline(translator(), [sink]).feed(
        [execution(1, verdict=Verdict.REFUSE), execution(1, verdict=Verdict.AUDIT), execution(0)]
    )
    assert [event.Result for event in sink.events] == ["Permission denied", "Passed", "Passed"]


def test_an_exec_whose_outcome_is_lost_is_told_and_says_so():
    now = [0]
    sink = Collector()
    made = translator()
    made.clock = Clock(lambda: now[0], lambda: now[0])
    pipeline = Pipeline(made, [sink])
    pipeline.feed([execution(1, time_ns=10), execution(2, time_ns=20)])
    now[0] = PATIENCE_NS + 9
    pipeline.flush()
    assert sink.events == []
    now[0] += 1
    pipeline.flush()
    pipeline.flush()
    assert [event.Hauberk.Reason for event in sink.events] == [UNKNOWN_REASON]
    pipeline.tell_held()
    pipeline.tell_held()
    assert len(sink.events) == 2


def test_no_more_execs_are_held_than_there_is_room_for():
    sink = Collector()
    pipeline = Pipeline(translator(), [sink])
    pipeline.feed(execution(number) for number in range(1, MOST + 4))
    assert len(sink.events) == 3
    pipeline.feed([outcome(MOST + 3)])
    pipeline.tell_held()
    assert len(sink.events) == MOST + 3
