# SPDX-License-Identifier: Apache-2.0
"""Random patterns and paths from a small world, where they meet often; and the kernel's walk, in Python."""

import re
import struct
from collections.abc import Iterable

from hypothesis import strategies as st

from hauberk.automaton.dfa import Automaton
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches

components = st.sampled_from([b"a", b"a", b"a", b"b", b"b", b"ab", b".a"])
paths = st.lists(components, max_size=3).map(lambda names: b"".join(b"/" + name for name in names))
strange = st.one_of(
    st.binary(max_size=6).map(lambda name: name.replace(b"\0", b"\xff")),
    st.lists(st.sampled_from([b"a", b"b", b"/", b"."]), max_size=7).map(b"".join),
    components.map(lambda name: b"memfd:" + name),
)
names = st.one_of(*[paths] * 12, strange)
"""Mostly paths; also what no path is like."""

_plain = st.sampled_from(
    [b"a", b"b", b"ab", b"/", b"/a", b".", b"*", b"**", b"?", b"[ab]", b"[^a]", b"[a-c.]", rb"\*"]
)
_pieces = st.recursive(
    _plain,
    lambda inner: st.lists(st.lists(inner, max_size=3).map(b"".join), min_size=2, max_size=3).map(
        lambda options: b"{" + b",".join(options) + b"}"
    ),
    max_leaves=6,
)
globs = st.builds(
    lambda begin, rest: Glob(begin + b"".join(rest)),
    paths.map(lambda p: p[:3] or b"/"),
    st.lists(_pieces, max_size=4),
)
deep_globs = st.sampled_from(
    [b"/**", b"/**/a", b"/*/a", b"/a/**/b", b"/**/*.b", b"/{a,b}/*", b"/a/{,**}", b"/a/"]
).map(Glob)
patterns = st.one_of(
    paths.map(Exact),
    components.map(Name),
    st.builds(Directory, paths.map(lambda p: p or b"/"), st.booleans()),
    st.one_of(globs, deep_globs),
)
pattern_lists = st.one_of(st.lists(patterns, max_size=3), st.lists(patterns, min_size=4, max_size=9))


def near(pattern: Pattern) -> list[bytes]:
    """Some paths that the pattern is likely to match."""
    match pattern:
        case Exact(path):
            return [path]
        case Directory(path):
            return [path, path + b"/a", path + b"/a/b"]
        case Name(name):
            return [b"/" + name, b"/a/" + name]
        case Glob(text):
            text = re.sub(rb"\{[^{}]*?([^{},]*)\}", rb"\1", re.sub(rb"\[[^]]*\]|\?", b"b", text))
            return [text.replace(b"**", b"a/b").replace(b"*", b"a"), text.replace(b"*", b"")]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Pattern], list[bytes]]:
    """Patterns, and names of which about half are near to some pattern."""
    listed = draw(pattern_lists)
    close = [path for pattern in listed for path in near(pattern)]
    chosen = st.one_of(names, st.sampled_from(close)) if close else names
    return listed, draw(st.lists(chosen, min_size=1, max_size=12))


def naive(listed: list[Pattern], path: bytes) -> frozenset[int]:
    """The patterns that match, by the definition."""
    return frozenset(i for i, pattern in enumerate(listed) if matches(pattern, path))


def alphabet(automaton: Automaton) -> list[int]:
    """Bytes that stand for all: those by which some state has an edge, the slash, and one other."""
    used = {0x2F, *automaton.tables.symbols}
    spare = next((c for c in range(1, 256) if c not in used), None)
    return sorted(used | ({spare} if spare else set()))


def walk(image: bytes, base: int, reference: int, path: Iterable[int]) -> int:
    """The accept word at the end of `path`, read from the image exactly as the kernel does."""

    def slot(offset: int) -> tuple[int, int]:
        low, high = struct.unpack_from("<II", image, offset - base)
        return low, high

    for byte in path:
        if reference & 1:
            break
        owner, after = slot(reference + 8 * byte)
        reference = after if owner == reference else slot(reference)[1]
    return slot(reference & ~1)[0]
