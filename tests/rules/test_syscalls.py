# SPDX-License-Identifier: Apache-2.0
"""Rules about system calls: from what is written to what is told."""

import pytest

from hauberk.policy.syscalls import NUMBERS
from hauberk.rules.decide import Subject, SyscallObject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Action, Operation, RulesError, Section, Verdict
from hauberk.rules.syscalls import Calls, absolute, find, named
from tests.rules.test_normalise import merged_usr, normalised, rules

UNLINK = NUMBERS["unlink"]


def said(text: str, name: str, program: bytes = b"/usr/bin/x", *paths: bytes | None) -> str:
    """Where the rule is that speaks of the call, empty if none does."""
    meaning = Meaning(normalised(text, merged_usr))
    found = decide(meaning, Subject(program), Operation.SYSCALL, SyscallObject(NUMBERS[name], paths))
    assert (found.verdict is Verdict.AUDIT) == (found.rule is not None)
    assert not found.refused
    return found.rule.where.removeprefix("spec.syscalls.") if found.rule else ""


def test_values_are_the_sections_else_the_policys_and_the_action_is_always_audit() -> None:
    text = """
  severity: 8
  message: all
  tags: [a]
  action: Block
  syscalls:
    severity: 7
    matchSyscalls: [{syscall: [unlink, mount]}]
    matchPaths: [{syscall: [rmdir], path: /a}]
"""
    first, second = rules(text)
    for rule in (first, second):
        assert (rule.action, rule.section, rule.severity) == (Action.AUDIT, Section.SYSCALLS, 7)
        assert (rule.message, rule.tags) == ("all", ("a",))
    assert first.target == Calls((UNLINK, NUMBERS["mount"]))
    assert named(rule.target for rule in (first, second)) == {UNLINK, NUMBERS["mount"], NUMBERS["rmdir"]}


@pytest.mark.parametrize(
    ("path", "recursive", "hits", "misses"),
    [
        ("/home/", True, (b"/home", b"/home/a", b"/home/a/b"), (b"/homes", b"/")),
        ("/home/", False, (b"/home", b"/home/a"), (b"/home/a/b",)),
        ("/home", True, (b"/home/a/b",), (b"/homes",)),
        ("/home", False, (b"/home",), (b"/home/a",)),
        ("/", True, (b"/", b"/a/b"), ()),
        ("/var/run/x", False, (b"/var/run/x", b"/run/x"), (b"/run/y",)),
    ],
)
def test_paths(path: str, recursive: bool, hits: tuple[bytes, ...], misses: tuple[bytes, ...]) -> None:
    rule = f"{{syscall: [unlink], path: {path}, recursive: {str(recursive).lower()}}}"
    text = f"  syscalls: {{matchPaths: [{rule}]}}\n"
    for hit in hits:
        assert said(text, "unlink", b"/bin/x", hit), hit
        assert said(text, "unlink", b"/bin/x", b"/elsewhere", hit), hit
        assert not said(text, "rmdir", b"/bin/x", hit)
    for miss in misses:
        assert not said(text, "unlink", b"/bin/x", miss), miss
    assert not said(text, "unlink")
    assert said(text, "unlink", b"/bin/x", None)


@pytest.mark.parametrize(
    ("source", "hits", "misses"),
    [
        ("{path: /bin/rm}", (b"/bin/rm", b"/usr/bin/rm"), (b"/usr/bin/unlink",)),
        ("{dir: /bin/}", (b"/usr/bin/rm", b"/bin/rm"), (b"/usr/bin/a/b", b"/usr/sbin/x")),
        ("{dir: /usr/, recursive: true}", (b"/usr/bin/a/b",), (b"/opt/x",)),
        ("{path: /bin/rm}, {dir: /opt/}", (b"/usr/bin/rm", b"/opt/x"), (b"/srv/x",)),
        ("{}", (b"/anything",), ()),
    ],
)
def test_programs(source: str, hits: tuple[bytes, ...], misses: tuple[bytes, ...]) -> None:
    text = f"  syscalls: {{matchSyscalls: [{{syscall: [unlink], fromSource: [{source}]}}]}}\n"
    assert [said(text, "unlink", hit) for hit in hits] == ["matchSyscalls[0]"] * len(hits)
    assert [said(text, "unlink", miss) for miss in misses] == [""] * len(misses)


def test_the_rule_with_the_most_conditions_is_named_and_of_these_the_first() -> None:
    text = """
  syscalls:
    matchSyscalls:
    - syscall: [unlink]
    - syscall: [unlink]
      fromSource: [{path: /opt/a}]
    matchPaths:
    - {syscall: [unlink], path: /x}
    - {syscall: [unlink], path: /x, fromSource: [{path: /opt/a}]}
"""
    assert said(text, "unlink", b"/opt/b", b"/y") == "matchSyscalls[0]"
    assert said(text, "unlink", b"/opt/a", b"/y") == "matchSyscalls[1]"
    assert said(text, "unlink", b"/opt/b", b"/x") == "matchPaths[0]"
    assert said(text, "unlink", b"/opt/a", b"/x") == "matchPaths[1]"


def test_rules_about_calls_change_no_other_verdict() -> None:
    files = "  file: {matchPaths: [{path: /a}]}\n"
    both = Meaning(normalised(files + "  syscalls: {matchPaths: [{syscall: [open], path: /a}]}\n"))
    alone = Meaning(normalised(files))
    for name in (b"/a", b"/b"):
        matching = both.matching(Operation.READ, name), alone.matching(Operation.READ, name)
        assert both.outcome(Operation.READ, matching[0]) == alone.outcome(Operation.READ, matching[1])


def test_a_call_can_be_called_and_nothing_else() -> None:
    meaning = Meaning(normalised("  syscalls: {matchSyscalls: [{syscall: [unlink]}]}\n"))
    with pytest.raises(RulesError):
        decide(meaning, Subject(), Operation.READ, SyscallObject(UNLINK))
    assert find([object()], UNLINK, b"/x", ()) is None


@pytest.mark.parametrize(
    ("start", "path", "meant"),
    [
        (b"/", b"/a/b", b"/a/b"),
        (b"/", b"//a/./b/", b"/a/b"),
        (b"/job", b"a", b"/job/a"),
        (b"/job/x", b"../a", b"/job/a"),
        (b"/job", b"../../..", b"/"),
        (b"/jail", b"/a", b"/jail/a"),
        (b"/jail", b"/../a", b"/jail/a"),
        (b"/job", b"", b"/job"),
        (b"/", b"", b"/"),
        (b"pipe:", b"", b"pipe:"),
    ],
)
def test_a_path_is_absolute_by_its_text(start: bytes, path: bytes, meant: bytes) -> None:
    assert absolute(start, path) == meant
