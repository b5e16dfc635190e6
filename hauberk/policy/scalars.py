# SPDX-License-Identifier: Apache-2.0
"""What an unquoted YAML word means: text, number, truth value or nothing.

Kubernetes turns YAML into JSON with a YAML 1.1 reader that is not quite the one of the specification: `yes`,
`on` and `y` are true, `010` is eight, but `1:30` and dates stay text. A policy must mean the same here, so
the same words mean the same.
"""

from __future__ import annotations

import math
import re
from typing import Final, TypeAlias

from hauberk.policy.words import shorten

Value: TypeAlias = str | int | float | bool | None
"""What a scalar can be."""

_WORDS: Final[dict[str, Value]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_BEGINS: Final = frozenset("0123456789+-.")
_INTEGER: Final = re.compile(
    r"([-+]?)(?:(0[xX])([0-9a-fA-F]+)|(0[bB])([01]+)|(0[oO]?)([0-7]+)|(0|[1-9][0-9]*))"
)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_LONGEST_INTEGER: Final = 66
"""Characters of the longest 64-bit integer: a sign, `0b` and 63 digits. Longer ones are no integers."""


def resolve(text: str) -> Value:
    """Return what the unquoted scalar `text` means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_BEGINS:
        return text
    digits = text.replace("_", "")
    if len(digits) <= _LONGEST_INTEGER and (found := _INTEGER.fullmatch(digits)) is not None:
        number = _integer(found)
        if -(2**63) <= number < 2**64:
            return number
    if _FLOAT.fullmatch(digits) is not None:
        return _number(float(digits), text)
    return text


def _integer(found: re.Match[str]) -> int:
    sign, hexadecimal, hex_digits, binary, bits, octal, octal_digits, decimal = found.groups()
    if hexadecimal:
        number = int(hex_digits, 16)
    elif binary:
        number = int(bits, 2)
    elif octal:
        number = int(octal_digits, 8)
    else:
        number = int(decimal)
    return -number if sign == "-" else number


def _number(number: float, text: str) -> Value:
    if math.isinf(number):
        return text
    # JSON has one kind of number: `5.0` is written there as 5, and an integer field takes it.
    return int(number) if number.is_integer() else number


def key_text(value: Value) -> str | None:
    """Return the JSON name of a mapping key that resolved to `value`, or None if it cannot be a name."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return None
        case _:
            return str(value)


_TAG_PREFIX: Final = "tag:yaml.org,2002:"


def resolve_tagged(tag: str, text: str) -> Value:
    """Return what the scalar `text` means under an explicit tag. Raises ValueError if it cannot be that."""
    name = tag.removeprefix(_TAG_PREFIX)
    if tag == "!" or (tag.startswith(_TAG_PREFIX) and name in ("str", "timestamp")):
        return text
    value = resolve(text)
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "null": value is None,
    }
    if not tag.startswith(_TAG_PREFIX) or name not in fits:
        raise ValueError(f"the tag `{shorten(tag)}` is not accepted here")
    if not fits[name]:
        raise ValueError(f"the value does not fit its tag `!!{name}`")
    return value
