# SPDX-License-Identifier: Apache-2.0
"""Every pattern as a literal beginning and a rest, which is the tree of a glob (see `parse.py`)."""

from hauberk.automaton.parse import ANY, NOT_SLASH, SLASH, Choice, Run, Sequence, Step, parse_glob
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern

_RECURSIVE: Sequence = (Choice(((), (Step(SLASH), Run(ANY)))),)
_DIRECT: Sequence = (Choice(((), (Step(SLASH), Run(NOT_SLASH)))),)
_ANYWHERE: Sequence = (Step(SLASH), Choice(((), (Run(ANY), Step(SLASH)))))


def text_of(pattern: Pattern) -> bytes:
    match pattern:
        case Exact(path):
            return path or b"/"
        case Directory(path):
            return path + b"/"
        case Name(name):
            return name
        case Glob(text):
            return text


def split(pattern: Pattern) -> tuple[bytes, Sequence]:
    """A pattern's literal beginning and the rest of it.

    The beginning never ends with a slash, so that no node above a shape can be accepting by reason of a
    slash that follows.
    """
    match pattern:
        case Exact(path):
            return path, ()
        case Directory(path, recursive):
            return path, _RECURSIVE if recursive else _DIRECT
        case Name(name):
            return b"", (*_ANYWHERE, *(Step(1 << c) for c in name))
        case Glob(text):
            sequence = parse_glob(text)
            literal = bytearray()
            for item in sequence:
                if not isinstance(item, Step) or item.set.bit_count() != 1:
                    break
                literal.append(item.set.bit_length() - 1)
            if literal.endswith(b"/"):
                literal.pop()
            return bytes(literal), sequence[len(literal) :]
