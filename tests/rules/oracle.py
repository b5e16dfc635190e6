# SPDX-License-Identifier: Apache-2.0
"""The meaning of rules a second time: slow, plain, sentence by sentence, to hold `decide` against.

It shares the vocabulary of rules and the naive matcher with the real one, and nothing else. Whether one
target lies inside another is found by trying every object of the small world.
"""

from functools import cache

from hauberk.automaton.patterns import Directory, Exact, Glob, Name, matches
from hauberk.rules.decide import CapabilityObject, FileObject, SocketObject, Subject
from hauberk.rules.model import (
    Action,
    Capability,
    Operation,
    Posture,
    Protocol,
    Rule,
    RuleSet,
    Scope,
    Section,
    Verdict,
)

from .make import WORLD

POSTURE, UNKNOWN = "DefaultPosture", "UnknownObject"
Answer = tuple[Verdict, "Rule | str | None"]

_INET = (2, 10)
_SPOKEN_OF = {
    "tcp": lambda f, t, p: (f in _INET and t == 1 and p in (0, 6, 262)) or (f == 43 and t == 1),
    "udp": lambda f, t, p: f in _INET and t == 2 and p in (0, 17, 136),
    "icmp": lambda f, t, p: f in _INET and p == 1,
    "icmpv6": lambda f, t, p: f in _INET and p == 58,
    "sctp": lambda f, t, p: f in _INET and (p == 132 or (t == 5 and p == 0)),
    "dccp": lambda f, t, p: f in _INET and (p == 33 or (t == 6 and p == 0)),
    "raw": lambda f, t, p: f in (*_INET, 17) and t == 3,
    "packet": lambda f, t, p: f in (17, 44),
    "stream": lambda f, t, p: t == 1,
    "dgram": lambda f, t, p: t == 2,
    "rdm": lambda f, t, p: t == 4,
    "seqpacket": lambda f, t, p: t == 5,
    "all": lambda f, t, p: True,
}
_SOCKETS = [
    (f, t, p)
    for f in (2, 10, 17, 40, 43, 44)
    for t in (1, 2, 3, 4, 5, 6, 10)
    for p in (0, 1, 6, 17, 33, 58, 132, 136, 255, 262)
]


@cache
def _objects(target: object) -> frozenset[object]:
    if isinstance(target, Protocol):
        return frozenset(s for s in _SOCKETS if _SPOKEN_OF[target.name](*s))
    if isinstance(target, Capability):
        return frozenset((target,))
    return frozenset(path for path in WORLD if matches(target, path))


def _covers(target: object, thing: object) -> bool:
    match target, thing:
        case Exact() | Directory() | Glob() | Name(), bytes():
            return matches(target, thing)
        case Protocol(name), tuple():
            return _SPOKEN_OF[name](*thing)
        case Capability(), Capability():
            return target == thing
    return False


def _lies_strictly_inside(allow: Rule, block: Rule) -> bool:
    everyone = {b"*every program*"}
    programs = [set(one.sources) or everyone for one in (allow, block)]
    fewer_programs = programs[1] == everyone != programs[0] or programs[0] < programs[1]
    no_other_programs = fewer_programs or programs[0] == programs[1]
    a, b = _objects(allow.target), _objects(block.target)
    return a <= b and no_other_programs and (a < b or fewer_programs)


def _is_loader(program: bytes | None) -> bool:
    return program == b"/lib/ld-linux.so.2"


def oracle(rule_set: RuleSet, subject: Subject, operation: Operation, obj: object) -> Answer:
    """The verdict, and the rule or the special name that an alert would give."""
    if isinstance(obj, SocketObject):
        if obj.family in (1, 16):
            return Verdict.PERMIT, None
        return _one(rule_set, subject, operation, (obj.family, obj.type, obj.protocol), False, False)
    if isinstance(obj, CapabilityObject):
        return _one(rule_set, subject, operation, Capability(obj.number), False, False)
    assert isinstance(obj, FileObject)
    if not obj.names:
        return _unnamed(rule_set, operation)
    answers = [_one(rule_set, subject, operation, name, obj.owned, obj.fresh_mount) for name in obj.names]
    return _gravest(rule_set, answers)


def _unnamed(rule_set: RuleSet, operation: Operation) -> Answer:
    for rule in rule_set.rules:
        if rule.base or rule.section not in (Section.FILE, Section.PROCESS):
            continue
        if operation in (Operation.READ, Operation.WRITE) and rule.section is Section.PROCESS:
            continue
        if rule.action is Action.BLOCK:
            if operation is Operation.EXEC and rule.section is Section.FILE and rule.read_only:
                continue
            return Verdict.REFUSE, UNKNOWN
        if rule.action is Action.ALLOW and rule_set.postures.file is Posture.BLOCK:
            if operation is Operation.EXEC and rule.section is Section.FILE:
                continue
            return Verdict.REFUSE, UNKNOWN
    return Verdict.AUDIT, UNKNOWN


def _gravest(rule_set: RuleSet, answers: list[Answer]) -> Answer:
    order = [Verdict.PERMIT, Verdict.ALLOWED, Verdict.AUDIT, Verdict.REFUSE]
    worst = max((order.index(verdict), isinstance(by, Rule)) for verdict, by in answers)
    found = [a for a in answers if (order.index(a[0]), isinstance(a[1], Rule)) == worst]
    rules = [by for _, by in found if isinstance(by, Rule)]
    return (found[0][0], _narrowest(rule_set, rules)) if rules else found[0]


def _narrowest(rule_set: RuleSet, rules: list[Rule]) -> Rule:
    minimal = [
        rule for rule in rules if not any(_objects(other.target) < _objects(rule.target) for other in rules)
    ]
    return min(minimal, key=lambda rule: rule_set.rules.index(rule))


def _one(
    rule_set: RuleSet, subject: Subject, operation: Operation, thing: object, owner: bool, fresh: bool
) -> Answer:
    matching = [rule for rule in rule_set.rules if _covers(rule.target, thing)]
    if fresh:
        matching = [rule for rule in matching if rule.action is not Action.ALLOW]
    section = {Operation.NETWORK: Section.NETWORK, Operation.CAPABILITY: Section.CAPABILITIES}.get(
        operation, Section.FILE
    )
    if operation is Operation.EXEC:
        return _section(rule_set, subject, operation, Section.PROCESS, matching, thing, owner)
    answer = _section(rule_set, subject, operation, section, matching, thing, owner)
    if operation is Operation.MAP:
        as_run = _section(rule_set, subject, operation, Section.PROCESS, matching, thing, owner)
        return _gravest(rule_set, [answer, as_run])
    return answer


def _section(
    rule_set: RuleSet,
    subject: Subject,
    operation: Operation,
    section: Section,
    matching: list[Rule],
    thing: object,
    owner: bool,
) -> Answer:
    reading = operation is not Operation.WRITE
    in_library = isinstance(thing, bytes) and (thing + b"/").startswith(b"/lib/")

    def counts(rule: Rule) -> bool:
        if operation is Operation.EXEC and rule.section is Section.FILE:
            return rule.action is Action.ALLOW or not rule.read_only
        if rule.section is not section:
            return False
        if operation is Operation.MAP and section is Section.PROCESS and in_library:
            wide = isinstance(rule.target, Directory) and not rule.target.path.startswith(b"/lib/")
            return rule.action is Action.ALLOW or not wide
        return True

    def speaks(rule: Rule) -> bool:
        who = {subject.program, subject.replaced} if operation is Operation.EXEC else {subject.program}
        if rule.sources and who.isdisjoint(rule.sources):
            return False
        if rule.tty_only and not subject.tty:
            return False
        exempt = False
        if rule.owner_only and rule.read_only:
            exempt = owner and reading
        elif rule.owner_only:
            exempt = owner
        elif rule.read_only:
            exempt = reading
        return not exempt

    def applies(rule: Rule) -> bool:
        if rule.base or (rule.sources and subject.program not in rule.sources):
            return False
        if rule.tty_only and subject.tty:
            return False
        return (owner or not rule.owner_only) and (reading or not rule.read_only)

    heard = [rule for rule in matching if counts(rule)]
    allows = [rule for rule in heard if rule.action is Action.ALLOW and applies(rule)]

    def excepted(block: Rule) -> bool:
        return any(
            _lies_strictly_inside(allow, block)
            and (allow.policy == block.policy or allow.scope >= block.scope)
            and not (allow.section is Section.FILE and block.section is Section.PROCESS)
            for allow in allows
        )

    def standing(action: Action) -> list[Rule]:
        return [rule for rule in heard if rule.action is action and speaks(rule) and not excepted(rule)]

    if blocks := standing(Action.BLOCK):
        return Verdict.REFUSE, _narrowest(rule_set, blocks)
    audits = standing(Action.AUDIT)
    audit = (Verdict.AUDIT, _narrowest(rule_set, audits)) if audits else None
    permitting = [rule for rule in allows if rule.section is section]
    if permitting:
        return audit or (Verdict.ALLOWED, _narrowest(rule_set, permitting))
    switched_on = any(
        rule.section is section
        and rule.action is Action.ALLOW
        and not rule.base
        and (rule.scope is not Scope.HOST or not rule.sources or subject.program in rule.sources)
        for rule in rule_set.rules
    )
    if operation is Operation.MAP and section is Section.PROCESS and not _is_loader(subject.program):
        switched_on = False
    posture = rule_set.postures.of(section)
    if switched_on and posture is not Posture.ALLOW:
        base = [rule for rule in matching if rule.base]
        if base and operation in (Operation.READ, Operation.MAP):
            return audit or (Verdict.ALLOWED, base[0])
        if posture is Posture.BLOCK:
            return Verdict.REFUSE, POSTURE
        return audit or (Verdict.AUDIT, POSTURE)
    return audit or (Verdict.PERMIT, None)
