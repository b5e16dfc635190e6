# SPDX-License-Identifier: Apache-2.0
"""Escaping of names that an attacker chose."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hauberk.events.text import encodable, escape, unescape

hostile = st.lists(
    st.one_of(
        st.binary(max_size=4),
        st.text(max_size=4).map(lambda text: text.encode(errors="replace")),
        st.sampled_from(
            [b"\\", b"\\x", b"\\x41", b"\\\\", b"\n", b"\x1b[31m", b"\xe2\x80\xae", b'"', b"\xed\xa0\x80"]
        ),
    ),
    max_size=12,
).map(b"".join)


@given(hostile)
@example(b"\\xff\xff")
def test_escaping_loses_nothing(raw):
    assert unescape(escape(raw)) == raw


@given(hostile, hostile)
def test_different_names_never_look_the_same(one, other):
    assert (escape(one) == escape(other)) == (one == other)


@given(hostile)
def test_nothing_unprintable_comes_out(raw):
    assert escape(raw).isprintable()


@given(hostile)
def test_json_takes_every_escaped_name_and_gives_it_back(raw):
    line = msgspec.json.encode(escape(raw))
    assert b"\n" not in line
    assert unescape(msgspec.json.decode(line)) == raw


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"/usr/bin/cat", "/usr/bin/cat"),
        (b"/srv/with space", "/srv/with space"),
        ("/srv/żółć".encode(), "/srv/żółć"),
        (b"/a\nb", r"/a\x0ab"),
        (b"/a\x1b[2K", r"/a\x1b[2K"),
        (b"/a\\b", r"/a\\b"),
        (b"/a\\x41", r"/a\\x41"),
        (b"/a\xff", r"/a\xff"),
        ("/a\u202egnp".encode(), r"/a\xe2\x80\xaegnp"),
        ("/a\u00a0b".encode(), r"/a\xc2\xa0b"),
        (b"/a\x7f\xc2\x9b", r"/a\x7f\xc2\x9b"),
        (b"", ""),
    ],
)
def test_names_are_shown_like_this(raw, shown):
    assert escape(raw) == shown


def test_text_of_the_user_with_a_lone_surrogate_can_be_encoded():
    assert encodable("pods\udcff") == "pods\\udcff"
    msgspec.json.encode(encodable("pods\udcff"))
