# SPDX-License-Identifier: Apache-2.0
"""The agent's end of the socket: every question has its answer, and nobody who is slow, greedy or gone holds
up the others."""

import os
import resource
import select
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hauberk.agent.control import server as module
from hauberk.agent.control.messages import (
    AgentStatus,
    Apply,
    AskStatus,
    Document,
    Explain,
    Failure,
    ListPolicies,
    Policies,
    PolicyInfo,
    PolicyRef,
    Reply,
    Request,
)
from hauberk.agent.control.peer import Peer
from hauberk.agent.control.server import ControlServer
from hauberk.errors import HauberkError
from tests.agent.control.serving import asked, until

Serve = Callable[..., ControlServer]
STATUS = AgentStatus(
    version="1",
    pid=1,
    node="n",
    kernel="k",
    enforcer="bpf",
    since=0.0,
    on_agent_loss="refuse",
)
QUESTION = msgspec.json.encode(AskStatus()) + b"\n"


def fake_handler(request: Request, peer: Peer) -> Reply:
    """Answers with what shows that the question came whole."""
    match request:
        case AskStatus():
            return STATUS
        case Apply(documents):
            return Policies(tuple(PolicyInfo(PolicyRef("K", "n", each.text)) for each in documents))
        case ListPolicies():
            raise HauberkError("not today", "come tomorrow")
        case _:
            raise KeyError("something unforeseen")


def connected(directory: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(directory / "agent.sock"))
    connection.setblocking(False)
    return connection


def answer(server: ControlServer, connection: socket.socket) -> Reply:
    """All that comes until the server closes the connection, as a reply."""
    received = bytearray()

    def done() -> bool:
        try:
            while part := connection.recv(1 << 20):
                received.extend(part)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            pass
        return True

    until(server, done)
    return msgspec.json.decode(received, type=Reply)


def test_a_question_is_answered(serve: Serve, directory: Path) -> None:
    assert asked(serve(fake_handler), directory / "agent.sock", AskStatus()) == STATUS


def test_long_questions_and_long_answers_come_whole(serve: Serve, directory: Path) -> None:
    text = "x" * (3 << 20)
    reply = asked(serve(fake_handler), directory / "agent.sock", Apply((Document("a", text),)))
    assert isinstance(reply, Policies)
    assert reply.policies[0].ref.name == text


def test_the_socket_is_for_root_alone_unless_there_is_a_group(serve: Serve, directory: Path) -> None:
    serve(fake_handler)
    assert (directory / "agent.sock").stat().st_mode & 0o777 == 0o600


def test_an_error_of_the_handler_is_told_with_its_remedy(serve: Serve, directory: Path) -> None:
    reply = asked(serve(fake_handler), directory / "agent.sock", ListPolicies())
    assert reply == Failure("not today", "come tomorrow")


def test_a_defect_is_told_and_the_server_goes_on(
    serve: Serve, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(fake_handler)
    reply = asked(server, directory / "agent.sock", Explain())
    assert isinstance(reply, Failure)
    assert "something unforeseen" in reply.message
    assert "in fake_handler" in capsys.readouterr().err
    assert asked(server, directory / "agent.sock", AskStatus()) == STATUS


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b"\xff\xfe\n", b'{"type":"Nonsense"}\n', b"[" * 100_000 + b"\n"]
)
def test_what_is_no_question_is_answered_with_a_failure(serve: Serve, directory: Path, line: bytes) -> None:
    server = serve(fake_handler)
    with connected(directory) as connection:
        connection.sendall(line + b"\n")
        reply = answer(server, connection)
    assert isinstance(reply, Failure)
    assert "does not understand" in reply.message


def test_a_question_that_comes_in_pieces_is_put_together(serve: Serve, directory: Path) -> None:
    server = serve(fake_handler)
    with connected(directory) as connection:
        for byte in QUESTION:
            connection.send(bytes([byte]))
            server.on_ready()
        assert answer(server, connection) == STATUS


def test_a_question_that_is_too_long_is_refused(
    serve: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REQUEST", 10_000)
    server = serve(fake_handler)
    for end in (b"", b"\n"):
        with connected(directory) as connection:
            connection.send(b"x" * 10_001 + end)
            reply = answer(server, connection)
        assert isinstance(reply, Failure)
        assert "longer than" in reply.message


def test_unfinished_questions_are_bounded_together(
    serve: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 15_000)
    server = serve(fake_handler)
    with connected(directory) as first, connected(directory) as second:
        first.send(b"x" * 10_000)
        for _ in range(3):
            server.on_ready()
        second.send(b"x" * 10_000)
        reply = answer(server, second)
        assert reply == Failure("too much is being asked at once", "try again")


def test_one_that_says_nothing_does_not_hold_up_another(serve: Serve, directory: Path) -> None:
    server = serve(fake_handler)
    with connected(directory):
        assert asked(server, directory / "agent.sock", AskStatus()) == STATUS


def test_who_goes_before_asking_or_before_the_answer_is_forgotten(serve: Serve, directory: Path) -> None:
    server = serve(fake_handler)
    with connected(directory) as silent, connected(directory) as hasty:
        silent.send(QUESTION[:5])
        hasty.send(QUESTION)
    assert asked(server, directory / "agent.sock", AskStatus()) == STATUS
    until(server, lambda: not server._clients)


def test_who_is_slow_is_dropped_without_anybody_else_coming(
    serve: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    server = serve(fake_handler)
    with connected(directory) as connection:
        connection.send(QUESTION[:5])
        until(server, lambda: bool(server._clients))
        until(server, lambda: not server._clients)


def test_who_does_not_take_the_answer_is_dropped(
    serve: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    server = serve(fake_handler)
    with connected(directory) as connection:
        connection.setblocking(True)
        question = msgspec.json.encode(Apply((Document("a", "x" * 100_000),) * 8)) + b"\n"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, len(question))
        sent = 0
        while sent < len(question):
            connection.setblocking(False)
            try:
                sent += connection.send(question[sent:])
            except BlockingIOError:
                server.on_ready()
        until(server, lambda: bool(server._clients))
        until(server, lambda: not server._clients)


def test_nothing_wakes_the_loop_while_nobody_is_connected(
    serve: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    server = serve(fake_handler)
    assert asked(server, directory / "agent.sock", AskStatus()) == STATUS
    until(server, lambda: not server._clients)
    assert not server._timer.armed
    poll = select.poll()
    poll.register(server, select.POLLIN)
    assert poll.poll(200) == []


def test_more_clients_than_there_is_room_for_wait_and_are_answered(serve: Serve, directory: Path) -> None:
    server = serve(fake_handler)
    silent = [connected(directory) for _ in range(module.MAX_CLIENTS)]
    until(server, lambda: len(server._clients) == module.MAX_CLIENTS)
    with connected(directory) as late:
        late.send(QUESTION)
        poll = select.poll()
        poll.register(server, select.POLLIN)
        assert poll.poll(100) == [], "it would be woken again and again"
        silent[0].close()
        assert answer(server, late) == STATUS
    for each in silent:
        each.close()


def test_others_do_not_lose_their_time_while_a_question_is_answered(
    serve: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def takes_long(request: Request, peer: Peer) -> Reply:
        now[0] += 10 * module.PATIENCE_SECONDS
        return STATUS

    server = serve(takes_long)
    with connected(directory) as waiting, connected(directory) as asking:
        until(server, lambda: len(server._clients) == 2)
        asking.send(QUESTION)
        assert answer(server, asking) == STATUS
        waiting.send(QUESTION)
        assert answer(server, waiting) == STATUS


def test_without_a_descriptor_left_it_neither_spins_nor_stops(
    serve: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.05)
    server = serve(fake_handler)
    poll = select.poll()
    poll.register(server, select.POLLIN)
    with connected(directory) as connection:
        connection.send(QUESTION)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, most[1]))
        try:
            server.on_ready()
            assert poll.poll(0) == []
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, most)
        assert answer(server, connection) == STATUS


def test_a_socket_that_a_dead_agent_left_is_replaced(serve: Serve, directory: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(directory / "agent.sock"))
    assert asked(serve(fake_handler), directory / "agent.sock", AskStatus()) == STATUS


def test_closing_it_removes_the_socket(directory: Path) -> None:
    ControlServer(directory / "agent.sock", "", fake_handler).close()
    assert list(directory.iterdir()) == []


def test_a_directory_that_others_can_write_to_is_refused(directory: Path) -> None:
    directory.chmod(0o777)
    with pytest.raises(HauberkError, match="only its owner"):
        ControlServer(directory / "agent.sock", "", fake_handler)
