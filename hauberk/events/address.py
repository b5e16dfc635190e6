# SPDX-License-Identifier: Apache-2.0
"""Socket addresses in KubeArmor's words.

KubeArmor has two ways to write one: `sa_family= sin_port= sin_addr=` (or `sun_path=`) of the calls that are
given an address, and `remoteip= port=` of connections. Both are there, so that whoever reads either finds it.
The path of a unix socket is what a workload chose: it is escaped, spaces included, and so is always one word.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, AF_UNIX
from struct import Struct
from typing import Final

from hauberk.events.text import escape

_FAMILY: Final = Struct("=H")
_IPV4: Final = Struct(">2xH4s")
_IPV6: Final = Struct(">2xH4x16s")


def word(raw: bytes) -> str:
    """The bytes as one word, which `unescape` turns back."""
    return escape(raw).replace(" ", "\\x20")


def internet(address: bytes) -> tuple[str, int] | None:
    """The IP address and the port; None if it is no such address. An IPv4 address in IPv6's form is told as
    what it is."""
    if len(address) < _FAMILY.size:
        return None
    (family,) = _FAMILY.unpack_from(address)
    if family == AF_INET and len(address) >= _IPV4.size:
        port, ip = _IPV4.unpack_from(address)
        return str(IPv4Address(ip)), port
    if family == AF_INET6 and len(address) >= _IPV6.size:
        port, ip = _IPV6.unpack_from(address)
        six = IPv6Address(ip)
        return str(six.ipv4_mapped or six), port
    return None


@lru_cache(maxsize=1024)
def words(address: bytes, remote: bool) -> str:
    """The `key=value` words for a `struct sockaddr`, empty if it is none that has words. `remote`: it is the
    other end's.

    An abstract unix address begins with `\\x00`; that of a socket without a name is empty.
    """
    found = internet(address)
    if found is not None:
        ip, port = found
        family = "AF_INET6" if _FAMILY.unpack_from(address)[0] == AF_INET6 else "AF_INET"
        text = f"sa_family={family} sin_port={port} sin_addr={ip}"
        return f"remoteip={ip} port={port} {text}" if remote else text
    if len(address) < _FAMILY.size or _FAMILY.unpack_from(address)[0] != AF_UNIX:
        return ""
    path = address[_FAMILY.size :]
    if path[:1] != b"\0":
        path = path.partition(b"\0")[0]
    return f"sa_family=AF_UNIX sun_path={word(path)}"
