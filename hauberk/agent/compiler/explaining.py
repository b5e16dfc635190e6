# SPDX-License-Identifier: Apache-2.0
"""Which rule decides about an access, and why.

The verdict is read from the compiled table, as the kernel reads it; the reason comes from the definition of
what policies mean, which says the same.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from hauberk.agent.compiler.accesses import Access, accesses_of
from hauberk.agent.control.messages import Explain, Explanation
from hauberk.enforcers.bpf_lsm.reading import TableWalker, said_by
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.events import names
from hauberk.events.alert import Alert, Log
from hauberk.rules.decide import CapabilityObject, FileObject, SocketObject, Subject, SyscallObject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Operation, PolicyId, Rule, Section, Verdict
from hauberk.workloads.rootfs import resolver

VERDICTS: Final = {
    Verdict.PERMIT: "permitted",
    Verdict.AUDIT: "audited",
    Verdict.REFUSE: "refused",
    Verdict.ALLOWED: "allowed",
}
_OWNER: Final = (" as another than its owner", " as its owner")
_TERMINAL: Final = (" without a terminal", " with a terminal")


@dataclass(frozen=True, slots=True)
class Finding:
    """What becomes of an access: the verdict, the rule behind it or what an alert names instead, and why."""

    verdict: Verdict
    said_by: Rule | str
    reason: str


def explain(
    query: Explain, meaning: Meaning, table: Table, files: Mapping[PolicyId, str], root: bytes
) -> tuple[Explanation, ...]:
    """What the rules of `meaning`, compiled to `table`, say of the accesses of a query.

    `files` are the sources of their policies, `root` is a path to the workload's root. Raises HauberkError.
    """
    explainer = _Explainer(meaning, TableWalker(table), files)
    accesses = list(accesses_of(query, resolver(root)))
    found = [each for access in accesses if access.told is None for each in explainer.asked(access)]
    return (*found, *explainer.told([access for access in accesses if access.told is not None]))


def find(meaning: Meaning, walker: TableWalker, access: Access) -> Finding:
    """What becomes of an access."""
    operation, obj, subject = access.operation, access.object, access.subject
    match obj:
        case SocketObject(family, type_, protocol):
            word = walker.socket(subject, family, type_, protocol)
        case CapabilityObject(number):
            word = walker.capability(subject, number)
        case FileObject(()):
            word = walker.unknown(operation)
        case FileObject((name, *_), owned):
            word = walker.file(subject, (operation,), name, owned)
        case SyscallObject():  # weighed by `decide`'s own means, where alerts are made
            decision = decide(meaning, subject, operation, obj)
            return Finding(decision.verdict, decision.rule or "", decision.reason)
    decision = decide(meaning, subject, operation, obj)
    return Finding(Verdict(word >> 30), said_by(word, meaning.rules), decision.reason)


class _Explainer:
    def __init__(self, meaning: Meaning, walker: TableWalker, files: Mapping[PolicyId, str]) -> None:
        self._meaning = meaning
        self._walker = walker
        self._files = files

    def asked(self, access: Access) -> Iterator[Explanation]:
        """The answer for an access of which owner and terminal are not known: one, or one for each case that
        matters."""
        found = {
            (owned, tty): find(self._meaning, self._walker, _under(access, owned, tty))
            for owned, tty in product((False, True), repeat=2)
        }

        def matters(one: tuple[bool, bool], other: tuple[bool, bool]) -> bool:
            return (found[one].verdict, found[one].said_by) != (found[other].verdict, found[other].said_by)

        by_owner = any(matters((False, tty), (True, tty)) for tty in (False, True))
        by_tty = any(matters((owned, False), (owned, True)) for owned in (False, True))
        for (owned, tty), finding in found.items():
            if (by_owner or not owned) and (by_tty or not tty):
                words = f"{_OWNER[owned] if by_owner else ''}{_TERMINAL[tty] if by_tty else ''}"
                yield self._explanation(access.words + words, finding)

    def told(self, accesses: list[Access]) -> Iterator[Explanation]:
        """The answers for the accesses of one event."""
        findings = []
        for access in accesses:
            event = access.told
            assert event is not None
            if not access.is_decided:
                reason = event.Hauberk.Reason or "no rule is about this"
                policy = event.PolicyName if isinstance(event, Alert) else ""
                yield Explanation(access.words, _told_verdict(event), policy, "", reason)
            else:
                findings.append((access, event, self._find_told(access, event)))
        agrees = any(_is_told(event, finding) for _, event, finding in findings)
        for access, event, finding in findings:
            reason = finding.reason
            if not agrees:
                reason += f"; the alert says otherwise ({_told(event)}): policies or links have changed since"
            yield self._explanation(access.words, replace(finding, reason=reason))

    def _find_told(self, access: Access, event: Alert | Log) -> Finding:
        finding = find(self._meaning, self._walker, access)
        if access.operation is not Operation.EXEC or _is_told(event, finding):
            return finding
        # It may have been decided by the program that the task's last exec replaced, which no alert tells.
        for program in sorted({source for rule in self._meaning.rules for source in rule.sources}):
            replaced = replace(access, subject=replace(access.subject, replaced=program))
            other = find(self._meaning, self._walker, replaced)
            if _is_told(event, other):
                why = f"the program that its last exec replaced was {os.fsdecode(program)}"
                return replace(other, reason=f"{other.reason}; {why}")
        return finding

    def _explanation(self, words: str, finding: Finding) -> Explanation:
        policy = rule = ""
        if isinstance(finding.said_by, Rule):
            said = finding.said_by
            file = self._files.get(said.policy, "")
            policy = str(said.policy)
            rule = f"{said.where} ({file}:{said.line})" if file else said.where
        else:
            policy = finding.said_by
        return Explanation(words, VERDICTS[finding.verdict], policy, rule, finding.reason)


def _under(access: Access, owned: bool, tty: bool) -> Access:
    obj = access.object
    if isinstance(obj, FileObject):
        obj = replace(obj, owned=owned)
    return replace(access, object=obj, subject=Subject(access.subject.program, access.subject.replaced, tty))


def _told_verdict(event: Alert | Log) -> str:
    if event.Operation == names.OPERATIONS[Section.SYSCALLS]:
        return "audited"
    refused = event.Result != "Passed"
    return "refused" if refused else "audited" if isinstance(event, Alert) else "permitted"


def _told(event: Alert | Log) -> str:
    policy = event.PolicyName if isinstance(event, Alert) else ""
    return " ".join(filter(None, (_told_verdict(event), policy, event.Hauberk.Rule)))


def _is_told(event: Alert | Log, finding: Finding) -> bool:
    verdict = _told_verdict(event)
    if verdict == "permitted":
        return finding.verdict in (Verdict.PERMIT, Verdict.ALLOWED)
    if not isinstance(event, Alert) or verdict != VERDICTS[finding.verdict]:
        return False
    if isinstance(finding.said_by, Rule):
        return (event.PolicyName, event.Hauberk.Rule) == (finding.said_by.policy.name, finding.said_by.where)
    return event.PolicyName == finding.said_by
