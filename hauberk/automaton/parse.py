# SPDX-License-Identifier: Apache-2.0
r"""AppArmor globs, parsed into a small tree.

The tree is a sequence of items: a `Step` eats one byte of a set, a `Run` any number of bytes of a set, a
`Choice` one of several sequences. Sets are 256-bit integers. What AppArmor would read in a way that
surprises (`\t`, `\101`, `@{HOME}`) is refused here, so that no pattern quietly means something else than
under the AppArmor enforcer.
"""

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from hauberk.automaton.errors import PatternError

MAX_GLOB_BYTES = 4096
"""Longest glob, in bytes: no path that a rule could name is longer."""

MAX_NESTING = 49
"""Deepest nesting of `{}`, as in AppArmor."""

SLASH = 1 << 0x2F
ANY = (1 << 256) - 2
"""Every byte but NUL."""
NOT_SLASH = ANY & ~SLASH


@dataclass(frozen=True, slots=True)
class Step:
    """One byte of `set`."""

    set: int


@dataclass(frozen=True, slots=True)
class Run:
    """Any number of bytes of `set`, none included."""

    set: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of `options`."""

    options: "tuple[Sequence, ...]"


Item: TypeAlias = Step | Run | Choice
Sequence: TypeAlias = tuple[Item, ...]


def collapse_slashes(text: bytes) -> bytes:
    """`text` with every run of slashes made one."""
    return re.sub(rb"//+", b"/", text)


def parse_glob(glob: bytes) -> Sequence:
    """The tree of an AppArmor glob. Raises PatternError with the offset in `glob` of the fault."""
    parser = _Parser(glob)
    parser.check()
    return parser.sequence()


class _Parser:
    def __init__(self, glob: bytes) -> None:
        self.glob = glob
        # Positions are kept beside the bytes because errors speak of the text as written, slashes not yet
        # collapsed.
        self.places = [i for i, c in enumerate(glob) if not (c == 0x2F and glob[i - 1 : i] == b"/")]
        self.text = bytes(glob[i] for i in self.places)
        self.at = 0
        self.open: list[int] = []

    def check(self) -> None:
        if len(self.glob) > MAX_GLOB_BYTES:
            self.fail(MAX_GLOB_BYTES, f"longer than {MAX_GLOB_BYTES} bytes", "split it into several patterns")
        if b"\0" in self.glob:
            self.fail(self.text.index(b"\0"), "a NUL byte", "no path has one: remove it")
        if not self.text.startswith((b"/", b"memfd:")):
            last = self.text.rsplit(b"/", 1)[-1].decode("utf-8", "backslashreplace") or "NAME"
            if self.text[:1] == b"@":
                hint = "variables are not known here: write the path itself"
            elif self.text[:1] == b"{":
                hint = "begin with '/': write '/{usr,opt}/bin', not '{/usr,/opt}/bin'"
            else:
                # What is written may hold anything; what is told is read on a terminal.
                hint = f"to match at any depth write {'/**/' + last!r}"
            self.fail(0, "a glob begins with '/'", hint)

    def fail(self, at: int, message: str, hint: str) -> NoReturn:
        place = self.places[at] if at < len(self.places) else len(self.glob)
        raise PatternError(self.glob, place, message, hint)

    def sequence(self) -> Sequence:
        items: list[Item] = []
        text = self.text
        while self.at < len(text):
            at = self.at
            c = text[at]
            if self.open and c in b",}":
                return tuple(items)
            self.at += 1
            if c == 0x5C:  # backslash
                items.append(Step(1 << self.escaped()))
            elif c == 0x2A:  # *
                items.extend(self.stars(at))
            elif c == 0x3F:  # ?
                items.append(Step(NOT_SLASH))
            elif c == 0x5B:  # [
                items.append(Step(self.byte_class(at)))
            elif c == 0x40 and text[self.at : self.at + 1] == b"{":
                self.fail(
                    at, "variables are not known here", r"write the path itself, or '@\{' for the characters"
                )
            elif c == 0x7B:  # {
                items.append(self.choice(at))
            elif c == 0x7D:
                self.fail(at, "'}' without '{'", r"write '\}' for the character itself")
            elif c == 0x5D:
                self.fail(at, "']' without '['", r"write '\]' for the character itself")
            else:
                items.append(Step(1 << c))
        if self.open:
            self.fail(self.open[-1], "'{' is not closed", r"add '}', or write '\{' for the character itself")
        return tuple(items)

    def escaped(self) -> int:
        if self.at >= len(self.text):
            self.fail(self.at - 1, "nothing follows the backslash", r"write '\\' for the character itself")
        c = self.text[self.at]
        if chr(c).isascii() and chr(c).isalnum():
            self.fail(
                self.at - 1,
                "a backslash before a letter or digit",
                "control characters and codes cannot be written so: write the character itself",
            )
        self.at += 1
        return c

    def stars(self, at: int) -> list[Item]:
        text = self.text
        items: list[Item] = []
        after = at
        while text[after : after + 1] == b"*":
            after += 1
        if text[at - 1 : at] == b"/" and text[after : after + 1] in (b"", b"/"):
            items.append(Step(NOT_SLASH))
        if after - at > 1:
            # `***` is `**` and `*`, which is `**`.
            items.append(Run(ANY))
        else:
            items.append(Run(NOT_SLASH))
        self.at = after
        return items

    def choice(self, at: int) -> Choice:
        if len(self.open) >= MAX_NESTING:
            self.fail(at, f"'{{' nested deeper than {MAX_NESTING}", "split it into several patterns")
        self.open.append(at)
        options: list[Sequence] = []
        while True:
            options.append(self.sequence())
            closing = self.text[self.at] == 0x7D
            self.at += 1
            if closing:
                break
        if len(options) == 1:
            # AppArmor refuses it too: it is most often a variable of some other language.
            self.fail(
                at,
                "braces around a single text",
                r"write the text alone, or '{text,}', or '\{' for the character",
            )
        self.open.pop()
        return Choice(tuple(options))

    def byte_class(self, at: int) -> int:
        text = self.text
        negated = text[self.at : self.at + 1] == b"^"
        self.at += negated
        found = 0
        first = self.at
        while True:
            if self.at >= len(text):
                self.fail(at, "'[' is not closed", r"add ']', or write '\[' for the character itself")
            if text[self.at] == 0x5D:
                break
            start = self.at
            low = self.member()
            high = low
            if text[self.at : self.at + 1] == b"-" and text[self.at + 1 : self.at + 2] not in (b"]", b""):
                self.at += 1
                high = self.member()
            if high < low:
                self.fail(start, "a range that runs backwards", "write the lower byte first")
            found |= (1 << (high + 1)) - (1 << low)
        if self.at == first:
            self.fail(at, "an empty set", r"write '\]' for a ']' in a set")
        self.at += 1
        members = (NOT_SLASH & ~found) if negated else (found & NOT_SLASH)
        if not members:
            self.fail(
                at, "a set that matches nothing", "a set never matches '/': write the slash outside of it"
            )
        return members

    def member(self) -> int:
        c = self.text[self.at]
        self.at += 1
        return self.escaped() if c == 0x5C else c
