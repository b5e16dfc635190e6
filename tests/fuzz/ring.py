# SPDX-License-Identifier: Apache-2.0
"""Draining a ring: whatever its two positions and its bytes are, a batch holds exactly the records that lie
between them, or the ring is called damaged. Nothing is read or written outside of the ring and the batch.

Who has the map of a ring can write the reader's position. An input is that position, the writer's, the room
for a batch, and the ring's bytes.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from hauberk.kernel.errors import MapError
from hauberk.kernel.ring import RingReader, records
from tests.fuzz import told

SIZE: Final = mmap.PAGESIZE
HEAD: Final = struct.Struct("=QQH")
MAX_LENGTH: Final = HEAD.size + 512
BUSY: Final = 1 << 31
DISCARD: Final = 1 << 30


class Ring(NamedTuple):
    """What a reader asks of a map."""

    fd: int
    max_entries: int = SIZE
    name: str = "fuzzed"


def record(payload: bytes, flags: int = 0) -> bytes:
    return struct.pack("=II", len(payload) | flags, 0) + payload + bytes(-len(payload) % 8)


def seeds() -> Iterator[bytes]:
    """Rings as the kernel leaves them: with whole, discarded and unfinished records, and one that wraps."""
    three = record(b"one") + record(b"gone", DISCARD) + record(b"a longer one")
    yield HEAD.pack(0, len(three), 4096) + three
    yield HEAD.pack(0, len(three), 48) + three
    yield HEAD.pack(0, len(three), 8) + three
    unfinished = three + record(b"unfinished", BUSY)
    yield HEAD.pack(16, len(unfinished), 64) + unfinished
    yield HEAD.pack(SIZE, SIZE + len(three), 64) + three
    yield HEAD.pack(SIZE - 16, SIZE + len(three), 64) + three
    yield HEAD.pack(8, 0, 64)


def check(data: bytes) -> None:
    if len(data) < HEAD.size:
        return
    consumer, producer, room = HEAD.unpack_from(data)
    content = data[HEAD.size :][:SIZE].ljust(SIZE, b"\0")
    memory = _memory()
    for at, part in ((0, struct.pack("=Q", consumer)), (SIZE, struct.pack("=Q", producer))):
        memory[at : at + 8] = part
    memory[2 * SIZE :] = content + content
    expected = _walk(consumer, producer, 2 * content)
    with RingReader(Ring(_file()), buffer_bytes=room) as reader:
        found: list[bytes] = []
        try:
            while batch := reader.drain():
                assert len(batch) <= room
                found += map(bytes, records(batch))
        except MapError as error:
            told(error)
            # What was read before is whole, and what would not fit or is damaged comes next.
            assert found == [each for each in expected if each is not None][: len(found)]
            left = expected[len(found)]
            assert left is None or 8 + len(left) + -len(left) % 8 > room
        else:
            assert found == expected


def _walk(at: int, end: int, content: bytes) -> list[bytes | None]:
    """The records from `at` to `end`; None stands for damage, after which nothing can be read."""
    found: list[bytes | None] = []
    # Positions only grow, and begin again after 2**64.
    left = (end - at) % 2**64
    if left > SIZE or at % 8:
        return [None]
    while left:
        start = at % SIZE
        (word,) = struct.unpack_from("=I", content, start)
        if word & BUSY:
            break
        length = word & ~DISCARD
        padded = length + -length % 8
        if 8 + padded > left:
            return [*found, None]
        if not word & DISCARD:
            found.append(content[start + 8 : start + 8 + length])
        at += 8 + padded
        left -= 8 + padded
    return found


@cache
def _file() -> int:
    fd = os.memfd_create("ring")
    os.ftruncate(fd, 4 * SIZE)
    return fd


@cache
def _memory() -> mmap.mmap:
    return mmap.mmap(_file(), 4 * SIZE)
