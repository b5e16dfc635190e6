# SPDX-License-Identifier: Apache-2.0
"""The image, walked exactly as the kernel walks it."""

import random
import struct
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.automaton.dfa import Automaton, compile_patterns
from hauberk.automaton.pack import ImageTooLargeError, TableBuilder
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern

from .make import naive, scenes, walk


def word(automaton: Automaton, state: int) -> int:
    return 2 * automaton.accept_id(state) + 1


def tails(seed: int, count: int) -> list[Pattern]:
    """Paths with long tails of their own."""
    rng = random.Random(seed)
    return [
        Exact(
            b"/srv/"
            + bytes(rng.choice(b"abcdefghijklmnopqrstuvwxyz0123456789-_./\xc3") for _ in range(30))
            + b"x"
        )
        for _ in range(count)
    ]


def test_the_packed_walk_agrees_with_the_automaton_and_the_naive_matcher() -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=400, deadline=None)
    @given(
        st.lists(scenes(), min_size=1, max_size=3),
        st.sampled_from([0, 8, 4096, 1 << 31]),
        st.integers(0, 3),
    )
    def agree(found: list[tuple[list[Pattern], list[bytes]]], base: int, seed: int) -> None:
        builder = TableBuilder(base)
        packed = []
        for i, (patterns, _) in enumerate(found):
            listed = [*patterns, *(tails(seed, 20) if seed else [])]
            automaton = compile_patterns(listed)
            packed.append(
                (listed, automaton, builder.add_automaton(automaton, lambda s, a=automaton: word(a, s)))
            )
            if i % 2:
                builder.add_block(b"\xff" * 20)
            builder.add_row(1, packed[-1][2], {47: packed[-1][2]})
        image = builder.image()
        for listed, automaton, start in packed:
            for name in [
                *(name for _, tried in found for name in tried),
                *(p.path for p in listed[-3:] if isinstance(p, Exact)),
            ]:
                accepted = automaton.accept_sets[walk(image, base, start, name) >> 1]
                assert accepted == automaton.match(name) == naive(listed, name)
                tally["tried"] += 1
                tally["matched"] += bool(accepted)

    agree()
    assert tally["matched"] * 4 >= tally["tried"]


def test_every_edge_of_a_large_table_is_found() -> None:
    patterns = tails(1, 3000)
    patterns += [Directory(b"/d/%d" % i, i % 3 == 0) for i in range(300)]
    patterns += [Name(b"sh"), Name(b"bash"), Glob(b"/**/*.so"), Glob(b"/d/[0-9]*/*x")]
    automaton = compile_patterns(patterns)
    builder = TableBuilder(4096)
    start = builder.add_automaton(automaton, lambda state: word(automaton, state))
    image = builder.image()
    rng = random.Random(2)
    for pattern in patterns:
        path = getattr(pattern, "path", b"/x/" + getattr(pattern, "name", b"a.so"))
        cut = rng.randrange(len(path) + 1)
        for name in (path, path[:cut], path[:cut] + b"q", path + b"/sh", path + b"/q/bash", path + b"/x.so"):
            accepted = automaton.accept_sets[walk(image, 4096, start, name) >> 1]
            assert accepted == automaton.match(name)
    assert len(image) <= 10.5 * (len(automaton) + len(automaton.tables.targets))


def test_no_lookup_of_a_row_reaches_beyond_the_image() -> None:
    patterns: list[Pattern] = [Exact(b"/"), *tails(5, 3), Directory(b"/d"), Glob(b"/[a-z]*/x")]
    for kept in range(1, len(patterns) + 1):
        automaton = compile_patterns(patterns[:kept])
        builder = TableBuilder(0)
        start = builder.add_automaton(automaton, lambda state, a=automaton: word(a, state))
        image = builder.image()
        for pattern in patterns[:kept]:
            path = getattr(pattern, "path", b"/az/x")
            for end in range(len(path) + 1):
                assert automaton.accept_sets[
                    walk(image, 0, start, path[:end] + b"\xff") >> 1
                ] == automaton.match(path[:end] + b"\xff")


def test_a_table_takes_two_slots_a_byte_of_text() -> None:
    automaton = compile_patterns(tails(3, 4000))
    builder = TableBuilder(0)
    builder.add_automaton(automaton, lambda state: word(automaton, state))
    assert len(builder.image()) <= 16.5 * len(automaton)


def test_each_state_may_have_an_accept_word_of_its_own() -> None:
    automaton = compile_patterns([*tails(4, 50), Directory(b"/d", True)])
    builder = TableBuilder(8)
    words = [2 * state + 1 for state in range(len(automaton))]
    start = builder.add_automaton(automaton, words)
    image = builder.image()
    for path in (
        b"",
        b"/",
        b"/srv",
        b"/srv/a",
        b"/d",
        b"/d/x",
        b"/nowhere",
        *(p.path for p in tails(4, 50) if isinstance(p, Exact)),
    ):
        for end in range(len(path) + 1):
            assert walk(image, 8, start, path[:end]) == words[automaton.run(path[:end])]


def test_absorbing_states_are_marked_in_references_and_shared_between_automata() -> None:
    builder = TableBuilder(16)
    first = compile_patterns([Directory(b"/", True)])
    second = compile_patterns([Exact(b"/a")])
    one = builder.add_automaton(first, lambda state: word(first, state))
    size = len(builder.image())
    two = builder.add_automaton(second, lambda state: word(second, state))
    image = builder.image()

    def follow(reference: int, byte: int) -> int:
        owner, after = struct.unpack_from("<II", image, reference + 8 * byte - 16)
        return after if owner == reference else struct.unpack_from("<I", image, reference - 16 + 4)[0]

    inside, dead = follow(one, 47), follow(one, 97)
    assert inside & 1
    assert dead & 1
    assert inside != dead
    assert follow(two, 97) == dead
    assert walk(image, 16, dead, b"") == 1
    assert walk(image, 16, inside, b"/x") == 3
    assert len(image) > size


def test_absorbing_states_can_have_rows_of_their_own() -> None:
    automaton = compile_patterns([Directory(b"/a", True), Directory(b"/b", True)])
    sizes = []
    for share in (True, False):
        builder = TableBuilder(0)
        start = builder.add_automaton(automaton, [1] * len(automaton), share=share)
        again = builder.add_automaton(automaton, [1] * len(automaton), share=share)
        image = builder.image()
        assert walk(image, 0, start, b"/a/x") == walk(image, 0, again, b"/c") == 1
        sizes.append(sum(1 for at in range(0, len(image), 8) if image[at] & 1))
    # Three absorbing states in each of the two automata.
    assert sizes[1] - sizes[0] == 5


def test_rows_without_edges_lie_side_by_side() -> None:
    builder = TableBuilder(64)
    builder.add_row(1, 0, {250: 8})
    first = builder.add_rows_without_edges([3, 5, 5])
    after = builder.add_row(7, 0, {1: 8})
    image = builder.image()
    assert [walk(image, 64, first + 8 * i, b"") for i in range(3)] == [3, 5, 5]
    for row in range(first, first + 24, 8):
        for symbol in range(1, 256):
            assert struct.unpack_from("<I", image, row + 8 * symbol - 64)[0] != row
    assert walk(image, 64, after, b"") == 7
    with pytest.raises(ValueError, match="bit 0"):
        builder.add_rows_without_edges([1, 2])


def test_equal_rows_are_added_once() -> None:
    builder = TableBuilder(0)
    row = builder.add_row(5, 0, {1: 8, 300: 16})
    size = len(builder.image())
    assert builder.add_row(5, 0, {300: 16, 1: 8}) == row
    assert builder.add_row(7, 0, {1: 8, 300: 16}) != row
    assert size < len(builder.image())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.dictionaries(
                st.one_of(st.integers(1, 255), st.integers(1, 700)), st.integers(0, 1 << 20), max_size=12
            ),
            st.binary(max_size=40),
        ),
        max_size=25,
    ),
    st.sampled_from([0, 64, 1 << 20]),
)
def test_rows_and_blocks_hold_what_was_put_into_them(items: list[dict[int, int] | bytes], base: int) -> None:
    builder = TableBuilder(base)
    placed = []
    for i, item in enumerate(items):
        placed.append(
            builder.add_block(item) if isinstance(item, bytes) else builder.add_row(2 * i + 1, 8 * i, item)
        )
    image = builder.image()
    assert len(image) % 8 == 0
    for i, (item, at) in enumerate(zip(items, placed, strict=True)):
        assert at % 8 == 0
        if isinstance(item, bytes):
            assert image[at - base : at - base + len(item)] == item
            continue
        assert at > 0
        assert struct.unpack_from("<II", image, at - base) == (2 * i + 1, 8 * i)
        for symbol in range(1, max(255, *item, 255) + 1):
            owner, after = struct.unpack_from("<II", image, at - base + 8 * symbol)
            assert (owner == at) == (symbol in item)
            assert symbol not in item or after == item[symbol]


def test_a_block_is_never_taken_for_a_row() -> None:
    builder = TableBuilder(0)
    row = builder.add_row(1, 8, {200: 16})
    block = builder.add_block(struct.pack("<II", row, 4242) * 300)
    after = builder.add_row(3, 8, {})
    image = builder.image()
    for reference in (row, after):
        for symbol in range(1, 256):
            owner, _ = struct.unpack_from("<II", image, reference + 8 * symbol)
            assert (owner == reference) == (reference == row and symbol == 200)
    assert image[block : block + 8] == struct.pack("<II", row, 4242)


@pytest.mark.parametrize("base", [0, 64])
def test_rows_without_edges_lie_side_by_side_and_lead_nowhere(base: int) -> None:
    builder = TableBuilder(base)
    accepts = list(range(1, 2001, 2))
    first = builder.add_rows_without_edges(accepts)
    last = builder.add_row(5, 8, {3: 16})
    image = builder.image()
    assert first > 0
    for row, accept in zip(range(first, first + 8 * len(accepts), 8), accepts, strict=True):
        assert struct.unpack_from("<II", image, row - base) == (accept, 0)
        for symbol in range(1, 256):
            assert struct.unpack_from("<I", image, row - base + 8 * symbol)[0] != row
    assert struct.unpack_from("<II", image, last - base + 24) == (last, 16)
    assert builder.add_rows_without_edges([]) > 0
    assert len(builder.image()) >= len(image)


def test_the_image_may_be_taken_before_more_is_added() -> None:
    builder = TableBuilder(0)
    row = builder.add_row(1, 0, {1: 8})
    early = builder.image()
    builder.add_row(3, 0, {2: 8})
    late = builder.image()
    assert walk(early, 0, row, b"") == walk(late, 0, row, b"") == 1
    assert builder.image() == late


def test_an_accept_word_without_bit_0_is_refused() -> None:
    automaton = compile_patterns([Exact(b"/a")])
    with pytest.raises(ValueError, match="bit 0"):
        TableBuilder(0).add_row(2, 0, {})
    with pytest.raises(ValueError, match="bit 0"):
        TableBuilder(0).add_rows_without_edges([1, 2])
    with pytest.raises(ValueError, match="bit 0"):
        TableBuilder(0).add_automaton(automaton, [1] * (len(automaton) - 1) + [2])
    with pytest.raises(ValueError, match="each state"):
        TableBuilder(0).add_automaton(automaton, [1])
    with pytest.raises(ValueError, match="multiple of 8"):
        TableBuilder(4)


def test_an_image_beyond_four_gibibytes_is_refused() -> None:
    with pytest.raises(ImageTooLargeError):
        TableBuilder((1 << 32) - 1024).add_row(1, 0, {})
