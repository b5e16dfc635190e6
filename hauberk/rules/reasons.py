# SPDX-License-Identifier: Apache-2.0
"""Why an access got its verdict, in words for the one who wrote the policies.

The words are drawn from the same parts and hearings as the verdict, so they cannot tell another story.
"""

from collections.abc import Iterable

from hauberk.automaton.patterns import Directory, Exact, Glob, Name
from hauberk.policy.syscalls import NAME_OF
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import (
    NONE,
    POSTURE,
    Action,
    Capability,
    Operation,
    Outcome,
    Posture,
    Protocol,
    Rule,
    Section,
    Target,
    Verdict,
)
from hauberk.rules.precedence import Access, Hearing, Part
from hauberk.rules.syscalls import Calls


def explain(
    meaning: Meaning, operation: Operation, matching: frozenset[int], access: Access, outcome: Outcome
) -> str:
    """The reason for `outcome`, which is what `meaning` says of the rest."""
    precedence = meaning.precedence
    heard = [(part, precedence.hear(part, access)) for part in precedence.parts(operation, matching)]
    if outcome.rule == POSTURE:
        return _posture_reason(meaning, heard, access, outcome)
    sentences = []
    if outcome.rule == NONE:
        sentences.append("nothing forbids it" if _any_rules(heard) else "no rule speaks of it")
    else:
        sentences.append(f"{_VERBS[outcome.verdict]} {cite(meaning.rules[outcome.rule])}")
    for part, hearing in heard:
        sentences += _because(meaning, part, hearing, access, outcome)
    return "; ".join(dict.fromkeys(sentences))


def explain_unknown(meaning: Meaning, operation: Operation, outcome: Outcome) -> str:
    """The reason for the verdict on an object without a name."""
    if outcome.verdict is Verdict.REFUSE:
        return "the object's name cannot be built, and a rule might have refused it"
    return f"the object's name cannot be built, and no rule could refuse it {operation.name.lower()} access"


def explain_own(rule: Rule) -> str:
    """The reason why a task may read what is its own."""
    return f"the base set permits reading {rule.where}"


def cite(rule: Rule) -> str:
    """A rule as messages name it: policy, field, line and what it asks for."""
    if rule.base:
        return f"the base set ({rule.where}: {show_target(rule.target)})"
    line = f", line {rule.line}" if rule.line else ""
    return f"{rule.policy} ({rule.where}{line}: {_describe(rule)})"


def show_target(target: Target) -> str:
    """A target as a policy writes it."""
    match target:
        case Exact(path):
            return _text(path) or "/"
        case Directory(path, recursive):
            return f"{_text(path)}/{'**' if recursive else ''}"
        case Glob(text):
            return f"pattern {_text(text)}"
        case Name(name):
            return f"execname {_text(name)}"
        case Protocol(name):
            return name
        case Capability(number):
            return f"capability {number}"
        case Calls(numbers, objects, programs):
            names = ", ".join(NAME_OF[number] for number in numbers)
            on = f" on {', '.join(show_target(place.pattern) for place in objects)}" if objects else ""
            by = f" from {', '.join(show_target(place.pattern) for place in programs)}" if programs else ""
            return f"{names}{on}{by}"


_VERBS = {
    Verdict.REFUSE: "refused by",
    Verdict.AUDIT: "reported by",
    Verdict.ALLOWED: "allowed by",
    Verdict.PERMIT: "permitted by",
}


def _describe(rule: Rule) -> str:
    flags = [
        name
        for name, on in (
            ("ownerOnly", rule.owner_only),
            ("readOnly", rule.read_only),
            ("pts: false", rule.tty_only),
        )
        if on
    ]
    sources = f" from {', '.join(map(_text, rule.sources))}" if rule.sources else ""
    return f"{rule.action} {show_target(rule.target)}{sources}{''.join(f', {flag}' for flag in flags)}"


def _because(
    meaning: Meaning, part: Part, hearing: Hearing, access: Access, outcome: Outcome
) -> Iterable[str]:
    precedence = meaning.precedence
    decider = outcome.rule
    if outcome.verdict is Verdict.REFUSE:
        for allow in hearing.permitting:
            yield f"it beats {cite(meaning.rules[allow])}, {_why_not_excepted(meaning, allow, decider)}"
        yield from _beaten(meaning, hearing.refusing, decider)
        return
    for block, allow in hearing.excepted:
        _, fewer_objects, _ = precedence.lies_inside(allow, block)
        what = "objects" if fewer_objects else "programs"
        yield (
            f"{cite(meaning.rules[allow])} excepts {cite(meaning.rules[block])}: "
            f"it lies inside it and names fewer {what}"
        )
    for block, _ in part.blocks:
        if not precedence.speaks(block, part.read, access):
            yield f"{cite(meaning.rules[block])} {_exemption(meaning, block, part.read, access)}"
    yield from _beaten(meaning, hearing.alerting, decider)


def _beaten(meaning: Meaning, speakers: list[int], decider: int) -> Iterable[str]:
    if decider not in speakers:
        return
    for other in speakers:
        if other == decider:
            continue
        if meaning.inside(decider, other) and not meaning.inside(other, decider):
            why = "which names more objects"
        else:
            why = "which is as broad and comes later in the order of policies"
        yield f"named before {cite(meaning.rules[other])}, {why}"


def _why_not_excepted(meaning: Meaning, allow: int, block: int) -> str:
    rules = meaning.rules
    if rules[allow].section is not rules[block].section and rules[allow].section is Section.FILE:
        return "because a file rule permits no running"
    if not meaning.precedence.reaches(allow, block):
        return f"because a {_SCOPES[rules[block].scope]} policy yields to none of narrower scope"
    inside, _, _ = meaning.precedence.lies_inside(allow, block)
    if inside:
        return "because the two name the same objects and programs: an Allow must be narrower"
    return "because that does not lie inside it"


_SCOPES = ("namespaced", "cluster", "host")


def _exemption(meaning: Meaning, block: int, read: bool, access: Access) -> str:
    rule = meaning.rules[block]
    classes = meaning.classes_of_rule(block)
    if classes is not None and access.program not in classes and access.replaced not in classes:
        return "does not apply: the program is not one of its sources"
    if rule.tty_only and not access.tty:
        return "does not apply: the task has no terminal"
    if rule.owner_only and rule.read_only:
        return "exempts the owner's reads"
    return "exempts the owner" if rule.owner_only else "exempts reads"


def _posture_reason(
    meaning: Meaning, heard: list[tuple[Part, Hearing]], access: Access, outcome: Outcome
) -> str:
    wanted = Posture.BLOCK if outcome.verdict is Verdict.REFUSE else Posture.AUDIT
    part = next(part for part, _ in heard if meaning.precedence.posture(part, access) is wanted)
    switch = next(
        rule
        for index, rule in enumerate(meaning.rules)
        if rule.section is part.section and rule.action is Action.ALLOW and not rule.base
        if (classes := meaning.classes_of_rule(index)) is None
        or access.program in classes
        or meaning.precedence.posture_classes(part.section) is None
    )
    near = [
        f"; {cite(meaning.rules[allow])} does not apply to it"
        for one, hearing in heard
        for allow in one.allows
        if allow not in hearing.permitting
    ]
    section = part.section.name.lower()
    return (
        f"no rule permits it{''.join(near)}; posture {wanted} of section {section} applies "
        f"because {cite(switch)} is an Allow rule"
    )


def _any_rules(heard: list[tuple[Part, Hearing]]) -> bool:
    return any(part.blocks or part.audits or part.allows for part, _ in heard)


def _text(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")
