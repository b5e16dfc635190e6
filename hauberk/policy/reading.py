# SPDX-License-Identifier: Apache-2.0
"""Validating one document: pydantic's findings, put into words and to their places."""

from __future__ import annotations

import re
from collections.abc import Sequence as Loc
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticOmit

from hauberk.policy.document import Mapping, Node, Scalar, Sequence
from hauberk.policy.faults import Report
from hauberk.policy.models import API_VERSION, KINDS, Document, Policy
from hauberk.policy.shape import Fitter, Located, not_text
from hauberk.policy.words import shorten

_ADAPTERS: Final[dict[str, TypeAdapter[Policy]]] = {kind: TypeAdapter(model) for kind, model in KINDS.items()}


_STEP: Final = re.compile(r"\[([0-9]+)\]|([^.\[]+)")


def locate(node: Node, field: str) -> Node:
    """Return the node at `field` below `node`, or the innermost on the way there that exists."""
    for step in _STEP.finditer(field):
        below = _below(node, int(step[1]) if step[1] else step[2])
        if below is None:
            break
        node = below
    return node


def _below(node: Node, step: int | str) -> Node | None:
    if isinstance(node, Mapping) and step in node.entries:
        return node.entries[str(step)].value
    if isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
        return node.items[step]
    return None


def read_policy(kind: str, node: Mapping, report: Report, prefix: str) -> Policy | None:
    """Return the policy that `node` holds, or None after reporting its faults.

    `kind` is one of `KINDS`; `prefix` goes before every place, for documents that are entries of a list.
    """
    before = report.fault_count
    data = Fitter(kind, report, prefix).document(node)
    # Both were checked before, and there may be no second fault about them.
    data.update(kind=kind, apiVersion=API_VERSION)
    reading = _Reading(report, prefix)
    try:
        policy = _ADAPTERS[kind].validate_python(data, context=reading)
    except ValidationError as error:
        reading.report_all(data, error)
        return None
    return policy if report.fault_count == before else None


class _Reading:
    """The context of pydantic's validation. It follows which mapping is being validated, so that warnings
    find their place, and takes faulty rules out one by one, so that their number does not cost memory."""

    def __init__(self, report: Report, prefix: str) -> None:
        self.report = report
        self.prefix = prefix
        self.stack: list[Located] = []

    def enter(self, value: Any) -> None:
        self.stack.append(value)

    def leave(self, value: Any, model: Any) -> None:
        self.stack.pop()
        located: Located = value
        kind: type = type(model)
        noted = _noted(kind)
        if "line" in noted:
            _set(model, "line", located.node.line)
        if "where" in noted:
            _set(model, "where", located.where)
        if "apparmor_line" in noted and "apparmor" in located.node.entries:
            _set(model, "apparmor_line", located.node.entries["apparmor"].line)
        if "file" in noted:
            _set(model, "file", self.report.file)

    def refused(self, value: Any, error: Exception) -> Exception:
        self.stack.pop()
        located: Located = value
        if located.in_list and isinstance(error, ValidationError):
            self.report_all(located, error)
            return PydanticOmit()
        return error

    def warn(self, field_name: str | None, message: str, hint: str = "") -> None:
        located = self.stack[-1]
        name = next((name for name in located.node.entries if _is_same(name, field_name)), "")
        node = located.node.entries[name].value if name else located.node
        place = ".".join(part for part in (located.where, name) if part)
        self.report.warn(node.line, node.column, self.prefix + place, message, hint)

    def report_all(self, located: Located, error: ValidationError) -> None:
        """Report what pydantic found in `located`."""
        if self.report.full:
            self.report.count_more(error.error_count())
            return
        for details in error.errors(include_url=False):
            if self.report.full:
                self.report.count_more(1)
                continue
            node, place = _find(located, details["loc"])
            message, hint = _in_words(details, node)
            self.report.fault(node.line, node.column, self.prefix + place, message, hint)


_set = object.__setattr__


@cache
def _noted(kind: type) -> frozenset[str]:
    """The attributes of a model that say where it was written."""
    if issubclass(kind, Document):
        return frozenset({"line", "file"})
    return frozenset(name for name in ("line", "where", "apparmor_line") if hasattr(kind, name))


def _is_same(yaml_name: str, field_name: str | None) -> bool:
    return field_name is not None and yaml_name.lower() == field_name.replace("_", "").lower()


def _find(located: Located, loc: Loc[int | str]) -> tuple[Node, str]:
    """Return the node that `loc` leads to, or the innermost on the way there that exists, and the place's
    name."""
    node: Node = located.node
    place = located.where
    for step in loc:
        if isinstance(step, int):
            place += f"[{step}]"
        else:
            place += f".{shorten(step)}" if place else shorten(step)
        node = _below(node, step) or node
    return node, place


def _in_words(details: ErrorDetails, node: Node) -> tuple[str, str]:
    """Return message and hint for one of pydantic's findings."""
    ctx = details.get("ctx", {})
    written = shorten(node.text) if isinstance(node, Scalar) else ""
    match details["type"]:
        case "policy_value":
            hint = ctx["hint"]
            return ctx["message"], hint() if callable(hint) else hint
        case "missing":
            return "is missing", ""
        case "string_type" if isinstance(node, Scalar):
            return not_text(node)
        case "int_type" | "int_from_float":
            return f"must be a whole number, and `{written}` is none", _unquote(details["input"])
        case "bool_type":
            return f"must be true or false, and `{written}` is neither", _unquote(details["input"])
        case "greater_than_equal":
            return f"must be at least {ctx['ge']}, and is {written}", ""
        case "less_than_equal":
            return f"must be at most {ctx['le']}, and is {written}", ""
        case "too_long":
            return f"has {ctx['actual_length']} entries, at most {ctx['max_length']} are possible", ""
        case _:
            return details["msg"][:1].lower() + details["msg"][1:], ""


def _unquote(value: Any) -> str:
    quoted = isinstance(value, str) and (value.lower() in _UNQUOTED or value.isdecimal())
    return "remove the quotes" if quoted else ""


_UNQUOTED: Final = ("true", "false", "yes", "no", "on", "off")
