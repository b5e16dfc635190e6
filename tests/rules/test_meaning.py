# SPDX-License-Identifier: Apache-2.0
"""The compiled form: classes of programs, what a table must tell apart, the base set."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.automaton.patterns import Directory, Exact
from hauberk.rules.base import BASE_SET, LIBRARY_DIRECTORIES, LOADERS, is_own
from hauberk.rules.meaning import Meaning, is_loader
from hauberk.rules.model import LIBRARY, NONE, Operation, Posture, Postures, RuleSet, Section

from .make import PROGRAMS, WORLD, meaning, paths, rule, rule_sets


def test_programs_that_the_same_rules_name_share_a_class() -> None:
    rules = meaning(
        rule("Block", "/x", sources=("/p", "/q")), rule("Block", "/y", sources=("/r",)), rule("Block", "/z")
    )
    assert rules.class_of(b"/p") == rules.class_of(b"/q") != rules.class_of(b"/r")
    assert rules.class_of(b"/other") == rules.class_of(None) == 0
    assert 0 not in {rules.class_of(b"/p"), rules.class_of(b"/r")}
    assert max(rules.class_of(b"/p"), rules.class_of(b"/r")) < rules.classes


def test_a_loader_has_a_class_of_its_own_also_where_rules_name_it() -> None:
    loader = "/lib64/ld-linux-x86-64.so.2"
    rules = meaning(rule("Block", "/x", sources=("/p", loader)))
    assert rules.class_of(b"/lib/ld-musl-x86_64.so.1") == 1
    assert rules.class_of(loader.encode()) not in (0, 1, rules.class_of(b"/p"))
    assert rules.loader_classes == {1, rules.class_of(loader.encode())}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/lib64/ld-linux-x86-64.so.2", True),
        (b"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", True),
        (b"/usr/lib/x86_64-linux-gnu/ld-2.31.so", True),
        (b"/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1", True),
        (b"/lib/ld-musl-aarch64.so.1", True),
        (b"/usr/lib/x86_64-linux-musl/libc.so", True),
        (b"/lib/ld64.so.2", True),
        (b"/usr/lib/x86_64-linux-gnu/libc.so.6", False),
        (b"/usr/bin/ld", False),
        (b"/etc/ld.so.cache", False),
    ],
)
def test_which_programs_are_loaders(path: bytes, expected: bool) -> None:
    assert is_loader(path) is expected


def test_the_exec_automaton_marks_libraries() -> None:
    rules = meaning(rule("Block", "/lib/x", section=Section.PROCESS))
    accept = rules.exec.accept_id(rules.exec.run(b"/lib/x"))
    assert rules.exec_rules(accept) == {0, LIBRARY}
    assert rules.matching(Operation.MAP, b"/lib/x") == {0, LIBRARY}
    assert rules.matching(Operation.READ, b"/lib/x") == frozenset()


@settings(max_examples=100, deadline=None)
@given(rule_sets(), st.sampled_from((*PROGRAMS, b"/nobody", b"/lib/ld-2.so")), paths)
def test_the_automata_find_what_trying_each_rule_finds(
    rule_set: RuleSet, program: bytes, path: bytes
) -> None:
    rules = Meaning(rule_set)
    state = rules.exec.run(program)
    assert rules.class_of_exec_accept(rules.exec.accept_id(state)) == rules.class_of(program)
    assert rules.exec_rules(rules.exec.accept_id(rules.exec.run(path))) == rules.matching(
        Operation.EXEC, path
    )
    assert rules.file_rules(rules.file.accept_id(rules.file.run(path))) == rules.matching(
        Operation.READ, path
    )


@settings(max_examples=100, deadline=None)
@given(rule_sets(), paths)
def test_what_is_said_not_to_matter_does_not(rule_set: RuleSet, path: bytes) -> None:
    rules = Meaning(rule_set)
    for operation in (Operation.EXEC, Operation.MAP, Operation.READ, Operation.WRITE):
        matching = rules.matching(operation, path)
        plain = rules.outcome(operation, matching)
        for class_ in set(range(rules.classes)) - rules.relevant_classes(matching, operation):
            assert rules.outcome(operation, matching, class_) == plain
        for class_ in set(range(rules.classes)) - rules.relevant_replaced(matching):
            assert rules.outcome(operation, matching, 0, class_) == plain
        assert rules.relevant_classes(matching, operation) <= rules.relevant_classes(matching)
        if not rules.conditional(matching):
            assert rules.outcome(operation, matching, owner=True, tty=True) == plain


def test_little_matters_where_little_is_said() -> None:
    rules = meaning(
        rule("Block", "/x"), rule("Block", "/y", sources=("/p",)), rule("Audit", "/z", owner_only=True)
    )
    assert rules.relevant_classes(frozenset({0})) == rules.relevant_replaced(frozenset({0})) == frozenset()
    assert rules.relevant_classes(frozenset({1})) == {rules.class_of(b"/p")}
    assert [rules.conditional(frozenset({i})) for i in range(3)] == [False, False, True]


def test_the_same_rules_mean_the_same_twice() -> None:
    rules = meaning(rule("Block", "/x"), rule("Block", "/y"))
    for _ in range(2):
        for one in range(2):
            assert rules.outcome(Operation.READ, frozenset({one})).rule == one


def test_an_empty_rule_set_has_a_meaning() -> None:
    rules = Meaning(RuleSet.of((), Postures(Posture.BLOCK, Posture.BLOCK, Posture.BLOCK)))
    assert {
        rules.outcome(operation, frozenset()).rule
        for operation in Operation
        if operation <= Operation.CAPABILITY
    } == {NONE}
    assert rules.own == NONE
    assert rules.classes == 2


class TestBaseSet:
    def test_it_is_part_of_a_rule_set_only_where_wanted(self) -> None:
        assert meaning(base_set=True).ruleset.base_set
        assert not meaning().ruleset.base_set

    def test_it_names_the_loader_and_every_library_directory(self) -> None:
        assert {entry.target for entry in BASE_SET} >= {*LOADERS, *LIBRARY_DIRECTORIES}

    def test_what_is_the_tasks_own_is_told_by_no_path(self) -> None:
        assert is_own(Directory(b"/proc/self", True))
        assert not is_own(Exact(b"/dev/null"))
        rules = meaning(base_set=True)
        assert is_own(rules.rules[rules.own].target)

    def test_no_rule_of_it_speaks_of_what_is_in_the_small_world_but_libraries(self) -> None:
        rules = meaning(base_set=True)
        for path in WORLD:
            assert bool(rules.matching(Operation.READ, path)) == (path + b"/").startswith(b"/lib/")
