# SPDX-License-Identifier: Apache-2.0
"""Pattern compilation: whatever the patterns, they are refused with words, need too many states, or mean in
the automaton, and in the image that the kernel walks, what the naive matcher says.

An input has one pattern a line: a letter for its kind, and its text. The paths that are tried are made from
the patterns' own bytes.
"""

import re
from collections.abc import Iterator
from typing import Final

from hauberk.automaton.dfa import Automaton, compile_patterns
from hauberk.automaton.errors import AutomatonError, PatternError
from hauberk.automaton.pack import TableBuilder
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches
from tests.automaton.make import near, walk
from tests.fuzz import told

MAX_LENGTH: Final = 1024
STATE_LIMIT: Final = 2000
MOST_PATHS: Final = 60
LONGEST_PATH: Final = 40

KINDS: Final = {
    b"e": Exact,
    b"d": Directory,
    b"r": lambda text: Directory(text, True),
    b"n": Name,
    b"g": Glob,
}


def seeds() -> Iterator[bytes]:
    """Every kind, and globs with all that globs can have."""
    yield b"e/etc/shadow\nd/etc/\nr/usr/lib\nnsh\ng/usr/bin/{apt,apt-get,dpkg}"
    yield b"g/**/*.so*\ng/home/*/.ssh/**\ng/a/?[a-c][^x]/\\*"
    yield b"g/{a,{b,c}*,}{,/**}x\ng/a//b/\nr/\ne/\nememfd:x"
    yield b"g/[\\]a-]/[^]\ng/{a}\ng/{a,b\ng/@{HOME}\ng/a\\1\ngx\nn\nna/b\ndx\ne\0"
    yield b"gmemfd:*\ng/***/**/*\ng/*a*b*c\ng/**a**b\nr/a\nd/a"


def check(data: bytes) -> None:
    patterns = list(_patterns(data))
    try:
        automaton = compile_patterns(patterns, state_limit=STATE_LIMIT)
    except AutomatonError as error:
        told(error)
        return
    assert len(automaton) <= STATE_LIMIT
    builder = TableBuilder(8)
    start = builder.add_automaton(automaton, lambda state: 2 * automaton.accept_id(state) + 1)
    image = builder.image()
    # Python's `re` tries every way to share a text out among stars: the oracle would hang, and not Hauberk.
    easy = {i: each for i, each in enumerate(patterns) if not _is_hard(each)}
    for path in _paths(patterns, automaton):
        found = automaton.match(path)
        expected = {i for i, pattern in easy.items() if matches(pattern, path)}
        assert found & easy.keys() == expected, (patterns, path, found, expected)
        word = walk(image, 8, start, path)
        assert automaton.accept_sets[word >> 1] == found, (patterns, path, word, found)
    for inner in range(len(patterns)):
        assert automaton.includes(inner, inner)


def _patterns(data: bytes) -> Iterator[Pattern]:
    for line in data.split(b"\n"):
        make = KINDS.get(line[:1])
        if make is None:
            continue
        try:
            yield make(line[1:])
        except PatternError as error:
            told(error)


def _is_hard(pattern: Pattern) -> bool:
    if not isinstance(pattern, Glob):
        return False
    stars = len(re.findall(rb"\*+", pattern.text))
    return stars > 4 or (stars > 2 and b"{" in pattern.text)


def _paths(patterns: list[Pattern], automaton: Automaton) -> list[bytes]:
    """Paths near to the patterns, and the shortest ones to as many states as there is time for."""
    found = dict.fromkeys((b"", b"/", b"/a", b"x", b"/\n"))
    letters = {*b"/a\n\xff"}
    for pattern in patterns:
        for path in near(pattern):
            path = path.replace(b"\0", b"")
            letters.update(path[:64])
            for cut in (path, path + b"/a", path + b"\n", path[:-1], path[1:], path + b"/", b"/a" + path):
                found[cut[:LONGEST_PATH]] = None
    reached = {automaton.start: b""}
    queue = [automaton.start]
    some = sorted(letters)[:24]
    for state in queue:
        if len(reached) >= MOST_PATHS or len(reached[state]) >= LONGEST_PATH:
            break
        for letter in some:
            after = automaton.step(state, letter)
            if after not in reached:
                reached[after] = reached[state] + bytes((letter,))
                queue.append(after)
    found.update(dict.fromkeys(reached.values()))
    return list(found)[: 2 * MOST_PATHS]
