# SPDX-License-Identifier: Apache-2.0
"""The question of a DNS message (RFC 1035, section 4.1), read from bytes that anybody may have written.

Only what a query needs is understood: one question, whose name is not compressed. Everything else is no query
that could be named.
"""

from struct import Struct
from typing import Final, NamedTuple

from hauberk.events.address import word

_HEADER: Final = Struct(">HHHHHH")
_QUESTION: Final = Struct(">HH")
_RESPONSE: Final = 0x8000
_LONGEST_NAME: Final = 255
_TYPES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB",
    24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT", 39: "DNAME",
    42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID",
    50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY",
    61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48",
    109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI", 257: "CAA",
}  # fmt: skip


class Question(NamedTuple):
    """What is asked: a name, escaped and without its final dot (the root is `.`), and a type's name."""

    name: str
    type: str


def question(message: bytes) -> Question | None:
    """The first question of a query; None if the bytes are no query or stop before the question ends.

    A dot within a label is written `\\x2e`, so that names that differ are never written alike.
    """
    if len(message) < _HEADER.size:
        return None
    _, flags, questions, *_ = _HEADER.unpack_from(message)
    if flags & _RESPONSE or not questions:
        return None
    labels: list[str] = []
    at = _HEADER.size
    while at < len(message):
        length = message[at]
        at += 1
        if length == 0:
            if at + _QUESTION.size > len(message):
                return None
            type_, _ = _QUESTION.unpack_from(message, at)
            return Question(".".join(labels) or ".", _TYPES.get(type_, f"TYPE{type_}"))
        if length > 63 or at + length > len(message) or at + length - _HEADER.size > _LONGEST_NAME:
            return None
        labels.append(word(message[at : at + length]).replace(".", "\\x2e"))
        at += length
    return None
