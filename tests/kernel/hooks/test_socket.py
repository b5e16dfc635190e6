# SPDX-License-Identifier: Apache-2.0
"""Sockets: each call has a hook of its own, which the others do not stand in for.

The sockets that a call is tried on were made before the workload was confined, so that no other hook has
refused them.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import BLOCK, Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.hooks.check import only_refused_by

POLICY = policy(network={"matchProtocols": [{"protocol": "tcp"}, {"protocol": "udp"}]})
PORT = 4711
BINDING, CONNECTING, LISTENING, ACCEPTING, SENDING, CONNECTED = range(20, 26)
TCP = (socket.AF_INET, socket.SOCK_STREAM, 6)
UDP = (socket.AF_INET, socket.SOCK_DGRAM, 17)

CASES = {
    "socket_create": (f"socket {socket.AF_INET} {socket.SOCK_STREAM}", Call.SOCKET, (*TCP[:2], 0)),
    "socket_bind": (f"use {BINDING} ; bind-socket 0", Call.BIND, TCP),
    "socket_connect": (f"use {CONNECTING} ; connect {PORT}", Call.CONNECT, TCP),
    "socket_listen": (f"use {LISTENING} ; listen", Call.LISTEN, TCP),
    "socket_accept": (f"use {ACCEPTING} ; accept", Call.ACCEPT, TCP),
    "socket_sendmsg": (f"use {SENDING} ; send-to {PORT}", Call.SENDMSG, UDP),
}


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    with (
        socket.create_server(("127.0.0.1", PORT)),
        Session(arena, act, POLICY, prepare=open_before) as session,
    ):
        yield session


def open_before() -> None:
    for number in (BINDING, CONNECTING, LISTENING):
        os.dup2(socket.socket(*TCP).detach(), number)
    listener = socket.create_server(("127.0.0.1", 0))
    socket.create_connection(listener.getsockname()).detach()
    os.dup2(listener.detach(), ACCEPTING)
    for number in (SENDING, CONNECTED):
        datagrams = socket.socket(*UDP)
        if number == CONNECTED:
            datagrams.connect(("127.0.0.1", PORT))
        os.dup2(datagrams.detach(), number)


@pytest.mark.parametrize("program", CASES)
def test_a_call_on_a_socket_is_refused_by_its_hook_alone(session: Session, program: str) -> None:
    act, call, kind = CASES[program]
    record = only_refused_by(session, program, act, call)
    assert record.detail[:3] == kind


def test_what_a_connected_socket_sends_was_decided_when_it_connected(session: Session) -> None:
    done = session.do(f"use {CONNECTED} ; send")
    assert done.refusals == []


def test_unix_and_netlink_sockets_are_never_decided(arena: Arena, act: Path) -> None:
    rules = policy(action="Allow", network={"matchProtocols": [{"protocol": "tcp"}]})
    with Session(arena, act, rules, postures=BLOCK) as session:
        done = session.do(
            f"socket {socket.AF_UNIX} {socket.SOCK_STREAM} ; socket {socket.AF_UNIX} {socket.SOCK_DGRAM} ; "
            f"socket {socket.AF_NETLINK} {socket.SOCK_RAW} ; socket {socket.AF_INET} {socket.SOCK_STREAM}"
        )
        assert done.results == ["ok"] * 4
        assert done.records == ()
        refused = session.do(f"socket {socket.AF_INET} {socket.SOCK_DGRAM}")
        assert refused.results == ["EACCES"]
        assert [refused.because(record) for record in refused.refusals] == ["DefaultPosture"]
