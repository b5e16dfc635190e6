# SPDX-License-Identifier: Apache-2.0
"""A command's end of the socket: whatever the other end does, there is an answer or an error in words."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hauberk.agent.control import client
from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import Apply, AskStatus, Document, Failure, ListPolicies, Policies


@pytest.fixture
def fake_agent(tmp_path: Path) -> Callable[[bytes], Path]:
    """A fake agent that says those bytes to whoever comes, and hears nothing."""

    def make(said: bytes) -> Path:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(tmp_path / "agent.sock"))
        listener.listen()

        def serve() -> None:
            with listener, listener.accept()[0] as connection:
                connection.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        return tmp_path / "agent.sock"

    return make


def test_the_answer_is_what_was_asked_for(fake_agent: Callable[[bytes], Path]) -> None:
    path = fake_agent(msgspec.json.encode(Policies(())) + b"\n")
    assert ask(ListPolicies(), path) == Policies(())


def test_a_failure_is_raised_with_its_remedy_and_faults(fake_agent: Callable[[bytes], Path]) -> None:
    path = fake_agent(msgspec.json.encode(Failure("no", "do that", ("a:1: bad",))) + b"\n")
    with pytest.raises(AgentError, match="no") as error:
        ask(ListPolicies(), path)
    assert (error.value.remedy, error.value.faults) == ("do that", ("a:1: bad",))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "before it answered"),
        (b'{"type":"Pol', "before it answered"),
        (b"{}\n", "not understood"),
        (b"\xff\n", "not understood"),
        (msgspec.json.encode(Policies(())) + b"\n", "not understood: it answered with Policies"),
    ],
)
def test_an_answer_that_is_none_is_told(fake_agent: Callable[[bytes], Path], said: bytes, told: str) -> None:
    with pytest.raises(AgentError, match=told):
        ask(AskStatus(), fake_agent(said))


def test_where_nobody_listens_it_says_how_to_start_an_agent(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="no agent listens") as error:
        ask(AskStatus(), tmp_path / "agent.sock")
    assert "systemctl start hauberk" in error.value.remedy
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "agent.sock"))
    with pytest.raises(AgentError, match="no agent listens"):
        ask(AskStatus(), tmp_path / "agent.sock")


def test_a_silent_agent_is_not_waited_for_forever(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(tmp_path / "agent.sock"))
        silent.listen()
        with pytest.raises(AgentError, match=r"within 0\.05 seconds"):
            ask(AskStatus(), tmp_path / "agent.sock", 0.05)


def test_more_than_can_be_sent_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_REQUEST", 100)
    with pytest.raises(AgentError, match="cannot be sent at once"):
        ask(Apply((Document("a", "x" * 100),)), tmp_path / "agent.sock")


def test_an_answer_without_end_is_not_kept(
    fake_agent: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_REPLY", 1000)
    with pytest.raises(AgentError, match="before it answered"):
        ask(AskStatus(), fake_agent(b"x" * 10_000))
