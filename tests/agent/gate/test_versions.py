# SPDX-License-Identifier: Apache-2.0
"""A gate of another version is replaced, and nothing goes by meanwhile; an agent that is gone before it has
given orders leaves no gate."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from select import select
from socket import AF_UNIX, SOCK_SEQPACKET, socket, socketpair

import pytest

from hauberk.agent.gate import keeper as keeping
from hauberk.agent.gate.keeper import Gatekeeper
from hauberk.agent.gate.protocol import REFUSE, RUN_LAST_KNOWN, VERSION, pack, receive
from hauberk.errors import HauberkError
from tests.agent.gate.yard import PATIENCE, REFUSED, Held, Yard, ended, until

OTHER = VERSION + 1


def other_version(yard: Yard, loss: str) -> Gatekeeper:
    """The gate and the agent are both of another version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "VERSION", OTHER)
        patch.setattr(
            keeping,
            "_BEGIN",
            f"from hauberk.agent.gate import process as p; p.VERSION = {OTHER}; {keeping._BEGIN}",
        )
        return yard.keeper(loss=loss)


def test_a_gate_of_another_version_is_replaced_and_settles_what_waits_there(yard: Yard) -> None:
    yard.command_waits()
    old = other_version(yard, RUN_LAST_KNOWN)
    gone = os.pidfd_open(old.pid)
    held = yard.execute()
    until(old, 1)
    old.close()
    new = yard.keeper()
    assert new.pid != old.pid
    assert new.waiting() == []
    assert held.waits
    assert select([gone], [], [], 0)[0] == []
    later = yard.execute()
    (waiting,) = until(new, 1)
    assert waiting.pid == later.pid
    yard.let_go()
    assert ended(gone)
    os.close(gone)
    assert later.waits
    new.answer(waiting, True)
    assert later.end() == "ran"
    # The kernel may have asked the new one too, when the old one had let it go.
    answer_until_ended(new, held)
    assert held.end() == "ran"
    assert len(yard.runs) == 1
    new.close()
    assert yard.keeper().pid == new.pid


def test_what_waits_at_a_replaced_gate_is_refused_if_that_was_ordered(yard: Yard) -> None:
    old = other_version(yard, REFUSE)
    held = yard.execute()
    until(old, 1)
    old.close()
    assert held.end() == REFUSED
    new = yard.keeper(loss=REFUSE)
    yard.gate_is_up_to_date(new)


def answer_until_ended(keeper: Gatekeeper, held: Held) -> None:
    """Let it go as often as it is asked for."""
    pidfd = os.pidfd_open(held.pid)
    while pidfd not in (ready := select([keeper.fileno(), pidfd], [], [], PATIENCE)[0]):
        assert ready
        for waiting in keeper.waiting():
            keeper.answer(waiting, True)
    os.close(pidfd)


@contextmanager
def bare_gate(yard: Yard) -> Iterator[tuple[socket, int]]:
    """A gate without orders: the line to it, and a pidfd."""
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    with ours:
        with theirs:
            line = [str(theirs.fileno()), yard.path]
            subprocess.run(
                [sys.executable, "-c", keeping._BEGIN, *line], pass_fds=(theirs.fileno(),), check=True
            )
        hello = receive(ours)
        assert hello
        yard.end_later(hello["pid"])
        pidfd = os.pidfd_open(hello["pid"])
        yield ours, pidfd
        os.close(pidfd)


def test_a_gate_without_orders_ends_with_its_agent(yard: Yard) -> None:
    with bare_gate(yard) as (line, gate):
        line.close()
        assert ended(gate)


@pytest.mark.parametrize(
    "packet",
    [
        b"{",
        b"[]",
        b'{"is": 1}',
        pack("something"),
        pack("answer", number="one", allow=True),
        pack("orders", programs=[]),
        pack("orders", **keeping.Orders([], "allow", [], 1, 1, 1)._asdict()),
        pack("orders", **keeping.Orders([], REFUSE, [], 0, 1, 1)._asdict()),
    ],
)
def test_who_says_what_makes_no_sense_is_not_listened_to(yard: Yard, packet: bytes) -> None:
    with bare_gate(yard) as (line, gate):
        line.send(packet)
        assert ended(gate)


def test_a_gate_that_cannot_begin_says_why(yard: Yard) -> None:
    yard.path = str(yard.directory / "place" / "gate.sock")  # below a file
    with pytest.raises(HauberkError, match="cannot be"):
        yard.keeper()
