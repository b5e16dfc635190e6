# SPDX-License-Identifier: Apache-2.0
"""Addresses in words, of any bytes."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.address import internet, word, words
from hauberk.events.names import event_data
from hauberk.events.text import unescape

ports = st.integers(0, 65535)


def ipv4(address: IPv4Address, port: int) -> bytes:
    return struct.pack("=H", 2) + struct.pack(">H", port) + address.packed + bytes(8)


def ipv6(address: IPv6Address, port: int) -> bytes:
    return struct.pack("=H", 10) + struct.pack(">HI", port, 7) + address.packed + bytes(4)


@given(st.ip_addresses(v=4), ports)
def test_an_ipv4_address_comes_back(address, port):
    assert internet(ipv4(address, port)) == (str(address), port)


@given(st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None), ports)
def test_an_ipv6_address_comes_back(address, port):
    assert internet(ipv6(address, port)) == (str(address), port)


def test_an_ipv4_address_in_the_form_of_ipv6_is_told_as_ipv4():
    raw = ipv6(IPv6Address("::ffff:192.0.2.7"), 443)
    assert words(raw, True) == (
        "remoteip=192.0.2.7 port=443 sa_family=AF_INET6 sin_port=443 sin_addr=192.0.2.7"
    )


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"", ""),
        (b"/run/a.sock\0rubbish", "/run/a.sock"),
        (b"\0abstract\0more", "\\x00abstract\\x00more"),
        (b"a b\nPolicyName=x", "a\\x20b\\x0aPolicyName=x"),
    ],
)
def test_a_unix_address_is_one_word(raw, path):
    assert words(struct.pack("=H", 1) + raw, False) == f"sa_family=AF_UNIX sun_path={path}"


@given(st.binary(max_size=140), st.booleans())
def test_no_bytes_are_too_strange_for_words_that_cannot_be_forged(raw, remote):
    found = words(raw, remote)
    assert set(event_data(found)) <= {"Sa_family", "Sin_port", "Sin_addr", "Sun_path", "Remoteip", "Port"}
    assert found.isprintable()


@given(st.binary(max_size=100))
def test_a_word_has_no_spaces_and_comes_back(raw):
    assert " " not in word(raw)
    assert unescape(word(raw)) == raw
