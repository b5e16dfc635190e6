# SPDX-License-Identifier: Apache-2.0
"""Which protocol names a socket answers to."""

import pytest

from hauberk.rules.sockets import KINDS, PROTOCOLS, UNDECIDED, protocol_inside, protocol_matches, socket_kind

UNIX, INET, INET6, NETLINK, PACKET, ALG, BLUETOOTH, VSOCK, SMC, XDP = 1, 2, 10, 16, 17, 38, 31, 40, 43, 44
STREAM, DGRAM, RAW, RDM, SEQPACKET, DCCP = 1, 2, 3, 4, 5, 6


def names(family: int, type_: int, protocol: int) -> set[str]:
    kind = socket_kind(family, type_, protocol)
    return {name for name in PROTOCOLS if protocol_matches(name, kind)}


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        ((INET, STREAM, 0), {"tcp", "stream", "all"}),
        ((INET6, STREAM, 6), {"tcp", "stream", "all"}),
        ((INET, STREAM, 262), {"tcp", "stream", "all"}),
        ((SMC, STREAM, 0), {"tcp", "stream", "all"}),
        ((VSOCK, STREAM, 0), {"stream", "all"}),
        ((INET, DGRAM, 0), {"udp", "dgram", "all"}),
        ((INET6, DGRAM, 136), {"udp", "dgram", "all"}),
        ((INET, DGRAM, 1), {"icmp", "dgram", "all"}),
        ((INET, RAW, 1), {"icmp", "raw", "all"}),
        ((INET6, RAW, 58), {"icmpv6", "raw", "all"}),
        ((INET, RAW, 6), {"raw", "all"}),
        ((INET, STREAM, 132), {"sctp", "stream", "all"}),
        ((INET, SEQPACKET, 0), {"sctp", "seqpacket", "all"}),
        ((INET, DCCP, 0), {"dccp", "all"}),
        ((INET, DCCP, 33), {"dccp", "all"}),
        ((PACKET, RAW, 3), {"packet", "raw", "all"}),
        ((PACKET, DGRAM, 3), {"packet", "dgram", "all"}),
        ((XDP, RAW, 0), {"packet", "all"}),
        ((BLUETOOTH, RAW, 1), {"all"}),
        ((BLUETOOTH, SEQPACKET, 0), {"seqpacket", "all"}),
        ((VSOCK, DGRAM, 0), {"dgram", "all"}),
        ((ALG, SEQPACKET, 0), {"seqpacket", "all"}),
        ((INET, RDM, 0), {"rdm", "all"}),
    ],
)
def test_names_of(socket: tuple[int, int, int], expected: set[str]) -> None:
    assert names(*socket) == expected


@pytest.mark.parametrize("family", [UNIX, NETLINK])
def test_unix_and_netlink_answer_to_none(family: int) -> None:
    assert socket_kind(family, STREAM, 0) == UNDECIDED


def test_every_kind_is_listed() -> None:
    found = {socket_kind(f, t, p) for f in range(48) for t in range(12) for p in range(270)}
    assert found - {UNDECIDED} == set(KINDS)


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ("tcp", "stream", True),
        ("udp", "dgram", True),
        ("tcp", "all", True),
        ("icmp", "raw", False),
        ("stream", "tcp", False),
        ("packet", "raw", False),
        ("sctp", "seqpacket", False),
        ("raw", "all", True),
        ("all", "stream", False),
    ],
)
def test_inclusion(inner: str, outer: str, expected: bool) -> None:
    assert protocol_inside(inner, outer) is expected
