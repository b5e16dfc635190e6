# SPDX-License-Identifier: Apache-2.0
"""YAML text to a tree of nodes that know their place, within bounds that no input exceeds.

libyaml yields events and these are put together here, without recursion. Every bound is checked as the
events come, before anything is built: depth, number of values, and aliases counted as what they stand for. A
policy is therefore never expanded to more than `MAX_NODES` values, whatever its text says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NoReturn, TypeAlias, cast

import msgspec
import yaml

from hauberk.errors import HauberkError
from hauberk.policy.scalars import Value, key_text, resolve, resolve_tagged
from hauberk.policy.words import shorten

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""Longest file."""

MAX_DEPTH: Final = 64
"""Deepest nesting of lists and mappings. Policies need about 8; what Kubernetes adds to metadata, about
16."""

MAX_NODES: Final = 250_000
"""Most values (lists, mappings, keys and scalars) in one file, with every alias counted as what it stands
for."""

MAX_DOCUMENTS: Final = 4096
"""Most documents in one file, empty ones included."""


class DocumentError(HauberkError):
    """The text cannot be read beyond this place."""

    def __init__(self, line: int, column: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.line = line
        self.column = column


class Scalar(msgspec.Struct, frozen=True, gc=False):
    """A single value: what it means, and the text it was written as."""

    value: Value
    text: str
    line: int
    column: int


class Sequence(msgspec.Struct, frozen=True, gc=False):
    """A list."""

    items: list[Node]
    line: int
    column: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A value of a mapping, with the place of its key."""

    value: Node
    line: int
    column: int


class Mapping(msgspec.Struct, frozen=True, gc=False):
    """A mapping, in the order in which it was written."""

    entries: dict[str, Entry]
    line: int
    column: int


Node: TypeAlias = Scalar | Sequence | Mapping

Complain: TypeAlias = Callable[[int, int, str, str], None]
"""Takes line, column, message and hint of a fault after which reading can go on."""


class Budget:
    """How many values may still be read, by this file and by all files together."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.left = total


def decode(data: bytes) -> None:
    """Check that `data` is text that YAML allows. Raises DocumentError at the first byte that is not."""
    if not data.translate(None, _ORDINARY):
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        raise DocumentError(
            line, column, f"byte 0x{data[error.start]:02x} is not valid UTF-8", "save the file as UTF-8"
        ) from None
    found = _FORBIDDEN.search(text)
    if found is not None:
        at = found.start()
        name = "a NUL character" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
        raise DocumentError(
            text.count("\n", 0, at) + 1,
            at - text.rfind("\n", 0, at),
            f"{name} is not allowed in YAML",
            "remove it",
        )


_ORDINARY: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))
"""What most files are made of."""
_FORBIDDEN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]", re.DOTALL
)


def read_documents(data: bytes, complain: Complain, budget: Budget) -> Iterator[Node]:
    """Yield the documents of `data` that are not empty, each as soon as it is complete.

    Duplicate and impossible keys go to `complain` and are left out. Raises DocumentError where reading must
    stop.
    """
    if len(data) > MAX_FILE_BYTES:
        raise DocumentError(
            1, 1, f"the file is larger than {MAX_FILE_BYTES >> 20} MiB", "split it into several files"
        )
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    decode(data)
    builder = _Builder(complain, budget)
    parser = yaml.CSafeLoader(data)
    try:
        while (event := parser.get_event()) is not None:
            root = builder.take(event)
            if root is not None and not (isinstance(root, Scalar) and root.value is None):
                yield root
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, data) from None
    except yaml.YAMLError as error:
        raise DocumentError(1, 1, f"not valid YAML: {shorten(str(error), 200)}") from None
    finally:
        budget.left -= builder.count


def _at(event: yaml.Event, message: str, hint: str = "") -> DocumentError:
    line, column = _place(event)
    return DocumentError(line, column, message, hint)


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    assert mark is not None, "libyaml's events have marks"
    return mark.line + 1, mark.column + 1


def _syntax_error(error: yaml.MarkedYAMLError, data: bytes) -> DocumentError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    problem = f"{error.problem or 'unreadable'}{f' {error.context}' if error.context else ''}"
    if error.context_mark is not None and error.context_mark.line + 1 != line:
        problem += f" that begins on line {error.context_mark.line + 1}"
    written = _line(data, line)
    here = written[column - 1 : column]
    hint = ""
    if here == "\t" or "\t" in written[: len(written) - len(written.lstrip())]:
        hint = "YAML is indented with spaces, not tabs"
    elif here in ("%", "@", "`") or "alias" in problem or "anchor" in problem:
        hint = "quote a text that begins with `*`, `&`, `%`, `@` or a backquote"
    elif "mapping values are not allowed" in problem:
        hint = "quote a text that contains `: `, or check the indentation"
    elif "did not find expected" in problem:
        hint = "check the indentation here and on the line before"
    return DocumentError(line, column, f"not valid YAML: {problem}", hint)


def _line(data: bytes, number: int) -> str:
    """The beginning of a line of the text, found without splitting all of it."""
    start = 0
    for _ in range(number - 1):
        start = data.find(b"\n", start) + 1
    return data[start : start + _LONGEST_LINE].partition(b"\n")[0].decode("utf-8", "replace")


_LONGEST_LINE: Final = 4096
"""How much of a line is looked at to find a hint."""


class _Open:
    """A list or mapping of which the end has not come yet."""

    __slots__ = ("anchor", "before", "column", "entries", "height", "items", "key", "line", "merges")

    def __init__(self, event: yaml.CollectionStartEvent, before: int) -> None:
        mark = event.start_mark
        assert mark is not None, "libyaml's events have marks"
        self.line = mark.line + 1
        self.column = mark.column + 1
        self.anchor: str | None = event.anchor
        self.before = before
        self.height = 1
        self.items: list[Node] | None = [] if type(event) is yaml.SequenceStartEvent else None
        self.entries: dict[str, Entry] = {}
        self.key: _Key | None = None
        self.merges: list[Mapping] | None = None


class _Key(msgspec.Struct, frozen=True, gc=False):
    """A key that waits for its value; without a name its value is read and dropped."""

    name: str | None
    line: int
    column: int
    merge: bool = False


class _Anchored(msgspec.Struct, frozen=True, gc=False):
    node: Node
    size: int
    height: int


class _Builder:
    """Puts the events of a file together, one document after the other.

    What every value goes through is written for speed: there may be very many.
    """

    def __init__(self, complain: Complain, budget: Budget) -> None:
        self.complain = complain
        self.budget = budget
        self.count = 0
        self.most = min(MAX_NODES, budget.left)
        self.aliased = 0
        self.documents = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchored | None] = {}

    def take(self, event: yaml.Event) -> Node | None:
        """Take one event; returns the document's root when that is complete."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self.count += 1
            if self.count > self.most:
                self._refuse(event)
            return self._scalar(cast(yaml.ScalarEvent, event))
        if kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self.count += 1
            if self.count > self.most:
                self._refuse(event)
            self._open(cast(yaml.CollectionStartEvent, event))
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            return self._close()
        elif kind is yaml.AliasEvent:
            return self._alias(cast(yaml.AliasEvent, event))
        elif kind is yaml.DocumentStartEvent:
            self.documents += 1
            if self.documents > MAX_DOCUMENTS:
                raise _at(event, f"the file has more than {MAX_DOCUMENTS} documents", "split it")
            self.anchors.clear()
        return None

    def _spend(self, size: int, event: yaml.Event) -> None:
        self.count += size
        if self.count > self.most:
            self._refuse(event)

    def _refuse(self, event: yaml.Event) -> NoReturn:
        if self.count <= MAX_NODES:
            raise _at(
                event, f"all files together have more than {self.budget.total} values", "load fewer at once"
            )
        if self.count - self.aliased <= MAX_NODES // 2:
            raise _at(event, f"the aliases of this file stand for more than {MAX_NODES} values", "use fewer")
        raise _at(event, f"the file has more than {MAX_NODES} values", "split it into several files")

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _at(event, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag is not None and event.tag not in _COLLECTION_TAGS[type(event)]:
            self._complain_at(event, f"the tag `{shorten(event.tag)}` is not accepted here", "remove it")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(event, self.count - 1))

    def _close(self) -> Node | None:
        frame = self.stack.pop()
        node: Node
        if frame.items is not None:
            node = Sequence(frame.items, frame.line, frame.column)
        else:
            for merged in frame.merges or ():
                for name, entry in merged.entries.items():
                    frame.entries.setdefault(name, entry)
            node = Mapping(frame.entries, frame.line, frame.column)
        if frame.anchor is not None:
            self.anchors[frame.anchor] = _Anchored(node, self.count - frame.before, frame.height)
        return self._put(node, frame.height)

    def _alias(self, event: yaml.AliasEvent) -> Node | None:
        name = event.anchor or ""
        shown = shorten(name)
        if name not in self.anchors:
            raise _at(event, f"`*{shown}` refers to no anchor", "quote a text that begins with `*`")
        target = self.anchors[name]
        if target is None:
            raise _at(event, f"`*{shown}` refers to the value that it is a part of")
        self.aliased += target.size
        self._spend(target.size, event)
        if len(self.stack) + target.height > MAX_DEPTH:
            raise _at(event, f"nested deeper than {MAX_DEPTH} levels through the alias `*{shown}`")
        return self._put(target.node, target.height)

    def _scalar(self, event: yaml.ScalarEvent) -> Node | None:
        text = event.value
        value: Value = text
        tag, merge = event.tag, False
        if tag is not None and not (tag == "!" and event.style):
            try:
                value = resolve_tagged(tag, text)
            except ValueError as error:
                self._complain_at(event, str(error), "remove the tag")
        elif event.implicit[0]:
            value = resolve(text)
            merge = text == "<<" and tag is None
        mark = event.start_mark
        assert mark is not None, "libyaml's events have marks"
        line, column, anchor, stack = mark.line + 1, mark.column + 1, event.anchor, self.stack
        if anchor is None and stack and (frame := stack[-1]).items is None:
            # Nearly always: a key, or the value of one.
            if (key := frame.key) is None:
                frame.key = self._key(frame, value, line, column, merge)
                return None
            if key.name is not None:
                frame.key = None
                frame.entries[key.name] = Entry(Scalar(value, text, line, column), key.line, key.column)
                return None
        node = Scalar(value, text, line, column)
        if anchor is not None:
            self.anchors[anchor] = _Anchored(node, 1, 0)
        return self._put(node, 0, merge)

    def _put(self, node: Node, height: int, merge: bool = False) -> Node | None:
        """Put a complete node where it belongs; returns it if it is the document's root."""
        if not self.stack:
            return node
        frame = self.stack[-1]
        if height >= frame.height:
            frame.height = height + 1
        if frame.items is not None:
            frame.items.append(node)
        elif (key := frame.key) is None:
            # What is no scalar cannot be a name.
            value = node.value if isinstance(node, Scalar) else None
            frame.key = self._key(frame, value, node.line, node.column, merge)
        else:
            frame.key = None
            if key.name is not None:
                frame.entries[key.name] = Entry(node, key.line, key.column)
            elif key.merge:
                self._merge(frame, node)
        return None

    def _key(self, frame: _Open, value: Value, line: int, column: int, merge: bool) -> _Key:
        if merge:
            return _Key(None, line, column, True)
        name = value if type(value) is str else key_text(value)
        if name is None:
            self.complain(line, column, "a field's name must be a text", "quote it")
        elif name in frame.entries:
            first = frame.entries[name].line
            self.complain(
                line,
                column,
                f"the field `{shorten(name)}` is there twice, first on line {first}",
                "keep one of them",
            )
            name = None
        return _Key(name, line, column)

    def _merge(self, frame: _Open, node: Node) -> None:
        several = node.items if isinstance(node, Sequence) else [node]
        for each in several:
            if isinstance(each, Mapping):
                if frame.merges is None:
                    frame.merges = []
                frame.merges.append(each)
            else:
                self.complain(node.line, node.column, "`<<` merges mappings, and this is none", "")

    def _complain_at(self, event: yaml.Event, message: str, hint: str) -> None:
        self.complain(*_place(event), message, hint)


_COLLECTION_TAGS: Final = {
    yaml.MappingStartEvent: ("!", "tag:yaml.org,2002:map"),
    yaml.SequenceStartEvent: ("!", "tag:yaml.org,2002:seq"),
}
