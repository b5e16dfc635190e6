# SPDX-License-Identifier: Apache-2.0
"""The ancestors that a record carries, of any bytes."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.ancestry import Ancestor, ancestors
from hauberk.events.text import escape

names = st.binary(max_size=15).map(lambda raw: raw.replace(b"\0", b"/"))
paths = st.binary(max_size=59).map(lambda raw: raw.replace(b"\0", b"/"))


def pack(pid: int, name: bytes, path: bytes) -> bytes:
    return struct.pack("=I", pid) + name + b"\0" + path + b"\0"


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), names, paths), max_size=16))
def test_each_comes_back_in_order(found):
    raw = b"".join(pack(*each) for each in found)
    assert ancestors(raw) == tuple(
        Ancestor(pid, escape(name or path.rpartition(b"/")[2][:15]), escape(path))
        for pid, name, path in found
    )


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange(raw):
    for each in ancestors(raw):
        assert each.Name.isprintable()
        assert each.Path.isprintable()


def test_what_is_cut_off_at_the_end_is_left_out():
    whole = pack(7, b"sh", b"/bin/sh")
    assert ancestors(whole + pack(8, b"init", b"/sbin/init")[:-1]) == ancestors(whole)
