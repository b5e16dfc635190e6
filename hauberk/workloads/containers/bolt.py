# SPDX-License-Identifier: Apache-2.0
"""Reads bolt databases (bbolt's file format, version 2), in which containerd and Podman keep what they know.

A file is an array of pages. Two of them are metas, written in turn: the valid one with the higher transaction
number has the root bucket. A bucket is a B+ tree of branch and leaf pages; a leaf's value may itself be a
bucket, by the number of its root page, or whole and in place ("inline") while it is small.

Nothing is locked and the owner is not asked. A writer never overwrites a page that the last transaction can
reach, and reuses one only after the next. So if the transaction number is the same before and after, what was
read in between belongs together; if not, it is read again.
"""

import os
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, TypeVar

from hauberk.workloads.containers.records import RecordError, open_record

MAX_STEPS: Final = 1 << 18
"""Elements that one look visits at most: a file that was made for it could let one walk for ever."""
MAX_DEPTH: Final = 32
"""Pages from a bucket's root to a leaf: more than 2^64 keys need."""
MAX_RUN: Final = 16 << 20
"""Bytes of one page with its overflow."""
TRIES: Final = 5

_HEAD: Final = Struct("<QHHI")
_META: Final = Struct("<IIIIQQQQQ")
_SUM: Final = Struct("<Q")
_BRANCH: Final = Struct("<IIQ")
_LEAF: Final = Struct("<IIII")
_BUCKET: Final = Struct("<QQ")

_MAGIC: Final = 0xED0CDAED
_VERSION: Final = 2
_BRANCH_PAGE: Final = 1
_LEAF_PAGE: Final = 2
_META_PAGE: Final = 4
_IS_BUCKET: Final = 1
_SIZES: Final = tuple(1 << bits for bits in range(9, 17))

T = TypeVar("T")


class BoltError(RecordError):
    """A bolt database is damaged, or changes faster than it can be read."""


class Bucket:
    """Keys in their order, each with a value or with a bucket of its own. Only for use while `look` runs."""

    def __init__(self, snapshot: "_Snapshot", root: int, inline: bytes = b"") -> None:
        self._snapshot = snapshot
        self._root = root
        self._inline = inline

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None if there is none or it is a bucket. Raises BoltError."""
        flags, value = self._find(key)
        return None if flags & _IS_BUCKET else value

    def bucket(self, *path: bytes) -> "Bucket | None":
        """The bucket that these keys lead to, one in the other; None if there is none. Raises BoltError."""
        found = self
        for key in path:
            flags, value = found._find(key)
            if value is None or not flags & _IS_BUCKET:
                return None
            found = found._nested(value)
        return found

    def values(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, without the buckets. Raises BoltError."""
        for flags, key, value in self._walk(self._first(), 0):
            if not flags & _IS_BUCKET:
                yield key, value

    def _first(self) -> bytes:
        return self._inline or self._snapshot.page(self._root)

    def _nested(self, value: bytes) -> "Bucket":
        if len(value) < _BUCKET.size:
            raise BoltError("a bucket without a head")
        root, _ = _BUCKET.unpack_from(value)
        if root:
            return Bucket(self._snapshot, root)
        inline = value[_BUCKET.size :]
        if len(inline) < _HEAD.size:
            raise BoltError("an inline bucket without a page")
        return Bucket(self._snapshot, 0, inline)

    def _find(self, key: bytes) -> tuple[int, bytes | None]:
        """The flags and the value of a key."""
        page = self._first()
        for _ in range(MAX_DEPTH):
            kind, count = _kind(page)
            low, high = 0, count
            while low < high:
                self._snapshot.step()
                middle = (low + high) // 2
                if _key(page, kind, middle) <= key:
                    low = middle + 1
                else:
                    high = middle
            if kind == _LEAF_PAGE:
                if not low or _key(page, kind, low - 1) != key:
                    return 0, None
                flags, _, value = _leaf(page, low - 1)
                return flags, value
            if not low:
                return 0, None
            page = self._snapshot.page(_child(page, low - 1))
        raise BoltError("a tree that is too deep")

    def _walk(self, page: bytes, depth: int) -> Iterator[tuple[int, bytes, bytes]]:
        if depth > MAX_DEPTH:
            raise BoltError("a tree that is too deep")
        kind, count = _kind(page)
        for index in range(count):
            self._snapshot.step()
            if kind == _LEAF_PAGE:
                yield _leaf(page, index)
            else:
                yield from self._walk(self._snapshot.page(_child(page, index)), depth + 1)


def look(path: str, use: Callable[[Bucket], T], owner: int | None = None) -> T:
    """What `use` makes of the root bucket, all of one transaction. It may be called several times.

    `owner`: the user to whom the file has to belong. Raises RecordError if it cannot be read, BoltError
    (which is one) if it is damaged or changed each time that it was read.
    """
    fd = open_record(path, owner)
    try:
        before = _meta(fd, path)
        for _ in range(TRIES):
            error: BoltError | None = None
            try:
                answer = use(Bucket(_Snapshot(fd, before), before.root))
            except BoltError as found:
                error = found
            after = _meta(fd, path)
            if after.transaction == before.transaction:
                if error is not None:
                    raise BoltError(f"{path} is damaged: {error.message}") from error
                return answer
            before = after
        raise BoltError(f"{path} changed {TRIES} times while it was read")
    finally:
        os.close(fd)


def transaction(path: str, owner: int | None = None) -> int:
    """The number of the last transaction: the database says the same while it is the same.

    Raises RecordError, and BoltError if there is no valid meta.
    """
    fd = open_record(path, owner)
    try:
        return _meta(fd, path).transaction
    finally:
        os.close(fd)


class _Meta:
    def __init__(self, size: int, root: int, end: int, transaction: int) -> None:
        self.size = size
        self.root = root
        self.end = end
        self.transaction = transaction


class _Snapshot:
    """Pages as one transaction left them."""

    def __init__(self, fd: int, meta: _Meta) -> None:
        self._fd = fd
        self._meta = meta
        self._left = MAX_STEPS
        self._kept: dict[int, bytes] = {}

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise BoltError("too much to look at")

    def page(self, number: int) -> bytes:
        self.step()
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        size = self._meta.size
        if not 2 <= number < self._meta.end:
            raise BoltError(f"a page {number} that the file does not have")
        data = _pread(self._fd, size, number * size)
        if len(data) < size:
            raise BoltError(f"page {number} is cut off")
        own, _, _, overflow = _HEAD.unpack_from(data)
        if own != number:
            raise BoltError(f"page {number} says that it is page {own}")
        if overflow:
            whole = (overflow + 1) * size
            if whole > MAX_RUN:
                raise BoltError(f"page {number} is too long")
            data = _pread(self._fd, whole, number * size)
            if len(data) < whole:
                raise BoltError(f"page {number} is cut off")
        self._kept[number] = data
        return data


def _pread(fd: int, size: int, place: int) -> bytes:
    try:
        return os.pread(fd, size, place)
    except (OSError, OverflowError) as error:
        raise BoltError(f"cannot be read at {place}: {error}") from error


def _meta(fd: int, path: str) -> _Meta:
    """The valid meta of the last transaction. The first says where the second is, if it is valid itself."""
    first = _one_meta(_pread(fd, 4096, 0), 0)
    sizes = (first.size,) if first is not None else _SIZES
    for size in sizes:
        second = _one_meta(_pread(fd, 4096, size), 1)
        if second is not None and second.size == size:
            return second if first is None or second.transaction > first.transaction else first
    if first is None:
        raise BoltError(f"{path} is no bolt database, or damaged: it has no valid meta page")
    return first


def _one_meta(data: bytes, number: int) -> _Meta | None:
    if len(data) < _HEAD.size + _META.size + _SUM.size:
        return None
    own, flags, _, _ = _HEAD.unpack_from(data)
    text = data[_HEAD.size : _HEAD.size + _META.size]
    magic, version, size, _, root, _, _, end, transaction = _META.unpack(text)
    (total,) = _SUM.unpack_from(data, _HEAD.size + _META.size)
    if own != number or flags != _META_PAGE or (magic, version) != (_MAGIC, _VERSION):
        return None
    if size not in _SIZES or total != _fnv(text):
        return None
    return _Meta(size, root, end, transaction)


def _fnv(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    total = 0xCBF29CE484222325
    for byte in data:
        total = (total ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return total


def _kind(page: bytes) -> tuple[int, int]:
    """Whether it is a branch or a leaf, and how many elements it has."""
    _, flags, count, _ = _HEAD.unpack_from(page)
    if flags not in (_BRANCH_PAGE, _LEAF_PAGE):
        raise BoltError(f"a page of kind {flags:#x} in a tree")
    if _HEAD.size + count * _LEAF.size > len(page):
        raise BoltError("a page with more elements than it has room for")
    return flags, count


def _key(page: bytes, kind: int, index: int) -> bytes:
    place = _HEAD.size + index * _LEAF.size
    if kind == _LEAF_PAGE:
        _, pos, size, _ = _LEAF.unpack_from(page, place)
    else:
        pos, size, _ = _BRANCH.unpack_from(page, place)
    return _part(page, place + pos, size)


def _leaf(page: bytes, index: int) -> tuple[int, bytes, bytes]:
    place = _HEAD.size + index * _LEAF.size
    flags, pos, key, value = _LEAF.unpack_from(page, place)
    return flags, _part(page, place + pos, key), _part(page, place + pos + key, value)


def _child(page: bytes, index: int) -> int:
    number: int = _BRANCH.unpack_from(page, _HEAD.size + index * _BRANCH.size)[2]
    return number


def _part(page: bytes, start: int, size: int) -> bytes:
    if start + size > len(page):
        raise BoltError("an element beyond the end of its page")
    return page[start : start + size]
