# SPDX-License-Identifier: Apache-2.0
"""What the golden files do not show: many records, changing tables, hostile names."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.alert import Alert, Log, parse_event
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.names import LSM_NAMES
from hauberk.events.record import Call
from hauberk.events.text import unescape
from hauberk.rules.model import Action, PolicyId, Rule, Scope, Section, Verdict

from .golden import GENERATION, POD, RULES, translator
from .pack import access
from .test_record import records


def rule(name):
    policy = PolicyId("KubeArmorPolicy", "shop", name)
    return Rule(
        policy, Scope.NAMESPACE, 0, "spec.file.matchPaths[0]", 1, Section.FILE, Action.BLOCK, RULES[0].target
    )


@given(records.filter(lambda record: record.call not in (Call.ENDED, Call.EXECUTED)))
def test_every_record_becomes_an_alert_or_a_log_of_valid_json(record):
    event = translator().translate(record)
    assert isinstance(event, Alert if record.verdict in (Verdict.AUDIT, Verdict.REFUSE) else Log)
    line = msgspec.json.encode(event)
    assert b"\n" not in line
    again = parse_event(line)
    assert type(again) is type(event)
    assert again == event
    for number in (again.HostPID, again.PID, again.PPID, again.HostPPID):
        assert number >= 0
    assert -(2**31) <= again.UID < 2**31


@given(records.filter(lambda record: record.call not in (Call.ENDED, Call.EXECUTED)))
def test_an_alert_always_says_who_decided_and_what_came_of_it(record):
    event = translator().translate(record)
    if isinstance(event, Alert):
        assert event.PolicyName
        assert event.Hauberk.Rule or event.Hauberk.Reason
        if record.call != Call.SYSCALL:
            assert (event.Action, event.Result) in (("Block", "Permission denied"), ("Audit", "Passed"))
    assert event.Operation in ("Process", "File", "Network", "Capabilities", "Syscall")
    hook = LSM_NAMES.get(Call(record.call))
    data = "syscall=SYS_" if record.call == Call.SYSCALL else f"lsm={hook}" if hook else "kfunc="
    assert event.Data.startswith(data)


@given(st.binary(max_size=60), st.lists(st.binary(max_size=20).map(lambda word: word.replace(b"\0", b""))))
def test_the_arguments_come_back_one_by_one(path, words):
    args = b"".join(word + b"\0" for word in words)
    record = access(section=Section.PROCESS, call=Call.EXEC, object=path, args=args)
    event = translator().translate(record)
    assert unescape(event.ProcessName) == path
    assert [unescape(word) for word in event.Hauberk.Args] == words
    assert not event.Hauberk.ArgsTruncated


def test_one_record_leaves_nothing_in_the_next():
    translate = translator().translate
    plain = access()
    before = msgspec.json.encode(translate(plain))
    translate(access(other=b"/x", owner=5, tid=1, tty=b"pts1", uid=0, object=b"/y", detail=(2, 0, 0, 0)))
    assert msgspec.json.encode(translate(plain)) == before


def test_the_rule_is_looked_up_in_the_table_of_the_record():
    made = translator()
    made.add_rules(POD, GENERATION + 1, [rule("newer")])
    assert made.translate(access()).PolicyName == "cart-hardening"
    assert made.translate(access(generation=GENERATION + 1)).PolicyName == "newer"


def test_a_table_that_is_given_again_counts_from_then_on():
    made = translator()
    assert made.translate(access()).PolicyName == "cart-hardening"
    made.add_rules(POD, GENERATION, [rule("other")])
    assert made.translate(access()).PolicyName == "other"


def test_an_identity_that_changes_counts_from_then_on():
    made = translator()
    assert made.translate(access()).PodName == "cart-5d9-x1"
    made.add_workload(POD, WorkloadIdentity(pod_name="cart-2"))
    assert made.translate(access()).PodName == "cart-2"


def test_alerts_whose_rule_is_not_known_are_counted_every_time():
    made = translator()
    made.drop_rules(POD, GENERATION)
    assert [made.translate(access()).PolicyName for _ in range(3)] == ["UnknownRule"] * 3
    assert made.unresolved == 3


def test_a_workload_that_is_dropped_takes_its_tables_with_it():
    made = translator()
    made.drop_workload(POD)
    event = made.translate(access())
    assert event.PolicyName == "UnknownRule"
    assert event.PodName == ""


def test_more_kinds_of_records_than_are_remembered_change_nothing():
    made = translator()
    made.add_rules(POD, GENERATION, [rule(f"policy-{number}") for number in range(9000)])
    for number in [*range(9000), 0, 8999]:
        assert made.translate(access(rule=number)).PolicyName == f"policy-{number}"


def test_an_identity_with_lone_surrogates_is_still_json():
    made = translator()
    made.add_workload(POD, WorkloadIdentity(pod_name="a\udcff", labels={"k": "\udc80"}))
    event = parse_event(msgspec.json.encode(made.translate(access())))
    assert event.PodName == "a\\udcff"


def test_arguments_that_did_not_fit_are_said_to_be_missing():
    record = access(
        section=Section.PROCESS,
        call=Call.EXEC,
        object=b"/usr/bin/sleep",
        args=b"sleep\x001\x00",
        detail=(3, 0, 0, 0),
    )
    event = translator().translate(record)
    assert event.Hauberk.ArgsTruncated
    assert event.Resource == "/usr/bin/sleep 1 ..."


def test_secrets_are_in_neither_form_of_the_arguments():
    record = access(
        section=Section.PROCESS,
        call=Call.EXEC,
        object=b"/usr/bin/mysql",
        args=b"mysql\0--password=hunter2\0",
        detail=(2, 0, 0, 0),
    )
    event = translator().translate(record)
    assert event.Resource == "/usr/bin/mysql --password=***"
    assert event.Hauberk.Args == ("mysql", "--password=***")
    assert b"hunter2" not in msgspec.json.encode(event)


def test_only_events_of_the_host_name_the_user():
    made = translator()
    assert made.translate(access(uid=0)).UserName == ""
    made.add_workload(POD, WorkloadIdentity(is_host=True))
    assert made.translate(access(uid=0, verdict=Verdict.PERMIT)).UserName == "root"
