# SPDX-License-Identifier: Apache-2.0
"""Which network rules speak of which sockets.

A socket is a family, a type and a protocol. All that rules can tell apart is the set of protocol names
that a socket answers to, a *kind*: a bit mask over `PROTOCOLS`. There are few kinds (`KINDS`), so the
network part of a rule set is a small table, and whether one name lies inside another is decided by
looking at all of them.
"""

from itertools import product
from typing import Final

PROTOCOLS: Final = (
    "tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "raw", "packet", "stream", "dgram", "rdm",
    "seqpacket", "all",
)  # fmt: skip
"""The names of `matchProtocols`; the position of a name is its bit in a kind."""

UNDECIDED: Final = 0
"""The kind of sockets that network rules never speak of."""

_BIT = {name: 1 << position for position, name in enumerate(PROTOCOLS)}

_UNIX, _INET, _INET6, _NETLINK, _PACKET, _SMC, _XDP = 1, 2, 10, 16, 17, 43, 44
_INTERNET = frozenset({_INET, _INET6})
_STREAM, _DGRAM, _RAW, _RDM, _SEQPACKET, _DCCP = 1, 2, 3, 4, 5, 6
_TYPES = {_STREAM: "stream", _DGRAM: "dgram", _RDM: "rdm", _SEQPACKET: "seqpacket"}
_TCP, _UDP, _UDPLITE, _MPTCP = 6, 17, 136, 262
_BY_NUMBER = {1: "icmp", 33: "dccp", 58: "icmpv6", 132: "sctp"}
# With protocol 0 the kernel takes the only protocol that the type has; a socket's protocol shows it
# after creation.
_BY_TYPE = {_SEQPACKET: "sctp", _DCCP: "dccp"}


def socket_kind(family: int, type_: int, protocol: int) -> int:
    """The kind of a socket with these numbers of `socket(2)`; UNDECIDED for unix and netlink.

    `type_` comes without its flags. `protocol` may be what the caller of `socket` gave or what the socket
    has become: both lead to the same kind.
    """
    if family in (_UNIX, _NETLINK):
        return UNDECIDED
    names = ["all"]
    if type_ in _TYPES:
        names.append(_TYPES[type_])
    if family in _INTERNET:
        if type_ == _STREAM and protocol in (0, _TCP, _MPTCP):
            names.append("tcp")
        if type_ == _DGRAM and protocol in (0, _UDP, _UDPLITE):
            names.append("udp")
        if protocol in _BY_NUMBER:
            names.append(_BY_NUMBER[protocol])
        if protocol == 0 and type_ in _BY_TYPE:
            names.append(_BY_TYPE[type_])
    if family == _SMC and type_ == _STREAM:
        names.append("tcp")
    if type_ == _RAW and family in (*_INTERNET, _PACKET):
        names.append("raw")
    if family in (_PACKET, _XDP):
        names.append("packet")
    return sum(_BIT[name] for name in names)


_VSOCK, _OTHER_TYPE, _OTHER_PROTOCOL = 40, 0, 255

KINDS: Final = tuple(
    sorted(
        {
            socket_kind(family, type_, protocol)
            for family, type_, protocol in product(
                (_INET, _INET6, _PACKET, _SMC, _XDP, _VSOCK),
                (_STREAM, _DGRAM, _RAW, _RDM, _SEQPACKET, _DCCP, _OTHER_TYPE),
                (0, *_BY_NUMBER, _TCP, _UDP, _UDPLITE, _MPTCP, _OTHER_PROTOCOL),
            )
        }
    )
)
"""Every kind that a decided socket can have."""


def protocol_matches(name: str, kind: int) -> bool:
    """Whether the protocol `name` covers sockets of `kind`."""
    return bool(kind & _BIT[name])


def protocol_inside(inner: str, outer: str) -> bool:
    """Whether every socket of `inner` is one of `outer`."""
    return all(kind & _BIT[outer] for kind in KINDS if kind & _BIT[inner])
