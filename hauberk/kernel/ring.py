# SPDX-License-Identifier: Apache-2.0
"""Reading a BPF ring buffer in batches.

C copies all waiting records into one buffer, so that Python pays per batch and not per record. A record is
only consumed once it has been copied whole; one that a program is still writing ends the batch.
"""

import errno
import struct
from collections.abc import Iterator
from typing import Any, Self

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import MapError, fail
from hauberk.kernel.maps import Map

_HEAD = struct.Struct("=II")


def records(batch: memoryview) -> Iterator[memoryview]:
    """The payloads of a batch, in the order in which they were written."""
    at, end = 0, len(batch)
    while at < end:
        length, _ = _HEAD.unpack_from(batch, at)
        at += _HEAD.size
        yield batch[at : at + length]
        at += (length + 7) & ~7


class RingReader:
    """One ring buffer map. `fileno()` becomes readable (poll, epoll, asyncio) when records wait.

    `buffer_bytes` bounds a batch; it must hold the largest record. A ring has one reader, in one thread.
    """

    def __init__(self, ring: Map, buffer_bytes: int = 1 << 18) -> None:
        self._map = ring
        self._ring = lib.shim_ring_open(ring.fd, ring.max_entries)
        if self._ring == ffi.NULL:
            fail(MapError, f"mapping ring {ring.name}", ffi.errno)
        self._buffer = bytearray(buffer_bytes)
        self._view = memoryview(self._buffer)

    def fileno(self) -> int:
        return self._map.fd

    def drain(self) -> memoryview:
        """The waiting records as one batch (see `records`), maybe empty. Valid until the next call.

        Call again while the batch is not empty: what did not fit in this one is still in the ring. Raises
        MapError if the next record does not fit in a batch at all, or if what is there is no record.
        """
        used = lib.shim_ring_drain(self._open(), ffi.from_buffer(self._buffer), len(self._buffer))
        if used == -errno.EMSGSIZE:
            fail(MapError, f"a record of ring {self._map.name} is larger than the batch buffer", used)
        if used < 0:
            fail(MapError, f"ring {self._map.name} is damaged", used)
        return self._view[:used]

    @property
    def written(self) -> int:
        """Bytes that were ever written to the ring, record headers included."""
        return int(lib.shim_ring_written(self._open()))

    @property
    def read(self) -> int:
        """How many of these were read: `drain` has given every record that was `written` before."""
        return int(lib.shim_ring_read(self._open()))

    def _open(self) -> Any:
        if self._ring == ffi.NULL:
            raise ValueError(f"ring {self._map.name} is closed")
        return self._ring

    def close(self) -> None:
        """Unmaps the ring. The map itself is its owner's to close."""
        if self._ring != ffi.NULL:
            lib.shim_ring_close(self._ring)
            self._ring = ffi.NULL

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
