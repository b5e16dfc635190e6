# SPDX-License-Identifier: Apache-2.0
"""An Internet for a container: every name has an address, and every address answers to ping and HTTP.

A scenario's network is its own, and nothing of it reaches the real one: what is to be seen is which sockets a
policy lets a program have, and for that it matters little who answers. The servers' sockets are in the
container's network namespace, their threads here.
"""

import socket
import struct
import threading
from contextlib import suppress
from typing import Final

from hauberk.kernel.network import in_network_of, own_every_address

ADDRESS: Final = "192.0.2.80"
"""What every name stands for."""
_BODY: Final = b"<html><head><title>301 Moved</title></head>\n<body>The document has moved.</body></html>\n"
_ANSWER: Final = (
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: http://www.example.com/\r\nContent-Type: text/html\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_BODY), _BODY)
)
_HTTP, _DNS = 80, 53
_A: Final = 1
_IP_PKTINFO: Final = 8
_PATIENCE_SECONDS: Final = 10.0


class Internet:
    """The servers in the network namespace of one process, until `close`. Raises KernelError."""

    def __init__(self, pid: int) -> None:
        self._web, self._names = in_network_of(pid, _open)
        for serve in (self._serve_web, self._serve_names):
            threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        """End the servers."""
        for each in (self._web, self._names):
            with suppress(OSError):  # it may have ended by itself
                each.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits
            each.close()

    def _serve_web(self) -> None:
        while True:
            try:
                connection, _ = self._web.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.settimeout(_PATIENCE_SECONDS)
                    connection.recv(4096)
                    connection.sendall(_ANSWER)
                except OSError:
                    continue  # the client has gone, or was refused

    def _serve_names(self) -> None:
        while True:
            try:
                query, control, _, peer = self._names.recvmsg(512, 256)
                # From the address that was asked, of all that are ours.
                asked = [data for level, kind, data in control if (level, kind) == (0, _IP_PKTINFO)]
                reply = answer(query)
                if reply and asked:
                    local = struct.pack("=I4s4s", 0, asked[0][8:12], b"\0\0\0\0")
                    self._names.sendmsg([reply], [(socket.IPPROTO_IP, _IP_PKTINFO, local)], 0, peer)
            except OSError:
                return


def _open() -> tuple[socket.socket, socket.socket]:
    """The servers' sockets, in the network namespace of the calling thread."""
    own_every_address()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    names.bind(("", _DNS))
    return socket.create_server(("", _HTTP)), names


def answer(query: bytes) -> bytes:
    """The reply to a DNS query with one question: ADDRESS if an IPv4 address is asked for, else nothing of
    that kind. Empty if it is no such query."""
    if len(query) < 17 or query[2] & 0x80 or query[4:6] != b"\0\1":
        return b""
    end = 12
    while end < len(query) and query[end]:
        end += 1 + query[end]
    end += 5
    if end > len(query):
        return b""
    kind = struct.unpack_from(">H", query, end - 4)[0]
    found = kind == _A
    head = query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, int(found), 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", _A, 1, 60, 4) + socket.inet_aton(ADDRESS)
    return head + query[12:end] + (record if found else b"")
