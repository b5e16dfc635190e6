# SPDX-License-Identifier: Apache-2.0
"""Layouts: what Python declares and what the object has are compared in both directions."""

import struct

import pytest

from hauberk.kernel.errors import LayoutError
from hauberk.kernel.layout import Field, check, fields
from hauberk.kernel.libbpf import BpfObject

SAMPLE = fields("<Q2H12sI4x", ["first", "inner.a", "inner.b", "name", "left"])


def differences(
    image: bytes, declared: dict[str, list[Field]], sizes: dict[str, int] | None = None
) -> list[str]:
    with BpfObject.open(image) as obj, pytest.raises(LayoutError) as caught:
        check(obj.btf, declared, sizes)
    return caught.value.differences


def test_the_right_layout_is_accepted(image: bytes) -> None:
    with BpfObject.open(image) as obj:
        check(obj.btf, {"sample": SAMPLE}, {"sample": struct.calcsize("<Q2H12sI4x"), "inner": 4})


def test_a_nested_struct_may_be_declared_whole(image: bytes) -> None:
    whole = [("first", 0, 8), ("inner", 8, 4), ("name", 12, 12), ("left", 24, 4)]
    with BpfObject.open(image) as obj:
        check(obj.btf, {"sample": whole})


def test_every_difference_of_every_struct_is_listed(image: bytes) -> None:
    wrong = [("first", 0, 8), ("inner.a", 8, 4), ("nowhere", 10, 2), ("name", 16, 12)]
    assert differences(image, {"sample": wrong, "absent": []}, {"sample": 28}) == [
        "struct sample: inner.a has 2 bytes at 8, not 4 at 8",
        "struct sample: has no member nowhere",
        "struct sample: name has 12 bytes at 12, not 12 at 16",
        "struct sample: member name (12 bytes at 12) is not known here",
        "struct sample: has 32 bytes, not 28",
        "struct absent: the object has none",
    ]


def test_a_member_that_python_does_not_know_is_a_difference(image: bytes) -> None:
    assert differences(image, {"sample": [each for each in SAMPLE if each[0] != "name"]}) == [
        "struct sample: member name (12 bytes at 12) is not known here"
    ]


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_shifted_member_is_a_difference(image: bytes, shift: int) -> None:
    moved = [(name, at + shift if name == "left" else at, size) for name, at, size in SAMPLE]
    assert any(
        f"left has 4 bytes at 24, not 4 at {24 + shift}" in line
        for line in differences(image, {"sample": moved})
    )


@pytest.mark.parametrize("order", ["<", "@", "="])
def test_fields_of_a_format_are_where_struct_puts_them(order: str) -> None:
    layout = order + "B3xIQ2H16sx?"
    names = ["a", "b", "c", "d", "e", "f", "g"]
    packed = struct.pack(layout, 1, 2, 3, 4, 5, b"six", True)
    found = fields(layout, names)
    assert [name for name, _, _ in found] == names
    values = [packed[at : at + size] for _, at, size in found]
    assert [int.from_bytes(value, "little") for value in values[:5]] == [1, 2, 3, 4, 5]
    assert values[5].rstrip(b"\0") == b"six"
    assert values[6] == b"\1"


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_a_format_and_names_that_do_not_go_together_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="format"):
        fields("<IH", names)
