# SPDX-License-Identifier: Apache-2.0
"""Doing something in another network namespace, and a few things to do there."""

import ctypes
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from hauberk.kernel.errors import KernelError

_CLONE_NEWNET: Final = 0x40000000
# <linux/rtnetlink.h>
_RTM_NEWROUTE: Final = 24
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_CREATE = 0x1, 0x4, 0x400
_NLMSG_ERROR: Final = 2
_RT_TABLE_LOCAL, _RTPROT_BOOT, _RT_SCOPE_HOST, _RTN_LOCAL, _RTA_OIF = 255, 3, 254, 2, 4
_LOOPBACK: Final = 1
"""The index of `lo`, which every namespace begins with."""

_RTM_NEWLINKPROP: Final = 108
_NLM_F_EXCL: Final = 0x200
_IFLA_PROP_LIST, _IFLA_ALT_IFNAME = 0x8000 | 52, 53

_libc = ctypes.CDLL(None, use_errno=True)
_T = TypeVar("_T")


def in_network_of(pid: int, act: Callable[[], _T]) -> _T:
    """What `act` returns, or raises, in a process's network namespace. Sockets that it opens stay there.

    Raises KernelError if the namespace cannot be entered.
    """
    done: list[_T] = []
    failed: list[BaseException] = []

    # A thread of its own, because only a thread as a whole can be in another namespace.
    def run() -> None:
        try:
            _enter_network_of(pid)
            done.append(act())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _enter_network_of(pid: int) -> None:
    """Move the calling thread, and no other of this process."""
    try:
        fd = os.open(Path("/proc", str(pid), "ns", "net"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"the network of process {pid}: {error.strerror}", error.errno or 0) from error
    try:
        if _libc.setns(fd, _CLONE_NEWNET) < 0:
            code = ctypes.get_errno()
            remedy = "this takes CAP_SYS_ADMIN: run as root" if code == errno.EPERM else ""
            raise KernelError(f"entering the network of process {pid}: {os.strerror(code)}", code, remedy)
    finally:
        os.close(fd)


def own_every_address() -> None:
    """Make every IPv4 address one of this network namespace's own, as `ip route add local default dev lo`.

    Whatever is sent anywhere then arrives here. Raises KernelError.
    """
    route = struct.pack(
        "=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _RT_TABLE_LOCAL, _RTPROT_BOOT, _RT_SCOPE_HOST, _RTN_LOCAL, 0
    ) + struct.pack("=HHI", 8, _RTA_OIF, _LOOPBACK)
    _ask(_RTM_NEWROUTE, _NLM_F_CREATE, route, "making every address the network's own")


def call_loopback(name: str) -> None:
    """Give the loopback interface of this network namespace another name besides `lo`. Raises KernelError."""
    text = name.encode() + b"\0"
    text = struct.pack("=HH", 4 + len(text), _IFLA_ALT_IFNAME) + text + b"\0" * (-len(text) % 4)
    names = struct.pack("=HH", 4 + len(text), _IFLA_PROP_LIST) + text
    link = struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, _LOOPBACK, 0, 0)
    _ask(_RTM_NEWLINKPROP, _NLM_F_CREATE | _NLM_F_EXCL, link + names, f"naming the loopback interface {name}")


def _ask(kind: int, flags: int, body: bytes, doing: str) -> None:
    """Ask the kernel for a change of the network, which may have been made before. Raises KernelError."""
    flags |= _NLM_F_REQUEST | _NLM_F_ACK
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        answer = netlink.recv(4096)
    replied = struct.unpack_from("=IHHII", answer)[1]
    code = -struct.unpack_from("=i", answer, 16)[0] if replied == _NLMSG_ERROR else errno.EPROTO
    if code not in (0, errno.EEXIST):
        raise KernelError(f"{doing}: {os.strerror(code)}", code)
