# SPDX-License-Identifier: Apache-2.0
r"""Secrets in arguments, made unreadable before anybody is told of them.

Whoever runs programs chooses their arguments, and so how long a search in them takes, if the engine goes back
and forth. So patterns are RE2's, whose time grows with the length of the text and no faster, whatever the
pattern.

A pattern sees all arguments of a command, each in a line of its own: `--password\n(.+)` is the argument
after that one. What its groups match is masked, or all that it matches if it has none.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

MASK: Final = "***"
DEFAULT: Final = "default"
"""Stands for `DEFAULTS` in a list of patterns."""
MOST: Final = 64
"""Patterns, those of `DEFAULTS` counted as one."""
LONGEST: Final = 512
"""Characters of a pattern."""
_MEMORY: Final = 1 << 20
"""Bytes that RE2 may take for a pattern. What does not fit is matched more slowly."""
_REMEMBERED: Final = 128
"""Commands whose arguments need no second look."""

_NAMES: Final = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|(?:api|access|private|secret|auth)[-_]?key)"
)
DEFAULTS: Final = (
    # --db-password=X and --token X, but not --token-file.
    rf"(?im)^--?[\w.-]*{_NAMES}(?:=|\n)(.+)$",
    # DB_PASSWORD=X, ?token=X&, "secret": "X".
    rf"(?i){_NAMES}[\"']?\s*[=:]\s*(?:\"([^\"\n]+)|'([^'\n]+)|([^\s&;,\"']+))",
    r"(?i)authorization:[ \t]*(.+)",
    # https://user:X@host
    r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@]*:([^\s/@]+)@",
    r"(?m)^(?:-u|--user|--proxy-user)[=\n]?[^:\n]*:(.+)$",
    r"(?m)^sshpass\n-p\n?(.+)$",
    # Keys of AWS, of GitHub, and JSON web tokens.
    r"\b((?:AKIA|ASIA)[0-9A-Z]{16})\b",
    r"\b(gh[opsru]_[0-9A-Za-z]{36,})",
    r"\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)",
)
"""What is masked unless somebody says otherwise."""


def fault_of(pattern: str) -> str:
    """What is wrong with a pattern, in words; empty if nothing is."""
    if len(pattern) > LONGEST:
        return f"has more than {LONGEST} characters"
    import re2

    try:
        found = _compiled(pattern)
    except re2.error as error:
        text = error.args[0] if error.args else ""
        return text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return "matches an empty text" if found.search(b"") else ""


class Mask:
    """Masks what `patterns` match. They are not looked at before there are arguments."""

    def __init__(self, patterns: Sequence[str] = (DEFAULT,)) -> None:
        self._patterns = tuple(_expanded(patterns))
        self._compiled: list[Any] = []
        self._any: Any = None
        self.apply = lru_cache(maxsize=_REMEMBERED)(self._apply)

    def _apply(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """The arguments of a command, in which no line feed may be, as anybody may read them."""
        if not self._patterns or not words:
            return words
        if not self._compiled:
            self._compile()
        text = "\n".join(words).encode()
        if self._any is not None and self._any.search(text) is None:
            return words
        for pattern in self._compiled:
            if pattern.search(text) is not None:
                text = _masked(pattern, text)
        return tuple(text.decode(errors="replace").split("\n"))

    def _compile(self) -> None:
        import re2

        self._compiled = [_compiled(pattern) for pattern in self._patterns]
        # Most arguments hold no secret, which one search shows.
        with suppress(re2.error):
            self._any = _compiled("|".join(f"(?:{pattern})" for pattern in self._patterns))


def _expanded(patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from DEFAULTS if pattern == DEFAULT else (pattern,)


def _options() -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def _compiled(pattern: str) -> Any:
    import re2

    return re2.compile(pattern, options=_options())


def _masked(pattern: Any, text: bytes) -> bytes:
    parts, at = [], 0
    for match in pattern.finditer(text):
        for group in range(1, pattern.groups + 1) if pattern.groups else (0,):
            begin, end = match.span(group)
            if begin < at or begin == end:
                continue
            # There are as many arguments afterwards.
            lines = text[begin:end].count(b"\n") + 1
            parts += [text[at:begin], b"\n".join([MASK.encode()] * lines)]
            at = end
    return b"".join([*parts, text[at:]])
