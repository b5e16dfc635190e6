# SPDX-License-Identifier: Apache-2.0
"""A compiled table as a value, and the walk through it. What compiles one is in `tables`."""

import struct
from dataclasses import dataclass

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.abi import TableFlag


@dataclass(frozen=True, slots=True)
class Table:
    """A compiled rule set: an image for the arena, and the entries of the `mounts` map that belong to it."""

    base: int
    """Arena offset at which the image must stand."""
    image: bytes
    offset: int
    """Arena offset of the table's head."""
    mounts: tuple[tuple[bytes, bytes], ...]
    flags: TableFlag
    key: bytes
    """Equal for tables of equal content (`sharing.content_key`), wherever they stand."""
    classes: str = ""
    """Stands for how it numbers classes of programs: equal where these are."""


def walk(image: bytes | bytearray, base: int, state: int, path: bytes) -> int:
    """The reference to the state after `path` in a table's image that stands at `base`, as the kernel would
    find it."""
    for byte in path:
        if state & 1:
            break
        at = state - base
        owner, target = struct.unpack_from("<II", image, at + 8 * byte)
        if owner != state:
            target = struct.unpack_from("<II", image, at)[1]
        state = target
    return state


def states(table: Table, path: bytes) -> tuple[int, int]:
    """The states of both automata after a path."""
    _, _, file, exec_, _, _ = abi.TABLE.unpack_from(table.image, table.offset - table.base)
    return walk(table.image, table.base, file, path), walk(table.image, table.base, exec_, path)
