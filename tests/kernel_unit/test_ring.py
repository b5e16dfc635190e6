# SPDX-License-Identifier: Apache-2.0
"""The ring reader: whole records, in order, each exactly once, whatever the sizes."""

import errno
import mmap
import select
import struct
from collections.abc import Callable

import pytest

from hauberk.kernel.errors import MapError
from hauberk.kernel.libbpf import BpfObject
from hauberk.kernel.ring import RingReader, records

Load = Callable[..., BpfObject]


def write(obj: BpfObject, count: int, size: int) -> int:
    """Has `count` records written, of which the last but one is discarded; returns how many were kept."""
    return obj.program("write_ring").test_run(context=struct.pack("=II", count, size))[0]


def numbers(batch: memoryview) -> list[int]:
    return [struct.unpack_from("=I", record)[0] for record in records(batch)]


def test_an_empty_ring_gives_an_empty_batch(load: Load) -> None:
    with RingReader(load().map("ring")) as reader:
        assert list(records(reader.drain())) == []
        assert reader.read == reader.written


def test_records_come_in_order_and_discarded_ones_not_at_all(load: Load) -> None:
    obj = load()
    with RingReader(obj.map("ring")) as reader:
        assert write(obj, 5, 21) == 4
        batch = reader.drain()
        assert numbers(batch) == [0, 1, 2, 4]
        assert [len(record) for record in records(batch)] == [21, 21, 21, 21]
        assert reader.read == reader.written
        assert numbers(reader.drain()) == []


def test_what_does_not_fit_in_a_batch_comes_in_the_next(load: Load) -> None:
    obj = load()
    with RingReader(obj.map("ring"), buffer_bytes=100) as reader:  # three records of 8 + 24 bytes
        write(obj, 8, 21)
        batches = []
        while batch := reader.drain():
            batches.append(numbers(batch))
        assert batches == [[0, 1, 2], [3, 4, 5], [7]]


def test_a_record_larger_than_the_buffer_is_an_error_and_stays(load: Load) -> None:
    obj = load()
    ring = obj.map("ring")
    write(obj, 1, 21)
    with RingReader(ring, buffer_bytes=16) as reader:
        with pytest.raises(MapError, match="larger than the batch buffer") as caught:
            reader.drain()
        assert caught.value.errno == errno.EMSGSIZE
    with RingReader(ring) as reader:
        assert numbers(reader.drain()) == [0]


def test_records_that_wrap_around_the_end_are_whole(load: Load) -> None:
    obj = load()
    size = obj.map("ring").max_entries
    with RingReader(obj.map("ring")) as reader:
        written = 0
        while written < 3 * size:
            assert write(obj, 7, 21) == 6
            assert numbers(reader.drain()) == [0, 1, 2, 3, 4, 6]
            written += 7 * 32


def test_a_full_ring_keeps_what_it_has_and_goes_on_after_a_drain(load: Load) -> None:
    obj = load()
    with RingReader(obj.map("ring")) as reader:
        kept = 0
        while (more := write(obj, 60, 8)) == 59:
            kept += more
        kept += more
        assert reader.written - reader.read <= obj.map("ring").max_entries
        assert len(numbers(reader.drain())) == kept
        assert write(obj, 3, 8) == 2


def test_the_descriptor_becomes_readable_when_records_wait(load: Load) -> None:
    obj = load()
    with RingReader(obj.map("ring")) as reader:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        assert poll.poll(0) == []
        write(obj, 1, 8)
        assert poll.poll(0) == [(reader.fileno(), select.POLLIN)]
        reader.drain()
        assert poll.poll(0) == []


def test_a_map_that_is_no_ring_is_refused(load: Load) -> None:
    with pytest.raises(MapError, match="mapping ring table"):
        RingReader(load().map("table"))


@pytest.mark.parametrize("position", [8, 12, 1 << 40])
def test_a_position_that_somebody_else_has_moved_is_an_error_and_nothing_is_read(
    load: Load, position: int
) -> None:
    ring = load().map("ring")
    with mmap.mmap(ring.fd, mmap.PAGESIZE) as page, RingReader(ring) as reader:
        page[:8] = struct.pack("=Q", position)
        with pytest.raises(MapError, match="ring ring is damaged") as caught:
            reader.drain()
        assert caught.value.errno == errno.EBADMSG


def test_a_closed_reader_refuses_to_read(load: Load) -> None:
    reader = RingReader(load().map("ring"))
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.drain()
