# SPDX-License-Identifier: Apache-2.0
"""Reading YAML field by field: each value has its line, and a field that nobody asked for is a fault.

What is not understood is a fault of its scenario alone: the others of the file are run.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from hauberk.policy.document import (
    MAX_FILE_BYTES,
    Budget,
    DocumentError,
    Mapping,
    Node,
    Scalar,
    Sequence,
    read_documents,
)
from hauberk.policy.words import did_you_mean
from hauberk.workbench.live.scenario import ScenarioError

MAX_VALUES: Final = 250_000
"""Values in one file."""


class Faults:
    """What is wrong with one scenario, each with file, line and field."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.found: list[str] = []

    def add(self, line: int, field: str, message: str) -> None:
        place = f"{self._file}:{line}"
        self.found.append(f"{place}: {field}: {message}" if field else f"{place}: {message}")


class Fields:
    """A mapping that is read field by field. Fields that nobody asked for are faults (`finish`)."""

    def __init__(self, node: Mapping, faults: Faults, where: str = "") -> None:
        self.node = node
        self.faults = faults
        self._where = where
        self._known: set[str] = set()

    @property
    def line(self) -> int:
        """Where the mapping begins."""
        return self.node.line

    def name(self, key: str) -> str:
        """A field's name, from the scenario's beginning."""
        return f"{self._where}.{key}" if self._where else key

    def get(self, *keys: str) -> Node | None:
        """The value of the first of these fields that is there; null is as good as absent."""
        self._known.update(keys)
        for key in keys:
            entry = self.node.entries.get(key)
            if entry is not None and not (isinstance(entry.value, Scalar) and entry.value.value is None):
                return entry.value
        return None

    def wrong(self, key: str, message: str, node: Node | None = None) -> None:
        """Note a fault of a field."""
        entry = self.node.entries.get(key)
        self.faults.add(node.line if node else entry.line if entry else self.line, self.name(key), message)

    def text(self, key: str, default: str = "") -> str:
        """A single value, as it was written."""
        node = self.get(key)
        if node is None:
            return default
        if isinstance(node, Scalar):
            return node.text
        self.wrong(key, "must be a single value", node)
        return default

    def flag(self, key: str, default: bool = False) -> bool:
        """`true` or `false`."""
        node = self.get(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.wrong(key, "must be true or false", node)
        return default

    def number(self, key: str, default: int) -> int:
        """A number that is not negative."""
        node = self.get(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.text.isdecimal():
            return int(node.text)
        self.wrong(key, "must be a number", node)
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of single values; one alone stands for a list of one."""
        node = self.get(key)
        nodes = node.items if isinstance(node, Sequence) else [] if node is None else [node]
        if not all(isinstance(each, Scalar) for each in nodes):
            self.wrong(key, "must be a list of single values", node)
            return ()
        return tuple(each.text for each in nodes if isinstance(each, Scalar))

    def mapping(self, key: str) -> "Fields | None":
        """A mapping, to be read in turn."""
        node = self.get(key)
        if node is None:
            return None
        if isinstance(node, Mapping):
            return Fields(node, self.faults, self.name(key))
        self.wrong(key, "must be a mapping", node)
        return None

    def mappings(self, key: str) -> "Iterator[Fields]":
        """A list of mappings."""
        node = self.get(key)
        if node is None:
            return
        if not isinstance(node, Sequence):
            self.wrong(key, "must be a list", node)
            return
        for number, item in enumerate(node.items):
            if isinstance(item, Mapping):
                yield Fields(item, self.faults, f"{self.name(key)}[{number}]")
            else:
                self.wrong(key, f"item {number} must be a mapping", item)

    def pairs(self, key: str) -> dict[str, str]:
        """A mapping of single values."""
        found = self.mapping(key)
        return found.all_texts() if found else {}

    def all_texts(self) -> dict[str, str]:
        """All fields, each a single value."""
        return {name: self.text(name) for name in self.node.entries}

    def each(self) -> "Iterator[tuple[str, Fields]]":
        """All fields, each a mapping (or nothing, which is as good as an empty one)."""
        for name, entry in self.node.entries.items():
            if isinstance(entry.value, Scalar) and entry.value.value is None:
                self._known.add(name)
                yield name, Fields(Mapping({}, entry.line, entry.column), self.faults, self.name(name))
            elif (found := self.mapping(name)) is not None:
                yield name, found

    def plain(self, key: str) -> Any:
        """Whatever it is, as plain data."""
        node = self.get(key)
        return None if node is None else plain(node)

    def finish(self) -> None:
        """Note the fields that are none."""
        for name, entry in self.node.entries.items():
            if name not in self._known:
                hint = did_you_mean(name, sorted(self._known))
                self.faults.add(
                    entry.line, self.name(name), f"there is no such field{f'; {hint}' if hint else ''}"
                )


def plain(node: Node) -> Any:
    """A node as plain data."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(each) for each in node.items]
    return {name: plain(entry.value) for name, entry in node.entries.items()}


def items_of(path: Path, complain: Callable[[int, int, str, str], None]) -> Iterator[Mapping]:
    """The items of a file's lists. Raises ScenarioError if it cannot be read or is no list of mappings."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        for document in read_documents(data, complain, Budget(MAX_VALUES)):
            if not isinstance(document, Sequence):
                raise ScenarioError(
                    f"{path}:{document.line}: must be a list of scenarios", "each begins with `- id: NAME`"
                )
            for item in document.items:
                if not isinstance(item, Mapping):
                    raise ScenarioError(f"{path}:{item.line}: a scenario must be a mapping")
                yield item
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except DocumentError as error:
        raise ScenarioError(f"{path}:{error.line}:{error.column}: {error.message}", error.remedy) from None
