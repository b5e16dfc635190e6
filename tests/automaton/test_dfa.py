# SPDX-License-Identifier: Apache-2.0
"""The questions that one can ask an automaton."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.automaton.dfa import Automaton, compile_patterns
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches

from .make import alphabet, paths, pattern_lists

SLASH = 0x2F


def occurring(automaton: Automaton) -> set[frozenset[int]]:
    """The accept sets of names that can occur, found byte by byte."""
    found = {automaton.accepts(automaton.start)}
    seen: set[tuple[int, str]] = set()
    todo = [(automaton.start, "nothing")]
    while todo:
        state, read = todo.pop()
        for byte in alphabet(automaton):
            if read == "slash" and byte == SLASH:
                continue
            if read == "other" or (read == "nothing" and byte != SLASH):
                then = "other"
            else:
                then = "slash" if byte == SLASH else "inside"
            to = automaton.step(state, byte)
            if then != "slash":
                found.add(automaton.accepts(to))
            if (to, then) not in seen:
                seen.add((to, then))
                todo.append((to, then))
    return found


def test_inclusion_is_exact() -> None:
    tally: Counter[bool] = Counter()
    every = [
        b"/" + b"/".join(parts) for n in (1, 2, 3) for parts in product([b"a", b"b", b"ab", b".a"], repeat=n)
    ]

    @settings(max_examples=300, deadline=None)
    @given(pattern_lists)
    def agree(patterns: list[Pattern]) -> None:
        automaton = compile_patterns(patterns)
        sets = occurring(automaton)
        for outer, inner in product(range(len(patterns)), repeat=2):
            answer = automaton.includes(outer, inner)
            assert answer == all(outer in s for s in sets if inner in s)
            if answer:
                assert all(matches(patterns[outer], p) for p in every if matches(patterns[inner], p))
            if outer != inner:
                tally[answer] += 1

    agree()
    assert tally[True] > 100
    assert tally[False] > 100


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (Directory(b"/etc", True), Exact(b"/etc/ssl/key")),
        (Directory(b"/etc", True), Exact(b"/etc")),
        (Directory(b"/etc", True), Directory(b"/etc")),
        (Directory(b"/etc", True), Glob(b"/etc/**")),
        (Directory(b"/etc", True), Glob(b"/etc/{,**}")),
        (Glob(b"/etc/{,**}"), Directory(b"/etc", True)),
        (Glob(b"/etc/{,*}"), Directory(b"/etc")),
        (Glob(b"/**"), Glob(b"/a*/**/b")),
        (Glob(b"/**/*.conf"), Glob(b"/etc/*/[a-z]*.conf")),
        (Name(b"sh"), Exact(b"/bin/sh")),
        (Name(b"sh"), Glob(b"/**/sh")),
        (Glob(b"/{,**/}sh"), Name(b"sh")),
        (Glob(b"/a{b,c}"), Glob(b"/a[bc]")),
        (Glob(b"/a[bc]"), Glob(b"/a{b,c}")),
        (Glob(b"memfd:**"), Exact(b"memfd:x")),
        (Exact(b"/a"), Glob(b"/a/{,/}b/")),
    ],
)
def test_one_pattern_lies_within_another(outer: Pattern, inner: Pattern) -> None:
    # The last case is of a glob whose only paths have an empty component, or are of another kind.
    automaton = compile_patterns([outer, inner])
    expected = all(0 in s for s in occurring(automaton) if 1 in s)
    assert automaton.includes(0, 1) == expected
    assert expected or inner == Glob(b"/a/{,/}b/")


@pytest.mark.parametrize("impossible", [rb"/a/longer\/\/path", rb"/a/long\/\/c/x"])
def test_a_name_with_an_empty_component_does_not_occur(impossible: bytes) -> None:
    patterns: list[Pattern] = [Exact(b"/q"), Glob(impossible), Exact(b"/a/long/b/x")]
    automaton = compile_patterns(patterns)
    assert automaton.match(impossible.replace(b"\\/\\/", b"/")) == set()
    assert automaton.includes(0, 1)
    assert not automaton.includes(0, 2)


def test_a_name_with_a_slash_at_its_end_does_not_occur() -> None:
    # All bytes but the slash lead elsewhere than the default, which therefore only a slash reaches.
    ordinary = [bytes((c,)) for c in range(1, 256) if c != SLASH]
    every = [Glob(b"/**" + (c if c.isalnum() else b"\\" + c)) for c in ordinary]
    automaton = compile_patterns([Glob(b"/**[^/]"), Glob(b"/**/"), *every])
    assert automaton.match(b"/a/") == {1}
    assert automaton.includes(0, 1)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (Exact(b"/etc"), Directory(b"/etc")),
        (Directory(b"/etc"), Directory(b"/etc", True)),
        (Glob(b"/etc/**"), Directory(b"/etc", True)),
        (Glob(b"/**/sh"), Name(b"sh")),
        (Directory(b"/etc", True), Exact(b"/etcetera")),
        (Glob(b"/[ab]"), Glob(b"/?")),
        (Directory(b"/", True), Glob(b"memfd:*")),
    ],
)
def test_one_pattern_does_not_lie_within_another(outer: Pattern, inner: Pattern) -> None:
    assert not compile_patterns([outer, inner]).includes(0, 1)


def test_what_is_live_below_agrees_with_a_search_byte_by_byte() -> None:
    tally: Counter[int] = Counter()

    @settings(max_examples=250, deadline=None)
    @given(pattern_lists, st.sets(st.integers(0, 7)))
    def agree(patterns: list[Pattern], ids: set[int]) -> None:
        automaton = compile_patterns([*patterns, Exact(b"/a/longer/path/with/a/tail")])
        bytes_ = alphabet(automaton)
        answers = automaton.live_below(ids)
        assert len(answers) == len(automaton)
        for state in range(len(automaton)):
            seen = {automaton.step(state, SLASH)}
            todo = list(seen)
            while todo:
                for to in {automaton.step(todo[-1], byte) for byte in bytes_} - seen:
                    todo.insert(0, to)
                    seen.add(to)
                todo.pop()
            assert answers[state] == any(automaton.accepts(s) & ids for s in seen)
            tally[answers[state]] += 1

    agree()
    assert tally[0] > 1000
    assert tally[1] > 1000


def test_live_below_tells_directories_above_a_rule_from_others() -> None:
    automaton = compile_patterns(
        [Exact(b"/etc/ssl/private/key"), Directory(b"/srv", True), Exact(b"/etc/hosts")]
    )
    live = automaton.live_below({0, 1})

    def below(path: bytes) -> int:
        return live[automaton.run(path)]

    assert [below(p) for p in (b"", b"/etc", b"/etc/ssl", b"/etc/ssl/private")] == [1, 1, 1, 1]
    assert [
        below(p) for p in (b"/et", b"/etc/ssl/privat", b"/etc/ssl/private/key", b"/etc/hosts", b"/usr")
    ] == [0] * 5
    assert [below(p) for p in (b"/srv", b"/srv/www", b"/srv/www/x", b"/srvx")] == [1, 1, 1, 0]


@settings(max_examples=100, deadline=None)
@given(pattern_lists, paths)
def test_running_is_stepping(patterns: list[Pattern], path: bytes) -> None:
    automaton = compile_patterns(patterns)
    state = automaton.start
    for byte in path:
        row = automaton.row(state)
        at = row.symbols.find(byte)
        state = automaton.step(state, byte)
        assert state == (row.default if at < 0 else row.targets[at])
    assert automaton.run(path) == state
    assert (
        automaton.accept_sets[automaton.accept_id(state)] == automaton.accepts(state) == automaton.match(path)
    )
    assert automaton.is_absorbing(automaton.dead)
    assert automaton.accept_id(automaton.dead) == 0
