# SPDX-License-Identifier: Apache-2.0
"""Reading bolt databases: any pages are keys and values, or a BoltError; and what was written is read back.

An input is pages of 512 bytes, after a byte that says which is the root. The metas are made for it: with a
wrong checksum nothing else would be looked at. Whoever runs rootless containers writes such a file.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hauberk.workloads.containers.bolt import BoltError, Bucket, look
from tests.fuzz import told
from tests.workloads.containers.boltfile import Tree, metas, write

MAX_LENGTH: Final = 4096
SIZE: Final = 512


def seeds() -> Iterator[bytes]:
    """A database with everything: branches, overflow, buckets in place and with pages of their own."""
    tree: Tree = {b"v1": {b"labels": {b"a": b"b"}, b"empty": {}, b"x": b"y" * 600}, b"k": b"v"}
    many: Tree = {b"%03d" % number: b"value" for number in range(60)}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "db")
        for each in (tree, many):
            write(path, each, size=SIZE)
            data = path.read_bytes()
            root = int.from_bytes(data[SIZE + 32 : SIZE + 40], "little")
            yield bytes((root,)) + data[2 * SIZE :]


def check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "db")
        pages = data[1:]
        path.write_bytes(metas(SIZE, data[0] if data else 0, 2, len(pages) // SIZE + 2, 7) + pages)
        try:
            look(str(path), lambda root: _walk(root, len(pages), 0))
        except BoltError as error:
            told(error)
        names = data.split(b"\0")
        tree: Tree = dict(zip(names[::2], names[1::2], strict=False))
        write(path, {b"outer": {b"inner": tree}}, size=SIZE)
        assert look(str(path), _inner) == tree


def _inner(root: Bucket) -> Tree:
    found = root.bucket(b"outer", b"inner")
    assert found is not None
    return dict(found.values())


def _walk(bucket: Bucket, most: int, depth: int) -> None:
    for key, value in bucket.values():
        assert len(key) + len(value) <= most
        assert isinstance(bucket.get(key), bytes | None)
    for key in (b"v1", b"labels", b"empty"):
        below = bucket.bucket(key)
        if below is not None and depth < 4:
            _walk(below, most, depth + 1)
