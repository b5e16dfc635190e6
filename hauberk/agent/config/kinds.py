# SPDX-License-Identifier: Apache-2.0
"""What values of settings look like.

A value in the file is a YAML node. One of the environment or of a flag is a text, which becomes the node that
the file would have had, so that both are read and judged by the same code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

from hauberk.events import mask
from hauberk.policy.document import Entry, Mapping, Node, Scalar, Sequence
from hauberk.policy.scalars import Value, resolve
from hauberk.policy.words import did_you_mean, shorten
from hauberk.rules.model import Seen

Complain: TypeAlias = Callable[[Node, str, str], None]
"""Takes the node that is at fault, what is wrong with it, and a hint."""

SECTIONS: Final = {each.name.lower(): each for each in Seen}
LONGEST_TEXT: Final = 253
"""Characters of a name: what DNS and Kubernetes allow."""


class Kind(ABC):
    """A kind of value. `form` is how it is written in the environment and in flags, as help shows it."""

    form: str

    def node(self, text: str) -> Node:
        """The node that `text`, from the environment or a flag, stands for."""
        return _scalar(text, text)

    @abstractmethod
    def read(self, node: Node, complain: Complain) -> Any:
        """The value. What is wrong with it goes to `complain`; what is returned then means nothing."""

    def text(self, value: Any) -> str:
        """A value as it would be written in the environment or a flag."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A text in one line, which may be `empty`. `words` are written in place of values, each for one."""

    form: str = "TEXT"
    words: tuple[tuple[str, str], ...] = ()
    empty: bool = False

    def read(self, node: Node, complain: Complain) -> str:
        text = string(node, complain)
        if text is None:
            return ""
        for word, value in self.words:
            if text == word:
                return value
        self._check(text, node, complain)
        return text

    def text(self, value: str) -> str:
        return next((word for word, meant in self.words if meant == value), value)

    def _check(self, text: str, node: Node, complain: Complain) -> None:
        if not text and not self.empty:
            complain(node, "must not be empty", "")
        elif len(text) > LONGEST_TEXT or not text.isprintable():
            complain(node, f"must be at most {LONGEST_TEXT} printable characters", "")


@dataclass(frozen=True, slots=True)
class Path(Text):
    """An absolute path of at most `longest` bytes."""

    form: str = "PATH"
    longest: int = 4095

    def _check(self, text: str, node: Node, complain: Complain) -> None:
        if not text.startswith("/") or not text.isprintable():
            hint = f"or one of {', '.join(word for word, _ in self.words)}" if self.words else ""
            complain(node, f"must be an absolute path, and is {written(node)}", hint)
        elif len(text.encode("utf-8", "surrogatepass")) > self.longest:
            complain(node, f"must be a path of at most {self.longest} bytes", "")


@dataclass(frozen=True, slots=True)
class Boolean(Kind):
    """True or false, in the words of YAML; the environment and flags have Go's as well."""

    form: str = "true|false"
    _GO: ClassVar[dict[str, bool]] = {"1": True, "t": True, "T": True, "0": False, "f": False, "F": False}

    def node(self, text: str) -> Node:
        return _scalar(self._GO.get(text, resolve(text)), text)

    def read(self, node: Node, complain: Complain) -> bool:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        complain(node, f"must be true or false, and is {written(node)}", "")
        return False

    def text(self, value: bool) -> str:
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A whole number between `least` and `most`. With `none` it may be `none` too, or 0, which it means."""

    least: int
    most: int
    form: str = "NUMBER"
    none: bool = False

    def node(self, text: str) -> Node:
        return _scalar(resolve(text), text)

    def read(self, node: Node, complain: Complain) -> int:
        value = node.value if isinstance(node, Scalar) else None
        if type(value) is int and self.least <= value <= self.most:
            return value
        if self.none and (value == NONE or (type(value) is int and value == 0)):
            return 0
        hint = f"or `{NONE}`" if self.none else ""
        complain(
            node, f"must be a whole number from {self.least} to {self.most}, and is {written(node)}", hint
        )
        return self.least

    def text(self, value: int) -> str:
        return NONE if self.none and not value else str(value)


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of some words."""

    values: tuple[str, ...]

    @property
    def form(self) -> str:  # type: ignore[override]
        return "|".join(self.values)

    def read(self, node: Node, complain: Complain) -> str:
        return one_of(node, self.values, complain)


@dataclass(frozen=True, slots=True)
class Names(Kind):
    """A list, or names with commas between them in one text, or `none`. `known`: those that are possible."""

    known: tuple[str, ...] = ()
    form: str = "NAME,..."

    def node(self, text: str) -> Node:
        return _sequence(_scalar(part, part) for part in _parts(text))

    def read(self, node: Node, complain: Complain) -> tuple[str, ...]:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            node = _sequence((Scalar(part, part, node.line, node.column) for part in _parts(node.text)), node)
        if not isinstance(node, Sequence):
            complain(node, f"must be a list, and is {written(node)}", "`none` is the empty one")
            return ()
        if [item.text for item in node.items if isinstance(item, Scalar)] == [NONE]:
            return ()
        if self.known:
            names = [one_of(item, self.known, complain) for item in node.items]
        else:
            names = [Text().read(item, complain) for item in node.items]
        return tuple(dict.fromkeys(names))

    def text(self, value: tuple[str, ...]) -> str:
        return ",".join(value) or NONE


@dataclass(frozen=True, slots=True)
class Patterns(Kind):
    """Regular expressions of RE2, as a list, or with blanks between them in one text. `default` is one."""

    form: str = "PATTERN ..."

    def node(self, text: str) -> Node:
        return _sequence(_scalar(part, part) for part in text.split())

    def read(self, node: Node, complain: Complain) -> tuple[str, ...]:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            node = _sequence((Scalar(part, part, node.line, node.column) for part in node.text.split()), node)
        if not isinstance(node, Sequence):
            complain(node, f"must be a list, and is {written(node)}", "`none` is the empty one")
            return ()
        if [item.text for item in node.items if isinstance(item, Scalar)] == [NONE]:
            return ()
        if len(node.items) > mask.MOST:
            complain(node, f"has more than {mask.MOST} patterns", "join some with `|`")
            return ()
        found = []
        for item in node.items:
            pattern = string(item, complain)
            if pattern and pattern != mask.DEFAULT and (fault := mask.fault_of(pattern)):
                complain(item, f"`{shorten(pattern)}` is no pattern that can be used: {fault}", "")
            found.append(pattern or "")
        return tuple(dict.fromkeys(found))

    def text(self, value: tuple[str, ...]) -> str:
        return " ".join(value) or NONE


class Sections(Names):
    """What is reported when it is permitted, as a list or in one text. `default` alone is what holds if
    nobody sets it: nothing."""

    def read(self, node: Node, complain: Complain) -> Any:
        if isinstance(node, Scalar) and node.text == "default":
            return ()
        names: tuple[str, ...] = Names.read(self, node, complain)
        return tuple(SECTIONS[name] for name in names if name in SECTIONS)

    def text(self, value: Any) -> str:
        return Names.text(self, tuple(section.name.lower() for section in value))


class NamedSections(Kind):
    """The same by name; in the environment and in flags with `+` between those of one name."""

    form = "NAMESPACE=SECTION+SECTION,..."

    def node(self, text: str) -> Node:
        return _mapping(text.replace("+", "\0"))

    def read(self, node: Node, complain: Complain) -> dict[str, Any]:
        known = Sections(tuple(SECTIONS))
        found = {}
        for name, value in entries(node, complain, self.form):
            if isinstance(value, Scalar) and "\0" in value.text:
                value = _sequence(_scalar(part, part) for part in value.text.split("\0"))
            found[name] = known.read(value, complain)
        return found

    def text(self, value: dict[str, Any]) -> str:
        each = (
            f"{name}={'+'.join(seen.name.lower() for seen in found) or NONE}" for name, found in value.items()
        )
        return ",".join(each) or NONE


@dataclass(frozen=True, slots=True)
class Labels(Kind):
    """Texts by name."""

    form: str = "NAME=VALUE,..."

    def node(self, text: str) -> Node:
        return _mapping(text)

    def read(self, node: Node, complain: Complain) -> dict[str, str]:
        return {
            name: Text(empty=True).read(value, complain) for name, value in entries(node, complain, self.form)
        }

    def text(self, value: dict[str, str]) -> str:
        return ",".join(f"{name}={text}" for name, text in value.items()) or NONE


@dataclass(frozen=True, slots=True)
class Overrides(Kind):
    """By name and section, one of `values`: in the file a mapping in a mapping."""

    sections: tuple[str, ...]
    values: tuple[str, ...]
    form: str = "NAMESPACE/SECTION=POSTURE,..."

    def node(self, text: str) -> Node:
        flat = _mapping(text)
        if not isinstance(flat, Mapping):
            return flat
        nested: dict[str, Entry] = {}
        for path, entry in flat.entries.items():
            name, slash, section = path.rpartition("/")
            if not slash or not name:
                return _scalar(text, text)
            inner = nested.setdefault(name, Entry(Mapping({}, 0, 0), 0, 0)).value
            assert isinstance(inner, Mapping), "made two lines above"
            inner.entries[section] = entry
        return Mapping(nested, 0, 0)

    def read(self, node: Node, complain: Complain) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for name, inner in entries(node, complain, self.form):
            found[name] = {}
            for section, value in entries(inner, complain, self.form):
                if section not in self.sections:
                    complain(
                        value, f"`{shorten(section)}` has no posture", did_you_mean(section, self.sections)
                    )
                found[name][section] = one_of(value, self.values, complain)
        return found

    def text(self, value: dict[str, dict[str, str]]) -> str:
        pairs = (
            f"{name}/{section}={text}" for name, inner in value.items() for section, text in inner.items()
        )
        return ",".join(pairs) or NONE


NONE: Final = "none"
"""What an empty list or mapping is written as."""


def written(node: Node) -> str:
    """A value, for use inside a message."""
    if isinstance(node, Scalar):
        return f"`{shorten(node.text)}`" if node.text else "nothing"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def string(node: Node, complain: Complain) -> str | None:
    """The text of a node that has to be one; None after a complaint."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.value
    if isinstance(node, Scalar) and node.value is not None:
        what = "a truth value" if isinstance(node.value, bool) else "a number"
        hint = f"quote it: `'{shorten(node.text)}'`"
        complain(node, f"must be text, and {written(node)} is {what} in YAML", hint)
    else:
        complain(node, f"must be text, and is {written(node)}", "")
    return None


def one_of(node: Node, values: tuple[str, ...], complain: Complain) -> str:
    """The text of a node that has to be one of `values`; any of them after a complaint."""
    if isinstance(node, Scalar) and node.value in values:
        return node.text
    complain(node, f"must be one of {', '.join(values)}, and is {written(node)}", "")
    return values[0]


def entries(node: Node, complain: Complain, form: str) -> Iterator[tuple[str, Node]]:
    """What a node maps that has to be a mapping; `form` is how it is written where it is a text."""
    if isinstance(node, Mapping):
        yield from ((name, entry.value) for name, entry in node.entries.items())
    elif isinstance(node, Scalar) and node.line == 0:
        complain(node, f"must be of the form {form}, and is {written(node)}", "")
    elif not (isinstance(node, Scalar) and node.value == NONE):
        complain(node, f"must be a mapping, and is {written(node)}", "write `NAME: VALUE` lines below it")


def _scalar(value: Value, text: str) -> Scalar:
    return Scalar(value, text, 0, 0)


def _sequence(items: Iterable[Node], at: Node | None = None) -> Sequence:
    return Sequence(list(items), at.line if at else 0, at.column if at else 0)


def _mapping(text: str) -> Node:
    """`NAME=VALUE,...` as a mapping; the text itself if it is something else."""
    found: dict[str, Entry] = {}
    for part in _parts(text):
        name, equals, value = part.partition("=")
        if not equals or not name or name in found:
            return Mapping({}, 0, 0) if text == NONE else _scalar(text, text)
        found[name] = Entry(_scalar(value, value), 0, 0)
    return Mapping(found, 0, 0)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
