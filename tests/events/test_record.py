# SPDX-License-Identifier: Apache-2.0
"""Decoding of kernel records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.record import (
    HB_EVENT_LAYOUT,
    HB_EVENT_SIZE,
    STRINGS,
    Call,
    Record,
    RecordError,
    decode,
    decode_each,
)

from .pack import HEAD, access, pack

u32 = st.integers(0, 2**32 - 1)
strings = st.binary(max_size=300)

records = st.builds(
    Record,
    time_ns=st.integers(0, 2**64 - 1),
    workload=u32,
    generation=u32,
    rule=u32,
    verdict=st.integers(0, 3),
    section=st.integers(0, 3),
    call=st.sampled_from([int(call) for call in Call]),
    tgid=u32,
    tid=u32,
    parent_tgid=u32,
    ns_tgid=u32,
    ns_parent_tgid=u32,
    uid=u32,
    owner=u32,
    slot=u32,
    login=u32,
    session=u32,
    detail=st.tuples(u32, u32, u32, u32),
    **dict.fromkeys(STRINGS, strings),
)


@given(records)
def test_every_record_round_trips(record):
    assert decode(pack(record)) == record


@given(records, st.binary(max_size=16))
def test_bytes_behind_the_last_string_change_nothing(record, padding):
    assert decode(memoryview(pack(record) + padding)) == record


@given(st.binary(max_size=4 * HB_EVENT_SIZE))
def test_random_bytes_decode_or_raise_a_record_error(payload):
    try:
        record = decode(payload)
    except RecordError:
        return
    packed = pack(record)
    assert packed[:HB_EVENT_SIZE] == payload[:HB_EVENT_SIZE]
    assert packed[HB_EVENT_SIZE:] == payload[HB_EVENT_SIZE : len(packed)]


@given(records, st.data())
def test_a_record_cut_short_is_an_error(record, data):
    payload = pack(record)
    cut = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(RecordError):
        decode(payload[:cut])


@given(records, st.sampled_from([(20, 4), (21, 5), (22, 0), (22, 59), (22, max(Call) + 1)]))
def test_numbers_outside_their_enum_are_an_error(record, damage):
    offset, value = damage
    payload = bytearray(pack(record))
    payload[offset] = value
    with pytest.raises(RecordError, match=str(value)):
        decode(bytes(payload))


def test_a_damaged_record_does_not_hide_its_neighbours():
    good = access()
    found = list(decode_each([pack(good), b"\xff" * 200, b"", pack(good)]))
    assert [type(each) for each in found] == [Record, RecordError, RecordError, Record]
    assert found[0] == found[3] == good


def test_the_layout_has_no_holes_and_ends_where_the_strings_begin():
    offset = 0
    for field in HB_EVENT_LAYOUT:
        assert field.offset == offset, field.name
        offset += field.size
    assert offset == HB_EVENT_SIZE == HEAD.size


def test_the_layout_speaks_of_every_field_that_the_decoder_reads():
    named = {field.name for field in HB_EVENT_LAYOUT}
    assert named == (set(Record.__struct_fields__) - set(STRINGS)) | {"length"}
