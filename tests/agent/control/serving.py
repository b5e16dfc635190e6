# SPDX-License-Identifier: Apache-2.0
"""Running a control server's loop until something has come about, and asking it as somebody else."""

import os
import select
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import Failure, Reply, Request
from hauberk.agent.control.server import ControlServer


class User(NamedTuple):
    """Who asks."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


ROOT = User()


def until(server: ControlServer, done: Callable[[], bool]) -> None:
    """Go on as an agent's loop does, which sleeps until the server's one descriptor is ready."""
    poll = select.poll()
    poll.register(server, select.POLLIN)
    while not done():
        assert poll.poll(20_000), "nothing happens any more"
        server.on_ready()


def asked(server: ControlServer, path: Path, request: Request, user: User = ROOT) -> Reply:
    """What a process of that user gets for an answer; what it says itself comes as a Failure."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reader)
            os.write(writer, msgspec.json.encode(_ask_as(user, path, request)))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        until_ready(server, poll, pipe.fileno())
        answer = pipe.read()
    os.waitpid(pid, 0)
    return msgspec.json.decode(answer, type=Reply)


def until_ready(server: ControlServer, poll: select.poll, fd: int) -> None:
    """Go on until a descriptor can be read."""
    poll.register(server, select.POLLIN)
    while fd not in (ready := _ready(poll.poll(20_000))):
        assert ready, "nothing happens any more"
        server.on_ready()


def _ready(events: Iterable[tuple[int, int]]) -> set[int]:
    return {fd for fd, _ in events}


def _ask_as(user: User, path: Path, request: Request) -> Reply:
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    try:
        return ask(request, path, 60)  # type: ignore[call-overload, no-any-return]
    except AgentError as error:
        return Failure(error.message, error.remedy, error.faults)
