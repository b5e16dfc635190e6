# SPDX-License-Identifier: Apache-2.0
"""The Internet of a container's own: every name has an address."""

import os
import socket
import struct
import subprocess

import pytest

from hauberk.workbench.live.internet import ADDRESS, Internet, answer

NAME = b"\x03www\x07example\x03org\x00"


def query(kind: int, name: bytes = NAME) -> bytes:
    return b"\x12\x34\x01\x00" + struct.pack(">HHHH", 1, 0, 0, 0) + name + struct.pack(">HH", kind, 1)


def test_a_name_has_an_ipv4_address() -> None:
    reply = answer(query(1))
    assert reply[:2] == b"\x12\x34"
    assert reply[2] & 0x80
    assert reply[3] & 0x0F == 0
    assert struct.unpack(">HHHH", reply[4:12]) == (1, 1, 0, 0)
    assert reply[12 : 12 + len(NAME)] == NAME
    assert reply.endswith(socket.inet_aton(ADDRESS))


def test_a_name_has_no_other_address() -> None:
    reply = answer(query(28))
    assert struct.unpack(">HHHH", reply[4:12]) == (1, 0, 0, 0)


@pytest.mark.parametrize("data", [b"", b"x" * 11, query(1)[:20], b"\x12\x34\x81\x00" + query(1)[4:]])
def test_what_is_no_query_has_no_reply(data: bytes) -> None:
    assert answer(data) == b""


FETCH = """
import socket, sys
address = socket.create_connection(("203.0.113.7", 80), 10)
address.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
data = b""
while part := address.recv(4096):
    data += part
ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ask.settimeout(10)
ask.connect(("192.0.2.53", 53))
ask.send(bytes.fromhex(sys.argv[1]))
print(data.decode().partition(" ")[2][:3], ask.recv(512).hex())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_every_address_answers_in_a_namespace_of_its_own_and_nowhere_else() -> None:
    command = ["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sleeper:
        try:
            assert sleeper.stdout is not None
            assert sleeper.stdout.readline() == b"up\n"
            before = os.readlink("/proc/self/ns/net")
            internet = Internet(sleeper.pid)
            assert os.readlink("/proc/self/ns/net") == before
            fetch = [*("nsenter", "--net", "--target", str(sleeper.pid)), "python3", "-c", FETCH]
            done = subprocess.run([*fetch, query(1).hex()], capture_output=True, text=True, check=False)
            internet.close()
            assert done.stderr == ""
            status, reply = done.stdout.split()
            assert status == "301"
            assert bytes.fromhex(reply).endswith(socket.inet_aton(ADDRESS))
        finally:
            sleeper.kill()
