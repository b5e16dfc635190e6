# SPDX-License-Identifier: Apache-2.0
"""What is done in another network namespace is done there alone."""

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from hauberk.kernel.errors import KernelError
from hauberk.kernel.network import call_loopback, in_network_of, own_every_address

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


@pytest.fixture
def pid() -> Iterator[int]:
    """A process in a network namespace of its own, whose loopback interface is up."""
    script = "ip link set lo up && echo up && exec sleep 60"
    with subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process.pid
        process.kill()


def interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def test_the_act_is_there_and_the_caller_stays_here(pid: int) -> None:
    here = interfaces()
    assert in_network_of(pid, interfaces) == ["lo"]
    assert interfaces() == here


def test_what_the_act_raises_is_raised(pid: int) -> None:
    with pytest.raises(ZeroDivisionError):
        in_network_of(pid, lambda: 1 // 0)


def test_the_network_of_no_process_cannot_be_entered() -> None:
    with pytest.raises(KernelError, match="the network of process 2147483647: No such file"):
        in_network_of(2147483647, interfaces)


def test_loopback_answers_to_another_name_and_it_is_no_fault_to_say_so_twice(pid: int) -> None:
    for _ in range(2):
        in_network_of(pid, lambda: call_loopback("other"))
    assert in_network_of(pid, lambda: socket.if_nametoindex("other")) == 1
    with pytest.raises(OSError, match=r"No such device|no interface"):
        socket.if_nametoindex("other")


def connect() -> bool:
    with socket.create_server(("", 7)), socket.socket() as client:
        client.settimeout(10)
        return client.connect_ex(("203.0.113.9", 7)) == 0


def test_every_address_can_be_ones_own(pid: int) -> None:
    assert not in_network_of(pid, connect)
    for _ in range(2):
        in_network_of(pid, own_every_address)
    assert in_network_of(pid, connect)
