# SPDX-License-Identifier: Apache-2.0
"""Conditions on events: `Operation=File`, `Hauberk.Call!=open`, `Resource~/etc/*`.

A field is named as in alerts, with a dot into what is nested. One that an event leaves out has its default;
of a list any element counts. Text is compared as alerts have it: escaped.
"""

import re
import types
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from hauberk.errors import HauberkError
from hauberk.events.alert import Alert, Log
from hauberk.policy.words import nearest, shorten

Operator = Literal["=", "!=", "~"]
_OPERATORS: Final[dict[str, Operator]] = {"=": "=", "!=": "!=", "~": "~"}
_TERM: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.]*)(!=|=|~)(.*)", re.DOTALL)


class WhereError(HauberkError):
    """A condition is none, or names a field that there is not."""


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One comparison. `~` takes a glob: `*` is anything, slashes included, `?` and `[...]` one character."""

    field: str
    operator: Operator
    value: str


Where = tuple[tuple[Term, ...], ...]
"""All of these hold, each by any of its terms."""


def _fields(struct: Any) -> Iterator[tuple[str, str]]:
    """Every field of a kind of event, and its default as text. What may have any key ends in `.*`."""
    hints = get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        kind = hints[field.name]
        inner = _inner(kind)
        if inner is not None:
            for name, default in _fields(inner):
                yield f"{field.name}.{name}", default
        elif get_origin(kind) is dict:
            yield f"{field.name}.*", ""
        else:
            yield field.name, str(field.default) if isinstance(field.default, str | int) else ""


def _inner(kind: Any) -> Any:
    """The struct that a field holds, or holds several of."""
    if get_origin(kind) in (Union, types.UnionType, tuple, list):
        return next((inner for each in get_args(kind) if (inner := _inner(each)) is not None), None)
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


DEFAULTS: Final = dict(_fields(Log)) | dict(_fields(Alert))
"""All fields, with the text of what an event that leaves one out means."""


def parse_term(text: str) -> Term:
    """Read `FIELD=VALUE`, `FIELD!=VALUE` or `FIELD~GLOB`. Raises WhereError."""
    found = _TERM.fullmatch(text)
    if found is None:
        raise WhereError(
            f"`{shorten(text)}` is no condition",
            "write FIELD=VALUE, FIELD!=VALUE or FIELD~GLOB: Operation=File",
        )
    check_field(found[1])
    return Term(found[1], _OPERATORS[found[2]], found[3])


def check_field(field: str) -> None:
    """Raises WhereError, which names the nearest field, if there is no such one."""
    if field in DEFAULTS or f"{field.rpartition('.')[0]}.*" in DEFAULTS:
        return
    near = nearest(field, DEFAULTS) or next((each for each in DEFAULTS if each.endswith(f".{field}")), "")
    raise WhereError(
        f"there is no field `{shorten(field)}`",
        f"did you mean `{near}`?" if near else "docs/alerts.md lists the fields",
    )


def matcher(where: Where) -> Callable[[Any], bool]:
    """What says whether an event, as a struct or as what its JSON says, meets the conditions."""
    clauses = [[_test(term) for term in terms] for terms in where]
    return lambda event: all(any(test(event) for test in tests) for tests in clauses)


def _test(term: Term) -> Callable[[Any], bool]:
    path, default, value = term.field.split("."), DEFAULTS.get(term.field, ""), term.value
    if term.operator == "=":
        return lambda event: value in _texts(event, path, default)
    if term.operator == "!=":
        return lambda event: value not in _texts(event, path, default)
    return lambda event: any(fnmatchcase(text, value) for text in _texts(event, path, default))


def text_of(event: Any, field: str) -> str:
    """A field of an event as text; of a list, its elements with spaces between them."""
    return " ".join(_texts(event, field.split("."), DEFAULTS.get(field, "")))


def _texts(value: Any, path: list[str], default: str) -> list[str]:
    for place, name in enumerate(path):
        if isinstance(value, list | tuple):
            return [text for each in value for text in _texts(each, path[place:], default)]
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        if value is None:
            return [default]
    if isinstance(value, list | tuple):
        return [str(each) for each in value] or [default]
    return [str(value)]
