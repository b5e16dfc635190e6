# SPDX-License-Identifier: Apache-2.0
"""Writes bolt databases for tests, as bbolt would write the same keys in one transaction.

bbolt 1.3.11 reads the same keys in them, and its check finds nothing wrong.
"""

from pathlib import Path
from struct import pack
from typing import Final, Union

Tree = dict[bytes, Union[bytes, "Tree"]]

_BRANCH: Final = 1
_LEAF: Final = 2
_META: Final = 4
_FREE: Final = 0x10


def write(path: Path, tree: Tree, transaction: int = 7, size: int = 4096, inline: bool = True) -> None:
    """A database with these keys and buckets. Without `inline` every bucket has pages of its own."""
    file = _File(size, inline)
    root = file.bucket(tree)
    free = file.add(_FREE, b"", 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(metas(size, root, free, len(file.pages) + 2, transaction) + b"".join(file.pages))


def metas(size: int, root: int, free: int, end: int, transaction: int) -> bytes:
    """The two meta pages of a database of `end` pages; the second is the later one."""
    return b"".join(_meta(number, size, root, free, end, transaction - 1 + number) for number in (0, 1))


def _meta(number: int, size: int, root: int, free: int, end: int, transaction: int) -> bytes:
    text = pack("<IIIIQQQQQ", 0xED0CDAED, 2, size, 0, root, 0, free, end, transaction)
    total = 0xCBF29CE484222325
    for byte in text:
        total = (total ^ byte) * 0x100000001B3 % 2**64
    return (pack("<QHHI", number, _META, 0, 0) + text + pack("<Q", total)).ljust(size, b"\0")


class _File:
    def __init__(self, size: int, inline: bool) -> None:
        self.size = size
        self.inline = inline
        self.pages: list[bytes] = []

    def add(self, kind: int, body: bytes, count: int) -> int:
        """A page, with its overflow; its number."""
        number = len(self.pages) + 2
        over = (16 + len(body) + self.size - 1) // self.size - 1
        page = (pack("<QHHI", number, kind, count, over) + body).ljust((over + 1) * self.size, b"\0")
        self.pages += [page[at : at + self.size] for at in range(0, len(page), self.size)]
        return number

    def bucket(self, tree: Tree) -> int:
        """The number of the root page of a bucket."""
        entries = [(key, *self._value(value)) for key, value in sorted(tree.items())]
        level = []
        for part in self._parts(entries):
            level.append((part[0][0] if part else b"", self.add(_LEAF, _leaf(part), len(part))))
        while len(level) > 1:
            some = [level[at : at + 8] for at in range(0, len(level), 8)]
            level = [(part[0][0], self.add(_BRANCH, _branch(part), len(part))) for part in some]
        return level[0][1]

    def _value(self, value: bytes | Tree) -> tuple[int, bytes]:
        if isinstance(value, bytes):
            return 0, value
        if self.inline and all(isinstance(each, bytes) for each in value.values()):
            entries = [(key, 0, each) for key, each in sorted(value.items()) if isinstance(each, bytes)]
            body = pack("<QHHI", 0, _LEAF, len(entries), 0) + _leaf(entries)
            if len(body) <= self.size // 4:
                return 1, pack("<QQ", 0, 0) + body
        return 1, pack("<QQ", self.bucket(value), 0)

    def _parts(self, entries: list[tuple[bytes, int, bytes]]) -> list[list[tuple[bytes, int, bytes]]]:
        parts: list[list[tuple[bytes, int, bytes]]] = [[]]
        room = self.size - 16
        for entry in entries:
            need = 16 + len(entry[0]) + len(entry[2])
            if parts[-1] and need > room:
                parts.append([])
                room = self.size - 16
            parts[-1].append(entry)
            room -= need
        return parts


def _leaf(entries: list[tuple[bytes, int, bytes]]) -> bytes:
    heads, data = b"", b""
    for index, (key, flags, value) in enumerate(entries):
        heads += pack("<IIII", flags, 16 * (len(entries) - index) + len(data), len(key), len(value))
        data += key + value
    return heads + data


def _branch(children: list[tuple[bytes, int]]) -> bytes:
    heads, data = b"", b""
    for index, (key, number) in enumerate(children):
        heads += pack("<IIQ", 16 * (len(children) - index) + len(data), len(key), number)
        data += key
    return heads + data
