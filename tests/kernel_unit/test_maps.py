# SPDX-License-Identifier: Apache-2.0
"""Maps: bytes in, bytes out; absence is not an error, everything else is."""

import errno
import struct
from collections.abc import Callable

import pytest

from hauberk.kernel.errors import MapError
from hauberk.kernel.libbpf import BpfObject
from hauberk.kernel.maps import possible_cpus

PACKET = bytes(14)
Load = Callable[..., BpfObject]


def key(number: int) -> bytes:
    return struct.pack("=I", number)


def test_a_value_is_found_until_it_is_deleted(load: Load) -> None:
    table = load().map("table")
    value = bytes(range(table.value_size))
    assert table.lookup(key(1)) is None
    table.update(key(1), value)
    assert table.lookup(key(1)) == value
    assert table.delete(key(1)) is True
    assert table.delete(key(1)) is False
    assert table.lookup(key(1)) is None


def test_keys_and_items_are_those_that_were_set(load: Load) -> None:
    table = load().map("table")
    assert list(table.keys()) == []
    expected = {key(number): bytes([number]) * table.value_size for number in (3, 5, 8)}
    for each, value in expected.items():
        table.update(each, value)
    assert sorted(table.keys()) == sorted(expected)
    assert dict(table.items()) == expected


def test_creating_and_replacing_can_be_demanded(load: Load) -> None:
    table = load().map("table")
    value = bytes(table.value_size)
    with pytest.raises(MapError) as absent:
        table.update(key(1), value, create=False)
    assert absent.value.errno == errno.ENOENT
    table.update(key(1), value, replace=False)
    with pytest.raises(MapError) as present:
        table.update(key(1), value, replace=False)
    assert present.value.errno == errno.EEXIST


def test_a_full_map_says_that_it_is_full(load: Load) -> None:
    table = load().map("table")
    for number in range(table.max_entries):
        table.update(key(number), bytes(table.value_size))
    with pytest.raises(MapError, match="updating map table: the map is full") as caught:
        table.update(key(table.max_entries), bytes(table.value_size))
    assert caught.value.errno == errno.E2BIG


def test_keys_and_values_of_the_wrong_length_never_reach_the_kernel(load: Load) -> None:
    table = load().map("table")
    with pytest.raises(ValueError, match="a key has 4 bytes, not 3"):
        table.lookup(bytes(3))
    with pytest.raises(ValueError, match="a value has 32 bytes, not 31"):
        table.update(key(0), bytes(31))


def test_a_per_cpu_map_has_one_value_for_each_possible_cpu(load: Load) -> None:
    obj = load()
    for _ in range(5):
        obj.program("count_cpu").test_run()
    values = obj.map("per_cpu").lookup_percpu(key(0))
    assert values is not None
    assert len(values) == possible_cpus()
    assert sum(struct.unpack("=I", value)[0] for value in values) == 5


def test_a_map_that_is_not_per_cpu_is_not_read_as_one(load: Load) -> None:
    with pytest.raises(ValueError, match="not per CPU"):
        load().map("table").lookup_percpu(key(0))


def test_stores_through_a_mapping_are_seen_by_programs_and_theirs_by_us(load: Load) -> None:
    obj = load()
    with obj.map("arena").mmap() as arena:
        arena.store_u64(0, 21)
        assert obj.program("read_arena").test_run(data=PACKET)[0] == 21
        assert arena.load_u64(8) == 42
        arena.view[0:8] = struct.pack("=Q", 4)
        assert obj.program("read_arena").test_run(data=PACKET)[0] == 4
        assert arena.load_u64(8) == 8


def test_bytes_are_written_where_they_belong_and_nowhere_else(load: Load) -> None:
    arena = load().map("arena")
    arena.write(0, b"\xff" * 4096)
    arena.write(1001, b"written")
    with arena.mmap() as mapped:
        assert bytes(mapped.view) == b"\xff" * 1001 + b"written" + b"\xff" * (4096 - 1008)


@pytest.mark.parametrize("offset", [-8, 4, 4096, 4089])
def test_a_store_outside_a_mapping_or_across_words_is_refused(load: Load, offset: int) -> None:
    with load().map("arena").mmap() as arena, pytest.raises(ValueError, match="aligned 64-bit place"):
        arena.store_u64(offset, 1)


def test_a_map_that_cannot_be_mapped_says_so(load: Load) -> None:
    with pytest.raises(MapError, match="mapping map table"):
        load().map("table").mmap()


def test_a_duplicate_outlives_the_object(image: bytes) -> None:
    with BpfObject.open(image, disabled={"unsafe_read"}) as obj:
        obj.load()
        table = obj.map("table").duplicate()
    with table:
        table.update(key(1), bytes(table.value_size))
        assert list(table.keys()) == [key(1)]


def test_globals_are_maps_named_by_their_section(load: Load) -> None:
    obj = load()
    obj.program("count_cpu").test_run()
    values = obj.map(".bss").lookup(key(0))
    assert values is not None
    assert (1).to_bytes(8, "little") in values


def test_the_memory_of_a_map_grows_with_its_size_by_the_kernels_account(load: Load) -> None:
    small, large = load(), load(map_sizes={"ring": 1 << 20}, value_sizes={"arena": 1 << 20})
    for name in ("ring", "arena"):
        assert 0 < small.map(name).memory < 1 << 20 <= large.map(name).memory <= 3 << 20


def test_the_memory_of_a_program_holds_its_instructions_twice(load: Load) -> None:
    obj = load()
    assert all(4096 <= program.memory < 1 << 20 for program in obj.programs.values())
