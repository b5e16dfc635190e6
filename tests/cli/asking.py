# SPDX-License-Identifier: Apache-2.0
"""Commands that ask an agent, with a fake agent in a thread that answers what the test says."""

import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from click.testing import CliRunner, Result

from hauberk.agent.control.messages import Failure, Reply, Request
from hauberk.agent.control.peer import Peer
from hauberk.agent.control.server import ControlServer


@dataclass
class FakeAgent:
    """Answers every question by its type's name, and keeps the questions."""

    path: Path
    answers: dict[str, Reply] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def handle(self, request: Request, peer: Peer) -> Reply:
        """As an agent's handler does."""
        self.asked.append(request)
        return self.answers.get(type(request).__name__, Failure("the fake agent has no answer"))

    def run(self, command: click.Command, *arguments: str, input: str = "") -> Result:
        """What becomes of a command that asks it."""
        return CliRunner().invoke(command, [*arguments, "--socket", str(self.path)], input=input)


@contextmanager
def fake_agent(directory: Path) -> Iterator[FakeAgent]:
    """A fake agent that listens while the context lasts."""
    agent = FakeAgent(directory / "agent" / "agent.sock")
    server = ControlServer(agent.path, "", agent.handle)
    ended = threading.Event()
    thread = threading.Thread(target=_serve, args=(server, ended.is_set), daemon=True)
    thread.start()
    yield agent
    ended.set()
    thread.join()
    server.close()


def _serve(server: ControlServer, ended: Callable[[], bool]) -> None:
    poll = select.poll()
    poll.register(server, select.POLLIN)
    while not ended():
        if poll.poll(20):
            server.on_ready()
