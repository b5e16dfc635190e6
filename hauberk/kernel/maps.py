# SPDX-License-Identifier: Apache-2.0
"""BPF maps by file descriptor: one class for maps of a loaded object and for adopted ones.

Keys and values are bytes; what they mean is for the caller. A map mapped into memory is a `Mapped`, whose
64-bit stores are atomic for the programs that read it.
"""

import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import MapError, PinError, fail
from hauberk.kernel.owned import Owned

_RINGBUF = 27
_PERCPU_TYPES = frozenset({5, 6, 10, 21})  # PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE


class Mapped:
    """The values of an array map, or a part of them, as writable memory. Closing it invalidates `view`.

    All of it counts as this process's resident memory, used or not.
    """

    def __init__(self, fd: int, size: int, offset: int = 0) -> None:
        self._memory = mmap.mmap(fd, size, offset=offset)
        self.view = memoryview(self._memory)
        self._address = ffi.from_buffer(self._memory)

    def store_u64(self, offset: int, value: int) -> None:
        """One atomic 64-bit store at a byte offset (a multiple of 8), between all that is written and read
        before and after it."""
        self._check(offset)
        lib.shim_store_u64(self._address + offset, value)

    def load_u64(self, offset: int) -> int:
        """One atomic 64-bit load, ordered in the same way."""
        self._check(offset)
        return int(lib.shim_load_u64(self._address + offset))

    def _check(self, offset: int) -> None:
        if offset % 8 or not 0 <= offset <= len(self._memory) - 8:
            raise ValueError(f"offset {offset} is not an aligned 64-bit place in {len(self._memory)} bytes")

    def __len__(self) -> int:
        return len(self._memory)

    def close(self) -> None:
        ffi.release(self._address)
        self.view.release()
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Map(Owned):
    """A map behind a file descriptor, which it owns and closes."""

    def __init__(self, fd: int, name: str = "") -> None:
        info = ffi.new("struct bpf_map_info *")
        size = ffi.new("uint32_t *", ffi.sizeof("struct bpf_map_info"))
        code = lib.bpf_obj_get_info_by_fd(fd, info, size)
        if code < 0:
            os.close(fd)
            fail(MapError, f"map {name or fd}", code)
        self._fd = fd
        # The kernel keeps 15 characters of a name; the object file knows the whole.
        self.name = name or ffi.string(info.name).decode()
        self.type = int(info.type)
        self.id = int(info.id)
        self.key_size = int(info.key_size)
        self.value_size = int(info.value_size)
        self.max_entries = int(info.max_entries)
        self.percpu = self.type in _PERCPU_TYPES
        self._stride = (self.value_size + 7) & ~7
        self._value_bytes = self._stride * possible_cpus() if self.percpu else self.value_size

    @property
    def fd(self) -> int:
        if self._fd < 0:
            raise ValueError(f"map {self.name} is closed")
        return self._fd

    @property
    def memory(self) -> int:
        """The bytes that it takes by the kernel's account: before 6.4 the most that it can take."""
        # bpf_map_memory_footprint() of these kernels finds nothing in a ring, which has no keys or values.
        return memlock(self.fd) or (self.max_entries if self.type == _RINGBUF else 0)

    def lookup(self, key: bytes) -> bytes | None:
        """The value, or None. Of a per-CPU map all CPUs' values in a row, each padded to 8 bytes."""
        value = ffi.new("char[]", self._value_bytes)
        code = lib.bpf_map_lookup_elem(self.fd, self._key(key), value)
        if code == -errno.ENOENT:
            return None
        if code < 0:
            fail(MapError, f"looking up in map {self.name}", code)
        return bytes(ffi.buffer(value, self._value_bytes))

    def lookup_percpu(self, key: bytes) -> list[bytes] | None:
        """The value of each possible CPU of a per-CPU map."""
        if not self.percpu:
            raise ValueError(f"map {self.name} is not per CPU")
        row = self.lookup(key)
        if row is None:
            return None
        return [row[at : at + self.value_size] for at in range(0, len(row), self._stride)]

    def update(self, key: bytes, value: bytes, *, create: bool = True, replace: bool = True) -> None:
        """Sets a value. `create=False` demands that the key exists, `replace=False` that it does not."""
        if not (create or replace):
            raise ValueError("neither creating nor replacing: nothing to do")
        flags = lib.BPF_ANY if create and replace else lib.BPF_NOEXIST if create else lib.BPF_EXIST
        if len(value) != self._value_bytes:
            raise ValueError(f"map {self.name}: a value has {self._value_bytes} bytes, not {len(value)}")
        code = lib.bpf_map_update_elem(self.fd, self._key(key), ffi.from_buffer(value), flags)
        if code < 0:
            fail(MapError, f"updating map {self.name}", code)

    def delete(self, key: bytes) -> bool:
        """Removes a key; False if it was not there."""
        code = lib.bpf_map_delete_elem(self.fd, self._key(key))
        if code < 0 and code != -errno.ENOENT:
            fail(MapError, f"deleting from map {self.name}", code)
        return bool(code == 0)

    def keys(self) -> Iterator[bytes]:
        """The keys there are. If the map changes meanwhile some may be missed or, in a hash, seen twice."""
        key, following = ffi.NULL, ffi.new("char[]", self.key_size)
        while True:
            code = lib.bpf_map_get_next_key(self.fd, key, following)
            if code == -errno.ENOENT:
                return
            if code < 0:
                fail(MapError, f"iterating over map {self.name}", code)
            yield bytes(ffi.buffer(following, self.key_size))
            key, following = following, ffi.new("char[]", self.key_size)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys with their values, without those that vanish meanwhile."""
        for key in self.keys():
            value = self.lookup(key)
            if value is not None:
                yield key, value

    def mmap(self) -> Mapped:
        """Maps the values of an array map made with BPF_F_MMAPABLE, each padded to 8 bytes."""
        return self._mapped(0, self._stride * self.max_entries)

    def write(self, offset: int, data: bytes) -> None:
        """Writes bytes into the values of such a map, which is mapped no longer than that takes."""
        first = offset // mmap.PAGESIZE * mmap.PAGESIZE
        with self._mapped(first, offset - first + len(data)) as mapped:
            mapped.view[offset - first : offset - first + len(data)] = data

    def _mapped(self, offset: int, size: int) -> Mapped:
        page = mmap.PAGESIZE
        try:
            return Mapped(self.fd, (size + page - 1) // page * page, offset)
        except OSError as error:
            fail(MapError, f"mapping map {self.name} into memory", error.errno or 0)

    def pin(self, path: Path) -> None:
        """Gives it a name in a bpffs, which keeps it alive without this process. Raises PinError."""
        pin(self.fd, path, self.name)

    def duplicate(self) -> "Map":
        """The same map with a life of its own: it stays open when the object it came from is closed."""
        return Map(os.dup(self.fd), self.name)

    def _key(self, key: bytes) -> Any:
        if len(key) != self.key_size:
            raise ValueError(f"map {self.name}: a key has {self.key_size} bytes, not {len(key)}")
        return ffi.from_buffer(key)

    def __repr__(self) -> str:
        return f"Map({self.name!r}, fd={self._fd})"


def pin(fd: int, path: Path, what: str) -> None:
    """Pins a descriptor of any BPF thing at a path in a bpffs. Raises PinError."""
    code = lib.bpf_obj_pin(fd, os.fsencode(path))
    if code < 0:
        fail(PinError, f"pinning {what} at {path}", code)


def pin_name(name: str) -> str:
    """The file name for something of this name: bpffs refuses dots, and libbpf's own maps (.rodata) have
    one."""
    return name.replace(".", "_")


def memlock(fd: int) -> int:
    """The bytes that the kernel accounts to a BPF map or program."""
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "memlock":
            return int(value)
    return 0


def possible_cpus() -> int:
    """The number of CPUs this kernel could ever have: a per-CPU map has that many values."""
    count = int(lib.libbpf_num_possible_cpus())
    if count < 0:
        fail(MapError, "counting CPUs", count)
    return count
