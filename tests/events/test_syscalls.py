# SPDX-License-Identifier: Apache-2.0
"""System calls that rules name: which of them become alerts, and what these say."""

import errno

import pytest

from hauberk.automaton.patterns import Exact
from hauberk.events.alert import Alert
from hauberk.events.clock import Clock
from hauberk.events.identity import RuleIdentity, WorkloadIdentity
from hauberk.events.pipeline import Pipeline
from hauberk.events.record import Call, Record
from hauberk.events.repeats import decode_repeats
from hauberk.events.syscalls import ATTEMPTED, call_data, number_of, paths_of, result
from hauberk.events.translate import Translator
from hauberk.policy.syscalls import NUMBERS
from hauberk.rules.model import SYSCALL, Action, PolicyId, Rule, Scope, Section, Verdict
from hauberk.rules.syscalls import Calls, Place
from tests.events.pack import access, pack, pack_window, repeat

POLICY = PolicyId("KubeArmorPolicy", "shop", "calls")


def rule(index: int, *names: str, path: bytes = b"", program: bytes = b"") -> Rule:
    numbers = tuple(sorted(NUMBERS[name] for name in names))
    objects = (Place(path, True, True),) if path else ()
    programs = (Place(program),) if program else ()
    return Rule(
        POLICY, Scope.NAMESPACE, index, f"rule-{index}", 1, Section.SYSCALLS, Action.AUDIT,
        Calls(numbers, objects, programs), severity=4,
    )  # fmt: skip


OTHER = Rule(
    POLICY, Scope.NAMESPACE, 9, "spec.file.matchPaths[0]", 1, Section.FILE, Action.AUDIT, Exact(b"/home/x")
)
RULES = (OTHER, rule(1, "unlink", path=b"/home"), rule(2, "setuid", program=b"/usr/bin/su"), rule(3, "mount"))


def called(name: str, args: bytes = b"", **more: object) -> Record:
    return access(
        rule=SYSCALL, verdict=Verdict.AUDIT, section=Section.SYSCALLS, call=Call.SYSCALL, object=b"",
        args=args, detail=(NUMBERS[name], 0, 0, 0), **more,
    )  # fmt: skip


def translator(rules: tuple[Rule | RuleIdentity, ...] = RULES) -> Translator:
    found = Translator(Clock())
    found.add_workload(7, WorkloadIdentity(namespace="shop", container_name="cart"))
    found.add_rules(7, 3, rules)
    return found


def alert(record: Record) -> Alert | None:
    found = translator()
    resolved = found.resolve(record)
    event = found.translate(resolved) if resolved is not None else None
    assert event is None or isinstance(event, Alert)
    return event


def test_an_alert_names_the_rule_and_says_what_KubeArmors_would() -> None:
    found = alert(called("unlink", b"/job\0../home/a//b\0"))
    assert found is not None
    assert (found.PolicyName, found.Action, found.Type) == ("calls", "Audit", "MatchedPolicy")
    assert (found.Operation, found.Resource, found.Result) == ("Syscall", "/home/a/b", "Passed")
    assert (found.Data, found.EventData) == ("syscall=SYS_UNLINK", {"Syscall": "SYS_UNLINK"})
    assert (found.Severity, found.Enforcer, found.Hauberk.Rule) == ("4", "", "rule-1")
    assert found.ProcessName == found.Source


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (called("unlink", b"/\0/home/a\0"), "rule-1"),
        (called("unlink", b"/home\0a\0"), "rule-1"),
        (called("unlink", b"/home/a\0../../tmp/x\0"), None),
        (called("unlink", b"/\0/homes\0"), None),
        (called("rmdir", b"/\0/home/a\0"), None),
        (called("setuid", exe=b"/usr/bin/su"), "rule-2"),
        (called("setuid", exe=b"/usr/bin/sudo"), None),
        (called("mount", b"/\0/mnt\0"), "rule-3"),
    ],
)
def test_only_calls_that_a_rule_is_about_become_alerts(record: Record, rule: str | None) -> None:
    found = alert(record)
    assert (found.Hauberk.Rule if found else None) == rule


def test_what_is_kept_of_rules_tells_the_same_as_the_rules() -> None:
    record = called("unlink", b"/\0/home/a\0")
    kept = translator(tuple(map(RuleIdentity.of, RULES)))
    assert kept.resolve(record) == translator().resolve(record)
    assert kept.resolve(called("unlink", b"/\0/tmp\0")) is None


def test_a_path_that_could_not_be_read_is_told_and_not_kept_back() -> None:
    found = alert(called("unlink", b"\0\0"))
    assert found is not None
    assert (found.Resource, "could not be read" in found.Hauberk.Reason) == ("", True)


def test_a_call_under_rules_that_are_not_known_is_told() -> None:
    found = translator()
    record = called("unlink", b"/\0/tmp/x\0", generation=44)
    assert found.resolve(record) is record
    event = found.translate(record)
    assert isinstance(event, Alert)
    assert (event.PolicyName, found.unresolved) == ("UnknownRule", 1)


def test_both_paths_of_a_call_are_told() -> None:
    found = translator()
    record = called("rename", b"/a\0x\0/\0/b/y\0")
    assert paths_of(record) == (b"/a/x", b"/b/y")
    event = found.translate(record)
    assert (event.Resource, event.Hauberk.Other) == ("/a/x", "/b/y")


def test_repeats_of_what_no_rule_is_about_are_not_told() -> None:
    class Collector:
        lost = 0

        def __init__(self) -> None:
            self.events: list[object] = []

        def write(self, events: object) -> None:
            self.events += events  # type: ignore[operator]

        def flush(self) -> None: ...

        def close(self) -> None: ...

    sink = Collector()
    pipeline = Pipeline(translator(), [sink])  # type: ignore[list-item]
    about = called("unlink", b"/\0/home/a\0", slot=1)
    pipeline.feed([pack(about), pack(called("unlink", b"/\0/tmp/a\0", slot=2))])
    numbers = {"rule": SYSCALL, "verdict": 1, "section": 4, "call": Call.SYSCALL}
    slots = pack_window(repeat(slot=1, count=5, **numbers), repeat(slot=2, count=7, **numbers))
    assert len(list(decode_repeats(0, slots))) == 2
    pipeline.feed_repeats(0, slots)
    assert [(event.Resource, event.Hauberk.Count) for event in sink.events] == [  # type: ignore[attr-defined]
        ("/home/a", 1),
        ("/home/a", 5),
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "Passed"),
        (-errno.EPERM, "Operation not permitted"),
        (-errno.ENOENT, "No such file or directory"),
        (-4000, "Unknown error"),
        (ATTEMPTED, "Attempted"),
    ],
)
def test_the_result_is_in_words(code: int, words: str) -> None:
    assert result((87, code % (1 << 32), 0, 0)) == words


@pytest.mark.parametrize(
    ("name", "first", "second", "data"),
    [
        ("setuid", 1000, 0, "syscall=SYS_SETUID userid=1000"),
        ("chown", 2**32 - 1, 5, "syscall=SYS_CHOWN userid=-1 group=5"),
        ("unlinkat", 0x200, 0, "syscall=SYS_UNLINKAT flags=0x200"),
        ("openat", 0, 0, "syscall=SYS_OPENAT flags=O_RDONLY"),
        ("umount2", 2, 0, "syscall=SYS_UMOUNT2 flag=0x2"),
        ("ptrace", 16, 77, "syscall=SYS_PTRACE request=16 pid=77"),
        ("chmod", 0o644, 0, "syscall=SYS_CHMOD mode=0644"),
        ("sync", 0, 0, "syscall=SYS_SYNC"),
    ],
)
def test_data_names_the_call_and_its_numbers(name: str, first: int, second: int, data: str) -> None:
    words, pairs = call_data((NUMBERS[name], 0, first, second))
    assert words == data
    assert number_of(pairs["Syscall"]) == NUMBERS[name]
