# SPDX-License-Identifier: Apache-2.0
"""The text of each policy by itself, as its author wrote it: comments, order and all.

A file is cut where YAML ends its documents. Only the items of a list (`kind: List`, as kubectl prints them)
have no text of their own, and are written anew; their comments are lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import yaml

from hauberk.errors import HauberkError
from hauberk.policy.models import Policy

MAX_WRITTEN: Final = 16 << 20
"""Most characters of all items of one list, each written out with what it refers to elsewhere."""

# As libyaml counts lines. A marker in the first column ends even a block of text.
_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_MARKER: Final = re.compile(r"(---|\.\.\.)(?=\s|$)")
_EMPTY: Final = re.compile(r"[ \t]*(#.*)?")
_WIDTH: Final = 1 << 16


def texts_of(text: str, policies: Sequence[Policy]) -> list[str]:
    """The text of each of `policies`, which are all that was read from `text`, in that order.

    Raises HauberkError if items of a list refer to too much that is elsewhere.
    """
    found: list[str] = []
    left = list(policies)
    for first, lines in _documents(text.removeprefix("\ufeff")):
        mine = [policy for policy in left if policy.line < first + len(lines)]
        del left[: len(mine)]
        if len(mine) == 1 and mine[0].line == first + _first_content(lines):
            found.append("".join(lines).strip("\n") + "\n")
        elif mine:
            found += _items("".join(lines))
    return found


def _documents(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines between markers, each time with the number of the first."""
    first, lines = 1, list[str]()
    for number, line in enumerate(_lines(text), start=1):
        marker = _MARKER.match(line)
        if marker is None:
            lines.append(line)
            continue
        yield first, lines
        # What stands behind a marker belongs to the document that it begins.
        inline = marker[1] == "---" and not _EMPTY.fullmatch(line[3:].rstrip())
        first, lines = (number, [line]) if inline else (number + 1, [])
    yield first, lines


def _lines(text: str) -> Iterator[str]:
    start = 0
    for end in _BREAK.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def _first_content(lines: Sequence[str]) -> int:
    return next((at for at, line in enumerate(lines) if not _EMPTY.fullmatch(line.rstrip())), 0)


def _items(text: str) -> Iterator[str]:
    """The items of a list as documents of their own."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    assert isinstance(root, yaml.MappingNode), "it was read before"
    items = [value for key, value in root.value if key.value == "items"]
    written = 0
    for node in items[-1].value if items else [root]:
        item = yaml.serialize(node, Dumper=yaml.CSafeDumper, allow_unicode=True, width=_WIDTH)
        written += len(item)
        if written > MAX_WRITTEN:
            raise HauberkError(
                f"the items of a list stand for more than {MAX_WRITTEN >> 20} MiB of text",
                "use fewer aliases, or write each policy as a document of its own",
            )
        yield item
