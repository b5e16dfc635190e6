# SPDX-License-Identifier: Apache-2.0
"""What records of socket calls say of addresses, and what is said of queries to name servers."""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hauberk.events.alert import Alert, Log
from hauberk.rules.model import Seen
from tests.kernel.arena import Arena, Ran
from tests.kernel.helpers.act import policy

PREAMBLE = "import os, socket\n"


def do(arena: Arena, script: str, *, policies: str = "", visible: tuple[Seen, ...] = (Seen.NETWORK,)) -> Ran:
    ran = arena.run(policies, [sys.executable, "-I", "-S", "-c", PREAMBLE + script], visible=visible)
    assert ran.status == 0, ran.output
    return ran


def told(ran: Ran, call: str) -> list[Alert | Log]:
    return [each for each in ran.alerts() if each.Hauberk.Call == call]


@contextmanager
def listening(family: int, host: str) -> Iterator[int]:
    """A TCP server that takes connections; its port."""
    with socket.create_server((host, 0), family=family, backlog=16) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("family", "host", "word"),
    [
        (socket.AF_INET, "127.0.0.1", "AF_INET"),
        (socket.AF_INET6, "::1", "AF_INET6"),
    ],
)
def test_bind_connect_and_listen_tell_address_and_port(
    arena: Arena, family: int, host: str, word: str
) -> None:
    with listening(family, host) as port:
        ran = do(
            arena,
            f"s = socket.socket({family:d}, socket.SOCK_STREAM)\n"
            f"s.connect(({host!r}, {port}))\n"
            f"b = socket.socket({family:d}, socket.SOCK_STREAM)\n"
            f"b.bind(({host!r}, 4712))\nb.listen()\n",
        )
    (connect,), (bind,), (listen,) = told(ran, "connect"), told(ran, "bind"), told(ran, "listen")
    assert (connect.EventData["Remoteip"], connect.EventData["Port"]) == (host, str(port))
    for event in (bind, listen):
        found = event.EventData
        assert (found["Sa_family"], found["Sin_port"], found["Sin_addr"]) == (word, "4712", host)
        assert "Remoteip" not in found
    assert connect.Resource == f"domain={word} type=SOCK_STREAM protocol=TCP"


def test_an_accepted_connection_tells_where_it_comes_from(arena: Arena) -> None:
    ran = do(
        arena,
        "a = socket.create_server(('127.0.0.1', 0))\n"
        "c = socket.socket()\nc.bind(('127.0.0.1', 4713))\nc.connect(a.getsockname())\na.accept()\n",
    )
    (accept,) = told(ran, "accept")
    assert (accept.EventData["Remoteip"], accept.EventData["Port"]) == ("127.0.0.1", "4713")


def test_unix_addresses_are_paths_or_abstract_names(arena: Arena) -> None:
    ran = do(
        arena,
        "a = socket.socket(socket.AF_UNIX)\na.bind('\\0ab c')\na.listen()\n"
        "socket.socket(socket.AF_UNIX).connect('\\0ab c')\na.accept()\n"
        "try: socket.socket(socket.AF_UNIX).connect('/nowhere/s=1 x')\nexcept OSError: pass\n",
    )
    assert [each.EventData["Sun_path"] for each in told(ran, "bind")] == ["\\x00ab\\x20c"]
    assert [each.EventData["Sun_path"] for each in told(ran, "listen")] == ["\\x00ab\\x20c"]
    assert [each.EventData["Sun_path"] for each in told(ran, "accept")] == ["\\x00ab\\x20c"]
    paths = [each.EventData["Sun_path"] for each in told(ran, "connect")]
    assert paths == ["\\x00ab\\x20c", "/nowhere/s=1\\x20x"]


def test_refusals_to_different_addresses_are_told_apart(arena: Arena) -> None:
    def open_before() -> None:
        os.dup2(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach(), 20)

    ran = arena.run(
        policy(network={"matchProtocols": [{"protocol": "udp"}]}),
        [
            *(sys.executable, "-I", "-S", "-c"),
            "import os, socket\n"
            "s = socket.socket(fileno=20)\n"
            "for port in (7001, 7002, 7001):\n"
            "    try: s.sendto(b'x', ('127.0.0.9', port))\n"
            "    except PermissionError: pass\n",
        ],
        prepare=open_before,
    )
    assert ran.status == 0, ran.output
    events = told(ran, "sendmsg")
    assert sorted(each.EventData["Port"] for each in events) == ["7001", "7001", "7002"]
    assert {each.EventData["Remoteip"] for each in events} == {"127.0.0.9"}


def query(name: str, type_: int) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", type_, 1)


@pytest.mark.parametrize(
    ("how", "family", "host"),
    [
        ("s.connect((H, 53)); s.send(Q)", socket.AF_INET, "127.0.0.1"),
        ("s.connect((H, 53)); os.write(s.fileno(), Q)", socket.AF_INET, "127.0.0.1"),
        ("s.sendto(Q, (H, 53))", socket.AF_INET, "127.0.0.1"),
        ("s.sendmsg([Q[:20], Q[20:]], [], 0, (H, 53))", socket.AF_INET, "127.0.0.1"),
        ("s.sendmsg([Q], [], 0, (H, 53))", socket.AF_INET6, "::1"),
        ("s.connect((H, 53)); s.send(Q)", socket.AF_INET6, "::1"),
    ],
)
def test_a_query_is_told_with_its_name(arena: Arena, how: str, family: int, host: str) -> None:
    ran = do(
        arena,
        f"H = {host!r}\nQ = {query('a.example', 28)!r}\n"
        f"s = socket.socket({family:d}, socket.SOCK_DGRAM)\n{how}\n",
        visible=(Seen.DNS,),
    )
    (event,) = ran.alerts()
    assert (event.Operation, event.Hauberk.Call) == ("Network", "dns")
    word = "AF_INET6" if ":" in host else "AF_INET"
    assert event.Resource == f"sa_family={word} sin_port=53"
    if "[:20]" not in how:  # of a message in parts, the first is looked at
        assert event.Data == f"kfunc=UDP_SENDSKB domain=a.example daddr={host} qtype=AAAA"


@pytest.mark.parametrize(
    "how",
    ["s.send(L + Q)", "s.sendmsg([L, Q])", "os.writev(s.fileno(), [L, Q])", "os.write(s.fileno(), L + Q)"],
)
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_query_over_tcp_is_told_with_its_name(arena: Arena, how: str, family: int, host: str) -> None:
    message = query("a.example", 28)
    with socket.create_server((host, 53), family=family, reuse_port=False):
        ran = do(
            arena,
            f"Q = {message!r}\nL = {struct.pack('>H', len(message))!r}\n"
            f"s = socket.create_connection(({host!r}, 53))\n{how}\n",
            visible=(Seen.DNS,),
        )
    (event,) = ran.alerts()
    assert event.Hauberk.Call == "dns"
    assert event.Data == f"kfunc=TCP_SENDMSG domain=a.example daddr={host} qtype=AAAA"


def test_what_is_sent_elsewhere_over_tcp_is_no_query(arena: Arena) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ran = do(
            arena,
            f"s = socket.create_connection({server.getsockname()!r})\ns.send({query('a.example', 1)!r})\n",
            visible=(Seen.DNS,),
        )
    assert ran.records == ()
