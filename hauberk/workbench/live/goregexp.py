# SPDX-License-Identifier: Apache-2.0
"""Regular expressions in Go's syntax (RE2), as Python understands them.

Scenarios are written with Go's, since KubeArmor's own tests are. Where the same text means another thing in
Python it is rewritten: `$` and `\\z`, POSIX classes, flags that begin in the middle, `\\Q...\\E`, ASCII
classes. What only Python has (look-around, back references, possessive and conditional groups) is refused.
"""

import re
from functools import lru_cache
from typing import Final

from hauberk.errors import HauberkError

_POSIX: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f", "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_CLASSES: Final = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}
_REPEAT: Final = re.compile(r"\{\d+(,\d*)?\}")
_GROUP: Final = re.compile(r"\(\?(?:P?<(?P<name>\w+)>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)]))")


class RegexpError(HauberkError):
    """A regular expression that Go would not take, or that cannot be told in Python's syntax."""


@lru_cache(maxsize=256)
def compile_go(pattern: str) -> re.Pattern[str]:
    """The pattern, to be searched for. Raises RegexpError."""
    try:
        return re.compile(_Translation(pattern).whole(), re.ASCII)
    except re.error as error:
        raise RegexpError(f"`{pattern}` is not a regular expression: {error}") from None


class _Translation:
    """One pass over a pattern."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._out: list[str] = []
        self._open: list[list[str]] = [[]]
        """For each open group, the groups for flags that were opened in it, which end where it does."""
        self._multiline = [False]

    def whole(self) -> str:
        """The pattern in Python's syntax."""
        while self._at < len(self._text):
            self._next()
        if len(self._open) != 1:
            raise self._refuse("a group is not closed")
        return "".join(self._out) + ")" * len(self._open[0])

    def _next(self) -> None:
        char = self._text[self._at]
        if char == "\\":
            self._escape()
        elif char == "[":
            self._class()
        elif char == "(":
            self._group()
        elif char == ")":
            if len(self._open) == 1:
                raise self._refuse("`)` closes no group")
            self._out.append(")" * len(self._open.pop()) + ")")
            self._multiline.pop()
            self._at += 1
        elif char == "|":
            # Flags last to the end of their group, over alternatives, and groups do not.
            flags = self._open[-1]
            self._put(")" * len(flags) + "|" + "".join(flags), 1)
        elif char == "$":
            # Python's also matches before a line feed at the end.
            self._put("$" if self._multiline[-1] else r"\Z", 1)
        elif char == "{":
            repeat = _REPEAT.match(self._text, self._at)
            self._put(repeat[0] if repeat else r"\{", len(repeat[0]) if repeat else 1)
            self._no_possessive()
        elif char in "*+?":
            self._put(char, 1)
            self._no_possessive()
        else:
            self._put(char, 1)

    def _put(self, text: str, taken: int) -> None:
        self._out.append(text)
        self._at += taken

    def _no_possessive(self) -> None:
        if self._text[self._at : self._at + 1] == "+":
            raise self._refuse("a repetition is repeated")

    def _escape(self) -> None:
        char = self._text[self._at + 1 : self._at + 2]
        if char == "Q":
            end = self._text.find(r"\E", self._at + 2)
            quoted = self._text[self._at + 2 : end if end >= 0 else None]
            self._put(re.escape(quoted), len(quoted) + (4 if end >= 0 else 2))
        elif char == "z":
            self._put(r"\Z", 2)
        elif char in _CLASSES:
            self._put(f"[{_CLASSES[char]}]", 2)
        elif char.lower() in _CLASSES:
            self._put(f"[^{_CLASSES[char.lower()]}]", 2)
        elif char == "x" and self._text.startswith("{", self._at + 2):
            self._put(*self._code_point())
        elif not char or char in "pPCZ" or char in "123456789kg":
            raise self._refuse(f"`\\{char}` cannot be told in Python's syntax")
        else:
            self._put("\\" + char, 2)

    def _code_point(self) -> tuple[str, int]:
        found = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}").match(self._text, self._at)
        if not found or int(found[1], 16) > 0x10FFFF:
            raise self._refuse("`\\x{...}` holds no code point")
        return f"\\U{int(found[1], 16):08x}", len(found[0])

    def _class(self) -> None:
        """A class in brackets: escaped where Python has set operations, or will have."""
        at = self._at + 1
        out = ["["]
        if self._text.startswith("^", at):
            out.append("^")
            at += 1
        begin = at
        while at == begin or not self._text.startswith("]", at):
            rest = self._text[at:]
            if not rest:
                raise self._refuse("`[` is not closed")
            posix = re.match(r"\[:(\^?)(\w+):\]", rest)
            if posix:
                if posix[1] or posix[2] not in _POSIX:
                    raise self._refuse(f"`{posix[0]}` cannot be told in Python's syntax")
                out.append(_POSIX[posix[2]])
                at += len(posix[0])
            elif rest[0] == "\\":
                char = rest[1:2]
                if not char or char in "pPDSWQ":
                    raise self._refuse(f"`\\{char}` in a class cannot be told in Python's syntax")
                out.append(_CLASSES.get(char, "\\" + char))
                at += 2
            else:
                out.append("\\" + rest[0] if rest[0] in "[]&~|" else rest[0])
                at += 1
        self._put("".join(out) + "]", at + 1 - self._at)

    def _group(self) -> None:
        if not self._text.startswith("(?", self._at):
            self._enter("(", 1, self._multiline[-1])
            return
        found = _GROUP.match(self._text, self._at)
        if not found or "U" in (found["flags"] or ""):
            begin = self._text[self._at : self._at + 4]
            raise self._refuse(f"`{begin}` is not in Go's syntax, or not in Python's")
        if found["name"]:
            self._enter(f"(?P<{found['name']}>", len(found[0]), self._multiline[-1])
            return
        on, _, off = found["flags"].partition("-")
        multiline = (self._multiline[-1] or "m" in on) and "m" not in off
        opening = f"(?{found['flags']}:"
        if found["end"] == ":":
            self._enter(opening, len(found[0]), multiline)
            return
        # Flags from here to the end of the group that this is in.
        if found["flags"]:
            self._put(opening, len(found[0]))
            self._open[-1].append(opening)
            self._multiline[-1] = multiline
        else:
            raise self._refuse("`(?)` sets no flag")

    def _enter(self, opening: str, taken: int, multiline: bool) -> None:
        self._put(opening, taken)
        self._open.append([])
        self._multiline.append(multiline)

    def _refuse(self, why: str) -> RegexpError:
        return RegexpError(f"`{self._text}` is not a regular expression of Go's: {why}")
