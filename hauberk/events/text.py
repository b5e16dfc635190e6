# SPDX-License-Identifier: Apache-2.0
r"""Names chosen by an attacker, made presentable without loss.

A path, an argument or a program's name is any bytes but NUL: invalid UTF-8, line feeds, terminal escapes,
characters that turn the direction of text. In alerts they are written so that nothing of this reaches a
terminal or a log viewer and so that two different names never look the same:

- a backslash becomes `\\`;
- a byte that is not part of valid UTF-8, and every byte of a character that is not printable (controls,
  format and bidirectional characters, line and paragraph separators, spaces other than U+0020, unassigned),
  becomes `\xNN`, in lower case;
- everything else stays as it is.

`unescape` is the way back.
"""

import re
from typing import Final

_ESCAPED: Final = re.compile(rb"\\(\\|x[0-9a-f]{2})")


def escape(raw: bytes) -> str:
    r"""The bytes as printable text, `\\` and `\xNN` standing for what is not."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode(errors="surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escape_character, text))


def _escape_character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))


def unescape(text: str) -> bytes:
    """The bytes that `escape` was given."""
    return _ESCAPED.sub(_unescape_match, text.encode())


def _unescape_match(match: re.Match[bytes]) -> bytes:
    found = match[1]
    return found if found == b"\\" else bytes((int(found[1:], 16),))


def encodable(text: str) -> str:
    """The user's own text (names, labels, messages), lone surrogates, which no encoder takes, written out."""
    return text.encode(errors="backslashreplace").decode()
