# SPDX-License-Identifier: Apache-2.0
"""The four kinds of path pattern, and a naive matcher that defines what each of them matches.

A path is what the kernel sees from the root of the workload's mount namespace: `b"/etc/shadow"`, with no
slash at its end, so the root directory is `b""`. Names that are no paths (`b"memfd:x"`) occur as well. The
alphabet is the bytes 1 to 255.

The matcher translates globs to `re` from left to right, as AppArmor's own parser does, and shares no code
with the parser and the automata of this package: tests hold the one against the other.
"""

import re
from functools import lru_cache
from typing import TypeAlias

import msgspec
from msgspec.structs import force_setattr

from hauberk.automaton.errors import PatternError
from hauberk.automaton.parse import collapse_slashes, parse_glob


class Exact(msgspec.Struct, frozen=True, gc=False):
    """One path, or one name that is no path. Repeated slashes and one at the end are dropped: `/` becomes
    `b""`.

    Raises PatternError for a NUL byte.
    """

    path: bytes

    def __post_init__(self) -> None:
        # Written out: rule sets have tens of thousands, and nearly all are plain.
        path = self.path
        if path.endswith(b"/") or b"//" in path or b"\0" in path:
            force_setattr(self, "path", _plain(path))


class Directory(msgspec.Struct, frozen=True, gc=False):
    """A directory and what is in it: its direct entries, or with `recursive` everything below it.

    The slash at the end of `path` is optional, and dropped: `Directory(b"/", True)` is the root with all
    that is below. Raises PatternError for a NUL byte and for a path that does not begin with a slash.
    """

    path: bytes
    recursive: bool = False

    def __post_init__(self) -> None:
        if self.path[:1] != b"/" and self.path:
            raise PatternError(
                self.path, 0, "a directory begins with '/'", "write the directory's absolute path"
            )
        if (plain := _plain(self.path)) is not self.path:
            force_setattr(self, "path", plain)


class Glob(msgspec.Struct, frozen=True, gc=False):
    r"""An AppArmor glob.

    `*` matches within a component, `**` across components, `?` one byte, `[a-z]` and `[^a-z]` one byte of a
    set, `{a,b}` one of several texts (nested, and empty ones too), `\` takes the meaning away from the next
    byte. Only `**` and a written slash match a slash. A `*` or `**` between a slash and another slash or
    the end matches at least one byte. A glob that AppArmor would match with `/dir/` matches the path
    `/dir`, which is what the kernel calls it here.

    Raises PatternError if the text is malformed.
    """

    text: bytes

    def __post_init__(self) -> None:
        parse_glob(self.text)


class Name(msgspec.Struct, frozen=True, gc=False):
    """Every path whose last component is `name`, at any depth.

    Raises PatternError if the name is empty or has a slash or a NUL byte.
    """

    name: bytes

    def __post_init__(self) -> None:
        if not self.name:
            raise PatternError(self.name, 0, "the name is empty", "write the last component of the path")
        if b"/" in self.name:
            raise PatternError(
                self.name,
                self.name.index(b"/"),
                "a name has no '/'",
                "write the last component, or use a path",
            )
        _refuse_nul(self.name)


Pattern: TypeAlias = Exact | Directory | Glob | Name


def matches(pattern: Pattern, path: bytes) -> bool:
    """Whether `pattern` matches `path`; the definition that automata are tested against."""
    match pattern:
        case Exact(exact):
            return path == exact
        case Directory(directory, recursive):
            if path == directory:
                return True
            if not path.startswith(directory + b"/"):
                return False
            return recursive or b"/" not in path[len(directory) + 1 :]
        case Name(name):
            return path.startswith(b"/") and path.endswith(b"/" + name)
        case Glob(text):
            regex = _glob_regex(text)
            return bool(regex.fullmatch(path) or regex.fullmatch(path + b"/"))


def _plain(path: bytes) -> bytes:
    _refuse_nul(path)
    path = collapse_slashes(path) if b"//" in path else path
    return path[:-1] if path.endswith(b"/") else path


def _refuse_nul(text: bytes) -> None:
    if b"\0" in text:
        raise PatternError(text, text.index(b"\0"), "a NUL byte", "no path has one: remove it")


_CLASS = re.compile(rb"\[(\^?)((?:\\.|[^\]\\])*)\]", re.DOTALL)


@lru_cache(maxsize=4096)
def _glob_regex(glob: bytes) -> "re.Pattern[bytes]":
    text = collapse_slashes(glob)
    out: list[bytes] = []
    depth = 0
    at = 0
    while at < len(text):
        c = text[at : at + 1]
        at += 1
        if c == b"\\":
            out.append(re.escape(text[at : at + 1]))
            at += 1
        elif c == b"*":
            if text[at - 2 : at - 1] == b"/" and text[at - 1 :].lstrip(b"*")[:1] in (b"", b"/"):
                out.append(b"[^/]")
            if text[at : at + 1] == b"*":
                at += 1
                out.append(b".*")
            else:
                out.append(b"[^/]*")
        elif c == b"?":
            out.append(b"[^/]")
        elif c == b"[":
            found = _CLASS.match(text, at - 1)
            assert found is not None, "the constructor has parsed this glob"
            inside = (
                found[2]
                .replace(b"[", rb"\[")
                .replace(b"&&", rb"&\&")
                .replace(b"||", rb"|\|")
                .replace(b"~~", rb"~\~")
            )
            out.append(rb"(?!/)[" + found[1] + inside + b"]")
            at = found.end()
        elif c == b"{":
            depth += 1
            out.append(b"(?:")
        elif c == b"}":
            depth -= 1
            out.append(b")")
        elif c == b"," and depth:
            out.append(b"|")
        else:
            out.append(re.escape(c))
    return re.compile(b"".join(out), re.DOTALL)
