# SPDX-License-Identifier: Apache-2.0
"""Holds what Python believes about C structs against the BPF object's own types (BTF), before it is loaded.

Python decodes records by offsets written down by hand. A field added on one side only would otherwise turn
up as nonsense in an alert. Both directions are checked: what Python declares must be there, at that offset
and of that size, and the object must have no member that Python does not know.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import LayoutError

Field = tuple[str, int, int]
"""Name, offset in bytes, size in bytes. A nested one is `outer.inner`, or `inner` if `outer` has no name."""


def fields(layout: str, names: Sequence[str]) -> list[Field]:
    """The fields that a `struct` format describes, named in order; `x` is padding and has no name.

    Raises ValueError if format and names do not go together.
    """
    order = layout[0] if layout[:1] in "@=<>!" else "@"
    found: list[Field] = []
    before = ""
    waiting = iter(names)
    for count, code in re.findall(r"(\d*)([a-zA-Z?])", layout):
        for one in (count + code,) if code in "sx" else (code,) * int(count or 1):
            before += one
            size = struct.calcsize("=" + one)
            if code != "x":
                name = next(waiting, None)
                if name is None:
                    raise ValueError(f"format {layout!r} has more fields than names")
                found.append((name, struct.calcsize(order + before) - size, size))
    if (left := next(waiting, None)) is not None:
        raise ValueError(f"format {layout!r} has no field for {left}")
    return found


def check(btf: Any, declared: Mapping[str, Sequence[Field]], sizes: Mapping[str, int] | None = None) -> None:
    """Compares declared structs with those in `btf` (`BpfObject.btf`).

    `sizes` gives whole sizes in bytes by name, where padding at the end matters. Raises LayoutError with
    every difference of every struct.
    """
    differences: list[str] = []
    for name in dict.fromkeys((*declared, *(sizes or ()))):
        id = lib.btf__find_by_name_kind(btf, name.encode(), lib.BTF_KIND_STRUCT)
        if id < 0:
            differences.append(f"struct {name}: the object has none")
            continue
        if name in declared:
            actual = {member: (offset, size) for member, offset, size in _members(btf, id)}
            differences += (f"struct {name}: {line}" for line in _compare(declared[name], actual))
        size = int(lib.btf__resolve_size(btf, id))
        if sizes and sizes.get(name, size) != size:
            differences.append(f"struct {name}: has {size} bytes, not {sizes[name]}")
    if differences:
        raise LayoutError(differences)


def _compare(declared: Sequence[Field], actual: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    covered: set[int] = set()
    for name, offset, size in declared:
        covered.update(range(offset, offset + size))
        if name not in actual:
            yield f"has no member {name}"
        elif actual[name] != (offset, size):
            at, length = actual[name]
            yield f"{name} has {length} bytes at {at}, not {size} at {offset}"
    nested = {name[:at] for name in actual for at, c in enumerate(name) if c == "."}
    for name, (at, length) in actual.items():
        if name in nested:
            continue
        # By bytes and not by name, so that one alternative of a union speaks for the others.
        if not covered.issuperset(range(at, at + length)):
            yield f"member {name} ({length} bytes at {at}) is not known here"


def _members(btf: Any, id: int, prefix: str = "", base: int = 0) -> Iterator[Field]:
    kind = lib.btf__type_by_id(btf, id)
    for index in range(lib.btf_vlen(kind)):
        member = lib.btf_members(kind)[index]
        name = ffi.string(lib.btf__name_by_offset(btf, member.name_off)).decode()
        at = base + lib.btf_member_bit_offset(kind, index) // 8
        resolved = lib.btf__resolve_type(btf, member.type)
        inner = lib.btf_kind(lib.btf__type_by_id(btf, resolved))
        if name:
            yield prefix + name, at, int(lib.btf__resolve_size(btf, member.type))
        if inner in (lib.BTF_KIND_STRUCT, lib.BTF_KIND_UNION):
            yield from _members(btf, resolved, f"{prefix}{name}." if name else prefix, at)
