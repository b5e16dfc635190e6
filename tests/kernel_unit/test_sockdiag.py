# SPDX-License-Identifier: Apache-2.0
"""Whose a TCP connection is."""

import os
import socket

import pytest

from hauberk.kernel.sockdiag import holder_of


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::ffff:127.0.0.1")],
    ids=["IPv4", "IPv6", "IPv4 over a socket of IPv6"],
)
def test_the_holder_is_who_made_the_socket_as_long_as_it_is_whole(
    family: socket.AddressFamily, address: str
) -> None:
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((address, 0))
        listener.listen()
        client.connect((address, listener.getsockname()[1]))
        plain = address.removeprefix("::ffff:")
        local, remote = (plain, client.getsockname()[1]), (plain, listener.getsockname()[1])
        found = holder_of(local, remote)
        assert found is not None
        assert found.uid == os.geteuid()
        assert holder_of((plain, 1), remote) is None, "a listening socket is no connection"
        client.shutdown(socket.SHUT_WR)
        assert holder_of(local, remote) is None
        client.close()
        assert holder_of(local, remote) is None, "what nobody holds is not root's"
