# SPDX-License-Identifier: Apache-2.0
"""The form of a document before its values: which fields are where, and what is a list, a mapping or a value.

A node is fitted to a model here: unknown fields and wrong forms are reported with what was probably meant,
and left out. What remains is plain data in the model's form, so that pydantic has only values to check.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from hauberk.policy.document import Entry, Mapping, Node, Scalar, Sequence
from hauberk.policy.faults import Report
from hauberk.policy.models import KINDS, Metadata
from hauberk.policy.sections import Element
from hauberk.policy.words import nearest, shorten

Form: TypeAlias = Literal["value", "list", "mapping", "labels"]


@dataclass(frozen=True, slots=True)
class Member:
    """One field: its form, and the shape of the mapping that it is, or that its list's entries are."""

    form: Form
    of: Shape | None


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a model, by their YAML names."""

    fields: dict[str, Member]
    ignored: frozenset[str]


class Located(dict[str, Any]):
    """The data of one mapping, with where it was written. `in_list` if it is an entry of a list."""

    __slots__ = ("in_list", "node", "where")

    node: Mapping
    where: str
    in_list: bool


def _located(node: Mapping, where: str, in_list: bool) -> Located:
    # Without a constructor, which takes as long as all the rest for a rule.
    data = Located()
    data.node, data.where, data.in_list = node, where, in_list
    return data


_IGNORED: Final[dict[type[Element], frozenset[str]]] = {
    Metadata: frozenset(
        {
            "clusterName", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
            "finalizers", "generateName", "generation", "managedFields", "ownerReferences",
            "resourceVersion", "selfLink", "uid",
        }
    ),
    **dict.fromkeys(KINDS.values(), frozenset({"status"})),
}  # fmt: skip
"""What Kubernetes and KubeArmor write into objects themselves: accepted in any form, and not kept."""


def shape_of(model: type[Element]) -> Shape:
    """Return the shape of a model."""
    if model not in _SHAPES:
        _SHAPES[model] = _shape(model)
    return _SHAPES[model]


_SHAPES: Final[dict[type[Element], Shape]] = {}


def _shape(model: type[Element]) -> Shape:
    hints = get_type_hints(model, include_extras=True)
    known: dict[str, Any] = model.__pydantic_fields__  # type: ignore[attr-defined]
    fields = {}
    for field in dataclasses.fields(model):
        if field.init and field.name not in model.absent:
            info = known[field.name]
            fields[info.validation_alias or info.alias or field.name] = _member(hints[field.name])
    return Shape(fields, _IGNORED.get(model, frozenset()))


def _member(hint: Any) -> Member:
    hint = _bare(hint)
    if get_origin(hint) is tuple:
        return Member("list", _shape_or_none(_bare(get_args(hint)[0])))
    if get_origin(hint) is dict:
        return Member("labels", None)
    shape = _shape_or_none(hint)
    return Member("mapping", shape) if shape is not None else Member("value", None)


def _bare(hint: Any) -> Any:
    """`hint` without annotations and without `| None`."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif get_origin(hint) in (Union, types.UnionType):
            (hint,) = (arg for arg in get_args(hint) if arg is not types.NoneType)
        else:
            return hint


def _shape_or_none(hint: Any) -> Shape | None:
    return shape_of(hint) if isinstance(hint, type) and issubclass(hint, Element) else None


class Fitter:
    """Fits the nodes of one document to a kind's model."""

    def __init__(self, kind: str, report: Report, prefix: str) -> None:
        self.kind = kind
        self.report = report
        self.prefix = prefix

    def document(self, node: Mapping) -> Located:
        """Return the data of a document."""
        return self._mapping(node, shape_of(KINDS[self.kind]), "", False)

    def _mapping(self, node: Mapping, shape: Shape, where: str, in_list: bool) -> Located:
        data = _located(node, where, in_list)
        for name, entry in node.entries.items():
            member, found = shape.fields.get(name), entry.value
            if (
                type(found) is Scalar
                and found.value is not None
                and member is not None
                and member.form == "value"
            ):
                data[name] = found.value
                continue
            place = f"{where}.{name}" if where else name
            if member is None:
                if name not in shape.ignored:
                    self._unknown(entry, name, where, shape)
            elif isinstance(entry.value, Scalar) and entry.value.value is None:
                # The API server drops such fields; one that is required is then missing.
                if name == "fromSource":
                    self._limits_nothing(entry, place)
            else:
                value = self._value(entry.value, member, place)
                if value is not None:
                    data[name] = value
                if name == "fromSource" and isinstance(entry.value, Sequence) and not entry.value.items:
                    self._limits_nothing(entry, place)
        return data

    def _limits_nothing(self, entry: Entry, place: str) -> None:
        self.report.warn(
            entry.line,
            entry.column,
            self.prefix + place,
            "an empty fromSource limits nothing: the rule speaks of every program",
            "name the programs, or remove the field",
        )

    def _value(self, node: Node, member: Member, place: str) -> Any:
        """Return the data of a field, or None if it has the wrong form."""
        match member.form, node:
            case "value", Scalar():
                return node.value
            case "list", Sequence():
                return self._list(node, member, place)
            case "mapping", Mapping():
                assert member.of is not None
                return self._mapping(node, member.of, place, False)
            case "labels", Mapping():
                return self._labels(node, place)
        self._wrong_form(node, member, place)
        return None

    def _list(self, node: Sequence, member: Member, place: str) -> list[Any] | None:
        if member.of is None:
            texts = [self._text(item, f"{place}[{index}]") for index, item in enumerate(node.items)]
            # With an entry missing, the places of what pydantic finds in the others would be wrong.
            return None if None in texts else texts
        mappings = []
        for index, item in enumerate(node.items):
            here = f"{place}[{index}]"
            if isinstance(item, Mapping):
                mappings.append(self._mapping(item, member.of, here, True))
            elif isinstance(item, Scalar) and item.value is None:
                self._fault(item, here, _EMPTY, "remove it, or write its value after the `-`")
            else:
                self._wrong_form(item, Member("mapping", member.of), here)
        return mappings

    def _labels(self, node: Mapping, place: str) -> Located:
        data = _located(node, place, False)
        for name, entry in node.entries.items():
            value = entry.value
            if isinstance(value, Scalar) and value.value is None and place.startswith("metadata."):
                data[name] = ""  # As the API server reads it; a selector is not guessed at.
            else:
                text = self._text(value, f"{place}.{shorten(name)}")
                if text is not None:
                    data[name] = text
        return data

    def _text(self, node: Node, place: str) -> str | None:
        """Return the text of an entry of a list or of a label, or None if it is none.

        All such entries are texts. They are checked here and not by pydantic, because there can be very many.
        """
        if not isinstance(node, Scalar):
            self._wrong_form(node, Member("value", None), place)
        elif node.value is None:
            self._fault(node, place, _EMPTY, "remove it, or write `''` if an empty text is meant")
        elif not isinstance(node.value, str):
            self._fault(node, place, *not_text(node))
        else:
            return node.value
        return None

    def _fault(self, node: Node, place: str, message: str, hint: str = "") -> None:
        self.report.fault(node.line, node.column, self.prefix + place, message, hint)

    def _wrong_form(self, node: Node, member: Member, place: str) -> None:
        found = {Scalar: "a single value", Sequence: "a list", Mapping: "a mapping"}[type(node)]
        wanted, hint = _FORMS[member.form]
        if isinstance(node, Scalar) and member.of is not None and node.text:
            first = next((name for name in ("path", "dir", "pattern") if name in member.of.fields), "")
            if first:
                hint = f"write `{'- ' if member.form == 'list' else ''}{first}: {shorten(node.text)}`"
        elif isinstance(node, Scalar) and member.form == "list" and node.text:
            hint = f"write `[{shorten(node.text)}]`"
        self._fault(node, place, f"must be {wanted}, and this is {found}", hint)

    def _unknown(self, entry: Entry, name: str, where: str, shape: Shape) -> None:
        hint = "" if self.report.full else self._hint(name, where, shape)
        place = f"{where}.{shorten(name)}" if where else shorten(name)
        self.report.fault(
            entry.line, entry.column, self.prefix + place, f"there is no field `{shorten(name)}` here", hint
        )

    def _hint(self, name: str, where: str, shape: Shape) -> str:
        near = nearest(name, [*shape.fields, *shape.ignored])
        belongs = _where_it_belongs(self.kind, where, name)
        if not near and not belongs:
            return f"fields here: {', '.join(shape.fields)}"
        return f"{f'did you mean `{near}`?' if near else ''} {belongs}".strip()


_EMPTY: Final = "is empty"


def not_text(node: Scalar) -> tuple[str, str]:
    """Return message and hint for a value that must be a text and is another kind of value."""
    kind = "a truth value" if isinstance(node.value, bool) else "a number"
    written = shorten(node.text)
    return f"must be text, and `{written}` is {kind} in YAML", f"quote it: `'{written}'`"


_FORMS: Final[dict[Form, tuple[str, str]]] = {
    "value": ("a single value", ""),
    "list": ("a list", "begin each entry with `- `"),
    "mapping": ("a mapping", "write `NAME: VALUE` lines below it"),
    "labels": ("a mapping of labels", "write `NAME: VALUE` lines below it"),
}

_MOST_PLACES: Final = 3


def _where_it_belongs(kind: str, where: str, name: str) -> str:
    """Return a sentence with the places that have a field `name`, nearest first, or an empty string."""
    here = _generic(where)
    places = [place for place in _places(kind).get(name, ()) if place != here]
    if places:
        places.sort(key=lambda place: (-_shared(place, here), place.count("."), place))
        shown = [f"`{place}`" if place else "the document itself" for place in places[:_MOST_PLACES]]
        return f"`{name}` belongs in {' or '.join(shown)}"
    others = [other for other in KINDS if name in _places(other)]
    return f"`{name}` is a field of {' and '.join(others)}" if others else ""


def _generic(where: str) -> str:
    return "".join(part.partition("]")[2] if i else part for i, part in enumerate(where.split("[")))


def _shared(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one.split("."), other.split("."), strict=False):
        if a != b:
            break
        count += 1
    return count


@cache
def _places(kind: str) -> dict[str, tuple[str, ...]]:
    """The places of each field of a kind, a place without list indices."""
    found: dict[str, list[str]] = {}
    for place, name in _walk(shape_of(KINDS[kind]), ""):
        found.setdefault(name, []).append(place)
    return {name: tuple(places) for name, places in found.items()}


def _walk(shape: Shape, place: str) -> Iterator[tuple[str, str]]:
    for name, member in shape.fields.items():
        yield place, name
        if member.of is not None:
            yield from _walk(member.of, f"{place}.{name}" if place else name)
