# SPDX-License-Identifier: Apache-2.0
"""Questions of DNS messages, well formed and not."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.dns import Question, question
from hauberk.events.network import query_data
from hauberk.events.text import unescape

labels = st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=4).filter(
    lambda found: sum(map(len, found)) + len(found) < 255
)


def message(name: bytes, type_: int = 1, *, flags: int = 0x0100, questions: int = 1) -> bytes:
    return struct.pack(">HHHHHH", 1, flags, questions, 0, 0, 0) + name + struct.pack(">HH", type_, 1)


def wire(*parts: bytes) -> bytes:
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (message(wire(b"www", b"example", b"org")), Question("www.example.org", "A")),
        (message(wire(b"a"), 28), Question("a", "AAAA")),
        (message(wire(), 2), Question(".", "NS")),
        (message(wire(b"a.b c"), 4242), Question("a\\x2eb\\x20c", "TYPE4242")),
        (message(wire(b"a"), flags=0x8180), None),
        (message(wire(b"a"), questions=0), None),
        (message(b"\xc0\x0c"), None),
        (message(wire(b"a"))[:-1], None),
        (b"", None),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_the_question_is_read_as_it_stands(raw, found):
    assert question(raw) == found


@given(labels, st.integers(0, 65535))
def test_the_labels_come_back(parts, type_):
    found = question(message(wire(*parts), type_))
    assert found is not None
    assert [unescape(part) for part in found.name.split(".")] == parts


@given(st.binary(max_size=600), st.binary(max_size=30), st.booleans())
def test_no_bytes_are_too_strange(raw, address, is_stream):
    found = question(raw)
    assert found is None or (found.name.isprintable() and " " not in found.name)
    data, resource, words = query_data(raw, address, is_stream)
    assert data.isprintable()
    assert resource.isprintable()
    assert set(words) <= {"Kfunc", "Domain", "Daddr", "Qtype", "Sa_family", "Sin_port"}


@given(labels)
def test_over_tcp_the_length_comes_before_the_message(parts):
    raw = message(wire(*parts))
    _, _, words = query_data(raw, b"", False)
    _, _, over_tcp = query_data(len(raw).to_bytes(2, "big") + raw, b"", True)
    assert over_tcp == words | {"Kfunc": "TCP_SENDMSG"}


@given(labels)
def test_a_name_cut_off_anywhere_is_no_question(parts):
    raw = message(wire(*parts))
    assert all(question(raw[:end]) is None for end in range(len(raw)))
