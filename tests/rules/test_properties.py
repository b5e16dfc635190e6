# SPDX-License-Identifier: Apache-2.0
"""Laws that hold for every rule set and every access, tried on random ones from the small world."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hauberk.rules.decide import (
    CapabilityObject,
    Decision,
    FileObject,
    SocketObject,
    decide,
)
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Action, Operation, Outcome, Rule, RuleSet, Verdict
from hauberk.rules.sockets import UNDECIDED, socket_kind

from .make import Access, matched_paths, rule_sets, rules, scenes
from .oracle import oracle

Scene = tuple[RuleSet, list[Access]]
many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

GRAVITY = {Verdict.PERMIT: 0, Verdict.ALLOWED: 0, Verdict.AUDIT: 0, Verdict.REFUSE: 1}


def by(decision: Decision) -> object:
    return decision.rule or decision.special or None


@many
@given(scenes())
def test_decide_agrees_with_a_plain_reading_of_the_rules(scene: Scene) -> None:
    rule_set, chosen = scene
    meaning = Meaning(rule_set)
    for subject, operation, obj in chosen:
        decision = decide(meaning, subject, operation, obj)
        assert (decision.verdict, by(decision)) == oracle(rule_set, subject, operation, obj)


def decide_compiled(meaning: Meaning, access: Access) -> Outcome:
    """The verdict as the kernel finds it: by automata, accepts and classes."""
    subject, operation, obj = access
    programs = [
        0 if path is None else meaning.class_of_exec_accept(meaning.exec.accept_id(meaning.exec.run(path)))
        for path in (subject.program, subject.replaced)
    ]
    owner = False
    match obj:
        case SocketObject(family, type_, protocol):
            kind = socket_kind(family, type_, protocol)
            if kind == UNDECIDED:
                return Outcome(Verdict.PERMIT, 0)
            matchings = [meaning.socket_rules(kind)]
        case CapabilityObject(number):
            matchings = [meaning.capability_rules(number)]
        case FileObject():
            owner = obj.owned
            if not obj.names:
                return meaning.unknown_outcome(operation)
            matchings = []
            for name in obj.names:
                if operation in (Operation.EXEC, Operation.MAP):
                    found = meaning.exec_rules(meaning.exec.accept_id(meaning.exec.run(name)))
                else:
                    found = meaning.file_rules(meaning.file.accept_id(meaning.file.run(name)))
                matchings.append(meaning.without_allows(found) if obj.fresh_mount else found)
    result: Outcome | None = None
    for matching in matchings:
        outcome = coarsest(meaning, operation, matching, programs, owner, subject.tty)
        result = outcome if result is None else meaning.precedence.graver(result, outcome)
    assert result is not None
    return result


def coarsest(
    meaning: Meaning,
    operation: Operation,
    matching: frozenset[int],
    programs: list[int],
    owner: bool,
    tty: bool,
) -> Outcome:
    """The outcome with everything left out that is said not to matter."""
    program, replaced = programs
    if program not in meaning.relevant_classes(matching, operation):
        program = 0
    if replaced not in meaning.relevant_replaced(matching):
        replaced = 0
    if not meaning.conditional(matching):
        owner = tty = False
    return meaning.outcome(operation, matching, program, replaced, owner, tty)


@many
@given(scenes())
def test_the_compiled_way_agrees_with_decide(scene: Scene) -> None:
    rule_set, chosen = scene
    meaning = Meaning(rule_set)
    for access in chosen:
        decision = decide(meaning, *access)
        outcome = decide_compiled(meaning, access)
        assert outcome.verdict == decision.verdict
        if decision.rule is not None:
            assert meaning.rules[outcome.rule] == decision.rule


@many
@given(scenes(), rules(actions=(Action.BLOCK, Action.AUDIT)))
def test_adding_a_block_or_an_audit_never_permits_anything(scene: Scene, added: Rule) -> None:
    rule_set, chosen = scene
    before = Meaning(rule_set)
    after = Meaning(RuleSet.of((*rule_set.rules, added), rule_set.postures))
    for access in chosen:
        assert GRAVITY[decide(after, *access).verdict] >= GRAVITY[decide(before, *access).verdict]


@many
@given(scenes(), rules(actions=(Action.AUDIT,)))
def test_adding_an_audit_changes_no_refusal(scene: Scene, added: Rule) -> None:
    rule_set, chosen = scene
    before = Meaning(rule_set)
    after = Meaning(RuleSet.of((*rule_set.rules, added), rule_set.postures))
    for access in chosen:
        was, now = decide(before, *access), decide(after, *access)
        if isinstance(access[2], FileObject) and not access[2].names:
            continue
        assert was.refused == now.refused
        if was.refused:
            assert by(was) == by(now)


@many
@given(scenes(), rules(actions=(Action.AUDIT,)))
def test_an_audit_alerts_on_exactly_what_it_would_refuse_as_a_block(scene: Scene, added: Rule) -> None:
    rule_set, chosen = scene
    added = replace(added, index=100)
    quiet = RuleSet.of((r for r in rule_set.rules if r.action is Action.ALLOW), rule_set.postures)
    audited = Meaning(RuleSet.of((*quiet.rules, added), rule_set.postures))
    blocked = Meaning(RuleSet.of((*quiet.rules, replace(added, action=Action.BLOCK)), rule_set.postures))
    for access in chosen:
        audit, block = decide(audited, *access), decide(blocked, *access)
        refused_by_it = block.rule is not None and block.rule.index == 100
        alerted_by_it = audit.rule == added
        assert alerted_by_it == (refused_by_it and not audit.refused)


@many
@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_never_matters(scene: Scene, random: Random) -> None:
    rule_set, chosen = scene
    shuffled = list(rule_set.rules)
    random.shuffle(shuffled)
    again = RuleSet.of(shuffled, rule_set.postures)
    assert again == rule_set
    one, other = Meaning(again), Meaning(rule_set)
    for access in chosen:
        assert decide(one, *access) == decide(other, *access)


@many
@given(rule_sets())
def test_inclusion_is_the_automatons_and_the_small_worlds(rule_set: RuleSet) -> None:
    meaning = Meaning(rule_set)
    on_paths = [i for i, rule in enumerate(meaning.rules) if rule.section <= 1 and not rule.base]
    matched = {i: set(matched_paths(meaning.rules[i].target)) for i in on_paths}
    for inner in on_paths:
        for outer in on_paths:
            assert meaning.inside(inner, outer) == (matched[inner] <= matched[outer])


@many
@given(scenes())
def test_every_decision_has_a_reason_that_names_what_decided(scene: Scene) -> None:
    rule_set, chosen = scene
    meaning = Meaning(rule_set)
    for access in chosen:
        decision = decide(meaning, *access)
        assert decision.reason
        if decision.rule is not None and not decision.rule.base:
            assert str(decision.rule.policy) in decision.reason
            assert decision.rule.where in decision.reason
        if decision.special == "DefaultPosture":
            assert "posture" in decision.reason
            assert "is an Allow rule" in decision.reason
