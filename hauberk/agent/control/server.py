# SPDX-License-Identifier: Apache-2.0
"""The agent's end of the socket. It never waits: a loop calls it when something has happened.

A connection brings one question, a line, and gets one answer, a line. All its sockets hang on an epoll of
its own, so that the loop has one descriptor to watch. Who is slow holds up nobody but itself: there are
`MAX_CLIENTS` at once, what they send together is bounded, and who has not asked, or not taken the answer,
after `PATIENCE_SECONDS` is dropped. While nobody is connected no timer runs.
"""

import errno
import math
import os
import select
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from hauberk.agent.control.messages import MAX_REQUEST, Failure, Reply, Request
from hauberk.agent.control.peer import Peer, group_number
from hauberk.agent.control.place import own_directory
from hauberk.errors import HauberkError
from hauberk.kernel.timer import Timer

MAX_CLIENTS: Final = 16
"""Most connections at once; the next ones wait in the kernel."""
MAX_WAITING_BYTES: Final = 2 * MAX_REQUEST
"""Most that unfinished questions take together."""
PATIENCE_SECONDS: Final = 10.0
"""How long a client may take for its question, and again for taking the answer."""
_PAUSE_SECONDS: Final = 1.0
_CHUNK: Final = 256 << 10

Handle: TypeAlias = Callable[[Request, Peer], Reply]
"""Answers a question. A HauberkError that it raises becomes a Failure."""

_questions = msgspec.json.Decoder(Request)
_answers = msgspec.json.Encoder()


class _Client:
    """A connection: what it has asked so far, then what is left of the answer."""

    def __init__(self, connection: socket.socket, peer: Peer, deadline: float) -> None:
        self.connection = connection
        self.peer = peer
        self.deadline = deadline
        self.asked = bytearray()
        self.answer: memoryview | None = None


class ControlServer:
    """Listens at `path`, whose directory is made if it is not there; `group` names who may ask besides root.

    Only the process that holds the `AgentLock` may make one, since it takes the place of a socket that is
    there. Raises HauberkError.
    """

    def __init__(self, path: str | os.PathLike[str], group: str, handle: Handle) -> None:
        self._path = Path(path)
        self._group = group_number(group)
        self._handle = handle
        self._clients: dict[int, _Client] = {}
        own_directory(self._path.parent, 0o755)
        self._listener = listen(self._path, self._group)
        self._listen_again = math.inf
        self._timer = Timer()
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(self._timer, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable (poll) when `on_ready` has something to do."""
        return self._epoll.fileno()

    def on_ready(self) -> None:
        """Go on with whatever can be gone on with."""
        for fd, _ in self._epoll.poll(0):
            if fd == self._listener.fileno():
                self._accept()
            elif fd == self._timer.fileno():
                self._timer.take()
            elif client := self._clients.get(fd):
                try:
                    self._serve(client)
                except BlockingIOError:
                    pass  # the event was meant for who had this descriptor a moment ago
                except OSError:
                    self._drop(client)
        self._drop_slow()

    def close(self) -> None:
        """Stop listening. Who is connected gets no answer."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._epoll.close()
        self._timer.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                # It would be ready again and again until something is freed.
                self._epoll.modify(self._listener, 0)
                self._listen_again = time.monotonic() + _PAUSE_SECONDS
            return
        connection.setblocking(False)
        try:
            peer = Peer.of(connection)
        except OSError:
            connection.close()
            return
        client = _Client(connection, peer, time.monotonic() + PATIENCE_SECONDS)
        self._clients[connection.fileno()] = client
        self._epoll.register(connection, select.EPOLLIN)
        if len(self._clients) >= MAX_CLIENTS:
            self._epoll.modify(self._listener, 0)
        if not peer.may_ask(self._group):
            self._answer(client, Failure("only root and members of the agent's group may ask it"))

    def _serve(self, client: _Client) -> None:
        if client.answer is not None:
            self._send(client)
            return
        received = client.connection.recv(_CHUNK)
        part, end, _ = received.partition(b"\n")
        client.asked += part
        if end and len(client.asked) <= MAX_REQUEST:
            line, client.asked = client.asked, bytearray()
            self._answer(client, self._reply(line, client.peer))
        elif not received:
            self._drop(client)
        elif len(client.asked) > MAX_REQUEST:
            self._answer(client, Failure(f"the question is longer than {MAX_REQUEST >> 20} MiB"))
        elif sum(len(each.asked) for each in self._clients.values()) > MAX_WAITING_BYTES:
            self._answer(client, Failure("too much is being asked at once", "try again"))

    def _reply(self, line: bytearray, peer: Peer) -> Reply:
        try:
            question = _questions.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            return Failure(
                f"the agent does not understand the question: {error}",
                "if Hauberk was upgraded, restart the agent",
            )
        begin = time.monotonic()
        try:
            return self._handle(question, peer)
        except HauberkError as error:
            return Failure(error.message, error.remedy)
        except Exception as error:
            # A defect that a question meets must not end what looks after the whole node.
            traceback.print_exc()
            return Failure(f"a defect in Hauberk: {error!r}", "the agent's log says where; please report it")
        finally:
            # It is not their fault that the others were not heard meanwhile.
            for client in self._clients.values():
                client.deadline += time.monotonic() - begin

    def _answer(self, client: _Client, reply: Reply) -> None:
        client.asked = bytearray()
        client.answer = memoryview(_answers.encode(reply) + b"\n")
        client.deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            self._send(client)
        except OSError:
            self._drop(client)

    def _send(self, client: _Client) -> None:
        """Send what there is room for; when all is sent the connection has served its purpose."""
        assert client.answer is not None
        with suppress(BlockingIOError):
            client.answer = client.answer[client.connection.send(client.answer) :]
        if client.answer:
            self._epoll.modify(client.connection, select.EPOLLOUT)
        else:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        del self._clients[client.connection.fileno()]
        client.connection.close()
        self._epoll.modify(self._listener, select.EPOLLIN)

    def _drop_slow(self) -> None:
        """Drop those whose time is over, and wake up when that of the next one is."""
        now = time.monotonic()
        for client in [each for each in self._clients.values() if each.deadline <= now]:
            self._drop(client)
        if self._listen_again <= now:
            self._listen_again = math.inf
            if len(self._clients) < MAX_CLIENTS:
                self._epoll.modify(self._listener, select.EPOLLIN)
        next_deadline = min((each.deadline for each in self._clients.values()), default=math.inf)
        if (wake := min(next_deadline, self._listen_again)) < math.inf:
            self._timer.set(wake - now)
        elif self._timer.armed:
            self._timer.stop()


def listen(path: Path, group: int | None) -> socket.socket:
    """A socket at `path` that root and the group can connect to. Raises HauberkError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    # Nobody may come before the group is set.
    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(os.fspath(path))
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o660)
        listener.listen(MAX_CLIENTS)
    except OSError as error:
        listener.close()
        raise HauberkError(f"the agent cannot listen at {path}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    return listener
