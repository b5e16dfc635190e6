# SPDX-License-Identifier: Apache-2.0
"""Whose a TCP connection on this machine is, asked of the kernel (sock_diag(7)).

/proc/net/tcp would say it too, but not the control group, and it has uid 0 for a socket that nobody holds any
more: who sends something and closes would be taken for root. Here such a socket is nobody's.
"""

import errno
import ipaddress
import os
import socket
import sys
from struct import Struct
from typing import Final, NamedTuple

from hauberk.kernel.errors import KernelError

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_NLMSG_ERROR: Final = 2
_TCP_ESTABLISHED: Final = 1
_INET_DIAG_CGROUP_ID: Final = 21  # since Linux 5.8
_HEADER: Final = Struct("=IHHII")
_REQUEST: Final = Struct("=BBBxI")
_SOCKET_ID: Final = Struct("=2s2s16s16sIQ")
_NO_COOKIE: Final = (1 << 64) - 1
_ANSWER: Final = Struct("=BBBB48sIIIII")
_ATTRIBUTE: Final = Struct("=HH")
_ERRNO: Final = Struct("=i")
_MOST: Final = 1 << 14


class Holder(NamedTuple):
    """Who made the socket: the user, and the id (inode number) of that one's control group, 0 if unknown."""

    uid: int
    cgroup: int


def holder_of(local: tuple[str, int], remote: tuple[str, int]) -> Holder | None:
    """Of a socket whose own address and port are `local`, in this network namespace.

    None if there is no such connection, or nobody holds it any more. Raises KernelError if the kernel cannot
    tell.
    """
    ours, theirs = (ipaddress.ip_address(address) for address, _ in (local, remote))
    family = socket.AF_INET if ours.version == 4 else socket.AF_INET6
    wanted = _SOCKET_ID.pack(
        local[1].to_bytes(2),
        remote[1].to_bytes(2),
        ours.packed.ljust(16, b"\0"),
        theirs.packed.ljust(16, b"\0"),
        0,
        _NO_COOKIE,
    )
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << _TCP_ESTABLISHED) + wanted
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(5.0)
            kernel.sendto(header + body, (0, 0))
            answer = kernel.recv(_MOST)
    except OSError as error:
        what = f"asking whose a connection is: {error.strerror or error}"
        raise KernelError(what, error.errno or 0) from error
    _, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _NLMSG_ERROR:
        code = -_ERRNO.unpack_from(answer, _HEADER.size)[0]
        # The same is said by a kernel without the module for it (tcp_diag); then nobody is found ever.
        if code == errno.ENOENT:
            return None
        raise KernelError(f"asking whose a connection is: {os.strerror(code)}", code)
    _, state, _, _, found, _, _, _, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    # A listening socket is found where no connection is, and one that was closed has no inode. A socket of
    # IPv6 can have a connection of IPv4, and tells of it in its own way.
    if state != _TCP_ESTABLISHED or not inode or found[:36] not in (wanted[:36], _mapped(wanted)):
        return None
    return Holder(uid, _cgroup(answer[_HEADER.size + _ANSWER.size :]))


def _mapped(wanted: bytes) -> bytes:
    """Ports and addresses of IPv4 as IPv6 has them (::ffff:127.0.0.1)."""
    prefix = b"\0" * 10 + b"\xff\xff"
    return wanted[:4] + prefix + wanted[4:8] + prefix + wanted[20:24]


def _cgroup(attributes: bytes) -> int:
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _INET_DIAG_CGROUP_ID:
            return int.from_bytes(attributes[_ATTRIBUTE.size : length], sys.byteorder)
        attributes = attributes[max(_ATTRIBUTE.size, (length + 3) & ~3) :]
    return 0
