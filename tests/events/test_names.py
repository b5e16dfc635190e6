# SPDX-License-Identifier: Apache-2.0
"""KubeArmor's words for calls, flags, sockets and capabilities."""

import os
import re
import socket

import pytest

from hauberk.events import names
from hauberk.events.record import Call
from hauberk.policy.fields import CAPABILITIES


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (os.O_RDONLY, "O_RDONLY"),
        (os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "O_WRONLY|O_CREAT|O_TRUNC"),
        (os.O_RDWR | os.O_CLOEXEC | 0o100000, "O_RDWR|O_CLOEXEC"),
        (os.O_SYNC, "O_RDONLY|O_SYNC"),
        (os.O_DSYNC, "O_RDONLY|O_DSYNC"),
        (os.O_TMPFILE | os.O_RDWR, "O_RDWR|O_TMPFILE"),
        (os.O_DIRECTORY, "O_RDONLY|O_DIRECTORY"),
        (1 << 31, "O_RDONLY|0x80000000"),
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86")
def test_open_flags_are_named(flags, words):
    assert names.open_flags(flags) == words


@pytest.mark.parametrize("bits", [1 << shift for shift in range(32)])
def test_no_open_flag_vanishes_but_the_one_that_is_always_set(bits):
    assert (names.open_flags(bits) == "O_RDONLY") == (bits == 0o100000)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0, "PROT_NONE"),
        (5, "PROT_READ|PROT_EXEC"),
        (7, "PROT_READ|PROT_WRITE|PROT_EXEC"),
        (12, "PROT_EXEC|0x8"),
    ],
)
def test_protections_are_named(bits, words):
    assert names.protection(bits) == words


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((socket.AF_INET, socket.SOCK_STREAM, 0), "domain=AF_INET type=SOCK_STREAM protocol=TCP"),
        ((socket.AF_INET6, socket.SOCK_DGRAM, 0), "domain=AF_INET6 type=SOCK_DGRAM protocol=UDP"),
        ((socket.AF_INET, socket.SOCK_RAW, 1), "domain=AF_INET type=SOCK_RAW protocol=ICMP"),
        ((socket.AF_INET6, socket.SOCK_RAW, 58), "domain=AF_INET6 type=SOCK_RAW protocol=ICMPv6"),
        ((socket.AF_INET, socket.SOCK_RAW, 0), "domain=AF_INET type=SOCK_RAW protocol=0"),
        ((socket.AF_PACKET, socket.SOCK_RAW, 768), "domain=AF_PACKET type=SOCK_RAW protocol=768"),
        # protocol 6 is no TCP outside of the internet families
        ((socket.AF_VSOCK, socket.SOCK_STREAM, 6), "domain=AF_VSOCK type=SOCK_STREAM protocol=6"),
        ((200, 11, 1), "domain=200 type=11 protocol=1"),
    ],
)
def test_sockets_are_named(numbers, words):
    assert names.socket(*numbers) == words


def test_families_have_the_numbers_that_this_system_gives_them():
    checked = 0
    for number in range(64):
        name = names.socket(number, 1, 0).split()[0].removeprefix("domain=")
        known = getattr(socket, name, None)
        if known is not None:
            assert known == number, name
            checked += 1
    assert checked > 15


def test_capabilities_have_the_names_that_policies_use():
    for number, name in enumerate(CAPABILITIES):
        assert names.capability(number) == f"CAP_{name.upper()}"
    assert names.capability(len(CAPABILITIES)) == f"CAP_{len(CAPABILITIES)}"


OTHERS = (Call.ENDED, Call.DNS, Call.EXIT, Call.EXECUTED)


def test_every_call_that_is_an_access_has_a_name_of_its_own():
    data = [names.data(call, (0, 0, 0, 0)) for call in Call if call not in OTHERS]
    # to put input into a terminal is the same hook as to set a file's flags, and another resource
    assert len(set(data)) == len(data) - 1
    assert all(re.fullmatch(r"lsm=[A-Z_]+( .*)?", each) for each in data)


def test_event_data_holds_the_words_that_have_a_value():
    assert names.event_data("lsm=CAPABLE CAP_NET_RAW") == {"Lsm": "CAPABLE"}
    assert names.event_data("lsm=FILE_OPEN flags=O_RDONLY") == {"Lsm": "FILE_OPEN", "Flags": "O_RDONLY"}


@pytest.mark.parametrize("number", range(64))
def test_a_capability_is_found_by_its_name(number):
    assert names.capability_number(names.capability(number)) == number


@pytest.mark.parametrize("family", range(64))
@pytest.mark.parametrize("protocol", [1, 6, 17, 58, 132, 255, 262, 7])
def test_a_socket_is_found_by_its_words(family, protocol):
    for type_ in range(12):
        words = f"lsm=SOCKET_CREATE {names.socket(family, type_, protocol)}"
        assert names.socket_numbers(words) == (family, type_, protocol)


@pytest.mark.parametrize("words", ["", "domain=AF_INET type=-1 protocol=TCP", "domain=2 type=1"])
def test_what_is_no_socket_is_refused(words):
    with pytest.raises(ValueError, match=r"invalid literal|is no socket"):
        names.socket_numbers(words)
