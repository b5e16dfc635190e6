# SPDX-License-Identifier: Apache-2.0
"""The automaton is right, minimal, the same every time, and bounded."""

import hashlib
import os
import subprocess
import sys
import tracemalloc
from collections import Counter

import pytest
from hypothesis import example, given, settings

from hauberk.automaton.dfa import Automaton, compile_patterns
from hauberk.automaton.limits import SHAPE_LIMIT, StateLimitError
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern

from .make import alphabet, naive, pattern_lists, scenes


def test_the_automaton_agrees_with_the_naive_matcher() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=400, deadline=None)
    @given(scenes())
    def agree(scene: tuple[list[Pattern], list[bytes]]) -> None:
        patterns, tried = scene
        automaton = compile_patterns(patterns)
        for name in tried:
            expected = naive(patterns, name)
            assert automaton.match(name) == expected
            tally["tried"] += 1
            tally["matched"] += bool(expected)
            tally["by several"] += len(expected) > 1

    agree()
    assert tally["matched"] * 4 >= tally["tried"]
    assert tally["by several"] * 20 >= tally["tried"]


def classes(automaton: Automaton) -> list[int]:
    """For each state its class of equivalent states, by refining the classes until nothing changes."""
    bytes_ = alphabet(automaton)
    states = range(len(automaton))
    rows = [[automaton.step(state, byte) for byte in bytes_] for state in states]
    found = [hash(automaton.accepts(state)) for state in states]
    while True:
        numbers: dict[tuple[int, ...], int] = {}
        finer = [
            numbers.setdefault((found[state], *(found[to] for to in rows[state])), len(numbers))
            for state in states
        ]
        if len(numbers) == len(set(found)):
            return finer
        found = finer


def reachable(automaton: Automaton) -> set[int]:
    seen = {automaton.start}
    todo = [automaton.start]
    while todo:
        state = todo.pop()
        for byte in alphabet(automaton):
            to = automaton.step(state, byte)
            if to not in seen:
                seen.add(to)
                todo.append(to)
    return seen


@settings(max_examples=400, deadline=None)
@given(pattern_lists)
def test_no_two_states_are_equivalent_and_none_is_unreachable(patterns: list[Pattern]) -> None:
    automaton = compile_patterns(patterns)
    assert len(set(classes(automaton))) == len(automaton)
    assert reachable(automaton) | {automaton.dead} == set(range(len(automaton)))
    assert len(set(automaton.accept_sets)) == len(automaton.accept_sets)


@settings(max_examples=200, deadline=None)
@given(pattern_lists)
def test_rows_are_as_short_as_can_be(patterns: list[Pattern]) -> None:
    automaton = compile_patterns(patterns)
    for state in range(len(automaton)):
        row = automaton.row(state)
        assert list(row.symbols) == sorted(set(row.symbols))
        assert row.default not in row.targets
        assert len(row.symbols) < 255
        assert automaton.is_absorbing(state) == all(automaton.step(state, c) == state for c in range(1, 256))


@settings(max_examples=300, deadline=None)
@given(pattern_lists)
@example([Exact(b"/a/longer/path/with/a/tail/still")])
def test_chains_are_what_they_claim_to_be(patterns: list[Pattern]) -> None:
    automaton = compile_patterns([*patterns, Exact(b"/a/longer/path/with/a/tail")])
    t = automaton.tables
    assert t.chains == sorted(t.chains)
    # A name goes on everywhere, and with it there is no tail on which nothing else is alive.
    assert t.chains or any(isinstance(p, Name | Glob) for p in patterns)
    inner = {state + i for state, length in t.chains for i in range(1, length)}
    assert automaton.start not in {state for state, _ in t.chains} | inner
    for state, length in t.chains:
        for at in range(state, state + length):
            row = automaton.row(at)
            assert len(row.symbols) == 1
            assert automaton.is_absorbing(row.default)
            assert row.default == automaton.row(state).default
            assert automaton.accepts(at) == automaton.accepts(row.default)
            assert at == state + length - 1 or row.targets[0] == at + 1
            assert t.first[at] == t.first[state] + at - state
    for state in range(len(automaton)):
        row = automaton.row(state)
        for to in (row.default, *row.targets):
            assert to not in inner or to == state + 1


def test_no_patterns_make_one_dead_state() -> None:
    automaton = compile_patterns([])
    assert (len(automaton), automaton.start, automaton.dead) == (1, 0, 0)
    assert automaton.match(b"/a") == frozenset()
    assert automaton.accept_sets == [frozenset()]


def test_every_byte_can_lead_to_a_child() -> None:
    patterns: list[Pattern] = [Exact(bytes((c,)) + b"x") for c in range(1, 256)]
    for extra in ([], [Name(b"x")], [Glob(b"memfd:?"), Directory(b"/", True)]):
        automaton = compile_patterns([*patterns, *extra])
        for c in range(1, 256):
            name = bytes((c,)) + b"x"
            assert automaton.match(name) == naive([*patterns, *extra], name)
        assert complete(automaton)


def complete(automaton: Automaton) -> bool:
    """Whether the automaton is minimal and every row's default is the target of some byte."""
    return (
        len(set(classes(automaton))) == len(automaton)
        and reachable(automaton) | {automaton.dead} == set(range(len(automaton)))
        and all(len(automaton.row(state).symbols) < 255 for state in range(len(automaton)))
    )


def test_every_byte_can_lead_elsewhere_off_the_trie() -> None:
    ordinary = [c for c in range(1, 256) if c != 0x2F]
    patterns: list[Pattern] = [Name(bytes((c,))) for c in ordinary]
    patterns += [Directory(b"/d"), Directory(b"/d/x"), Exact(b"/d/longer/path/x")]
    automaton = compile_patterns(patterns)
    for path in (b"/%c", b"/d/%c", b"/d/x/%c", b"/d/%c/x", b"/d/longer/path/%c"):
        for c in ordinary:
            assert automaton.match(path % c) == naive(patterns, path % c)
    assert complete(automaton)


def test_every_byte_can_lead_elsewhere_below_a_directory() -> None:
    ordinary = [bytes((c,)) for c in range(1, 256) if c != 0x2F]
    patterns: list[Pattern] = [Glob(b"/**" + (c if c.isalnum() else b"\\" + c)) for c in ordinary]
    patterns.append(Directory(b"/d"))
    automaton = compile_patterns(patterns)
    for path in (b"/%s", b"/d/x%s", b"/d/x/%s", b"/d/%s/x"):
        for c in ordinary:
            assert automaton.match(path % c) == naive(patterns, path % c)
    assert complete(automaton)


def test_every_byte_can_lead_to_a_child_below_a_directory() -> None:
    patterns: list[Pattern] = [Exact(b"/d/" + bytes((c,)) + b"x") for c in range(1, 256) if c != 0x2F]
    patterns += [Directory(b"/d", True), Glob(b"/**/*x"), Name(b"x")]
    automaton = compile_patterns(patterns)
    for c in range(1, 256):
        for name in (b"/d/" + bytes((c,)) + b"x", b"/d/" + bytes((c,))):
            assert automaton.match(name) == naive(patterns, name)
    assert complete(automaton)


def test_patterns_nested_a_thousand_deep_do_not_exhaust_the_stack() -> None:
    patterns: list[Pattern] = [Directory(b"/a" * depth, True) for depth in range(1, 1100)]
    patterns += [Glob(b"/a" * depth + b"/*b") for depth in range(1, 300)]
    automaton = compile_patterns(patterns)
    assert automaton.match(b"/a" * 500 + b"/xb") == naive(patterns, b"/a" * 500 + b"/xb")


def test_what_lies_below_a_directory_is_alike_for_each_but_for_the_directory() -> None:
    patterns: list[Pattern] = [Directory(b"/d/%d" % i, i % 2 == 0) for i in range(40)]
    patterns += [
        Name(b"sh"),
        Name(b"bash"),
        Glob(b"/**/*.so"),
        Glob(b"/d/*/x/**"),
        Exact(b"/d/3/sh"),
        Exact(b"/d/4/x/sh"),
    ]
    automaton = compile_patterns(patterns)
    assert len(set(classes(automaton))) == len(automaton)
    for i in range(40):
        for rest in (b"", b"/sh", b"/x/sh", b"/x/bash.so", b"/x", b"/y/z.so"):
            assert automaton.match(b"/d/%d" % i + rest) == naive(patterns, b"/d/%d" % i + rest)


SCRIPT = """
import hashlib
from hauberk.automaton.dfa import compile_patterns
from hauberk.automaton.pack import TableBuilder
from hauberk.automaton.patterns import Directory, Exact, Glob, Name
patterns = [Exact(b"/usr/share/app-%02d/file-%04d" % (i % 7, i)) for i in range(300)]
patterns += [Directory(b"/srv/%d" % i, i % 2 == 0) for i in range(20)]
patterns += [Name(b"sh"), Name(b"nc"), Exact(b"/"), Glob(b"/**/*.{sh,py}"), Glob(b"/*/a?[^b]")]
patterns += [Glob(b"/srv/[0-9]*/**/x")]
automaton = compile_patterns(patterns)
builder = TableBuilder(4096)
builder.add_automaton(automaton, lambda state: 2 * automaton.accept_id(state) + 1)
print(hashlib.sha256(builder.image() + repr(list(map(sorted, automaton.accept_sets))).encode()).hexdigest())
"""


def test_the_same_patterns_give_the_same_bytes_whatever_the_hash_seed() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 2 * hashlib.sha256().digest_size


def test_states_are_in_proportion_to_the_text() -> None:
    patterns: list[Pattern] = [
        Exact(b"/usr/share/app-%02d/data/file-%05d.conf" % (i % 100, i)) for i in range(2000)
    ]
    patterns += [Directory(b"/var/lib/%04d/state" % i, i % 2 == 0) for i in range(1000)]
    automaton = compile_patterns(patterns)
    assert len(automaton) <= sum(len(p.path) + 2 for p in patterns if not isinstance(p, Glob | Name))


class TestLimit:
    def test_it_is_exact(self) -> None:
        patterns: list[Pattern] = [Exact(b"/abc"), Glob(b"/a*b"), Directory(b"/d"), Name(b"x")]
        size = len(compile_patterns(patterns))
        assert len(compile_patterns(patterns, state_limit=size)) == size
        with pytest.raises(StateLimitError) as caught:
            compile_patterns(patterns, state_limit=size - 1)
        assert caught.value.limit == size - 1

    def test_text_without_wildcards_is_counted_by_the_byte(self) -> None:
        with pytest.raises(StateLimitError, match="up to 26 states, one a byte"):
            compile_patterns([Exact(b"/a-path/with-twenty-6-bytes"[:26])], state_limit=10)

    def test_globs_that_multiply_are_named_with_what_they_add(self) -> None:
        patterns: list[Pattern] = [Exact(b"/etc/passwd"), *(Glob(b"/**/x%d/**" % i) for i in range(24))]
        with pytest.raises(StateLimitError) as caught:
            compile_patterns(patterns)
        costs = caught.value.costs
        assert all(isinstance(cost.pattern, Glob) and patterns[cost.index] is cost.pattern for cost in costs)
        assert costs[0].added is None
        added = [cost.added for cost in costs[1:]]
        assert added == sorted(added, key=lambda n: -(n or 0))
        assert costs[1].added is not None
        assert costs[1].alone is not None
        assert costs[1].added > 100 * costs[1].alone
        assert costs[0].pattern.text.decode() in caught.value.message
        assert "anchor" in caught.value.remedy

    def test_one_glob_that_is_too_much_alone_comes_first(self) -> None:
        patterns: list[Pattern] = [
            Glob(b"/*.a"),
            Name(b"x"),
            Glob(b"/*a" + b"?" * 40),
            Directory(b"/d", True),
        ]
        with pytest.raises(StateLimitError) as caught:
            compile_patterns(patterns)
        assert caught.value.costs[0].index == 2
        assert caught.value.costs[0].alone is None
        assert caught.value.limit == SHAPE_LIMIT

    def test_patterns_are_told_with_nothing_that_a_terminal_would_obey(self) -> None:
        with pytest.raises(StateLimitError) as caught:
            compile_patterns([Glob(b"/*\x1b2J" + b"?" * 40)])
        assert all(line.isprintable() for line in caught.value.message.split("\n"))
        assert r"/*\x1b2J??" in caught.value.message

    def test_directories_in_which_names_go_on_are_named(self) -> None:
        patterns: list[Pattern] = [Name(b"tool-%03d" % i) for i in range(100)]
        patterns += [Directory(b"/srv/%04d" % i, True) for i in range(1000)]
        with pytest.raises(StateLimitError) as caught:
            compile_patterns(patterns, state_limit=50_000)
        worst = caught.value.costs[0]
        assert isinstance(worst.pattern, Directory)
        assert worst.added is None or worst.added > 100

    @pytest.mark.parametrize(
        "patterns",
        [
            [Glob(b"/*a" + b"?" * 60)],
            [Glob(b"/**%c**%c**" % (i, i + 1)) for i in range(97, 120)],
            [Glob(b"/{" + b",".join(b"*%c" % i + b"?" * 30 for i in range(97, 120)) + b"}")],
        ],
        ids=["one", "many", "alternatives"],
    )
    def test_exponential_globs_are_refused_within_bounded_memory(self, patterns: list[Pattern]) -> None:
        tracemalloc.start()
        try:
            with pytest.raises(StateLimitError):
                compile_patterns(patterns)
            assert tracemalloc.get_traced_memory()[1] < 128 << 20
        finally:
            tracemalloc.stop()

    def test_a_long_glob_is_no_reason_for_refusal(self) -> None:
        automaton = compile_patterns([Glob(b"/*" + b"ab" * 300), Glob(b"/" + b"{a,b}" * 300)])
        assert automaton.match(b"/x" + b"ab" * 300) == {0}
        assert automaton.match(b"/" + b"ab" * 150) == {1}
