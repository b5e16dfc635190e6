# SPDX-License-Identifier: Apache-2.0
"""A command's end of the socket for events."""

import socket as sockets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from hauberk.agent.control.client import AgentError
from hauberk.agent.feeder.question import Answer, Ask, Failed
from hauberk.agent.feeder.wire import EVENTS

_PATIENCE_SECONDS: Final = 60.0
_CHUNK: Final = 1 << 18

_answers: Final = msgspec.json.Decoder(Answer)


class NoAgent(AgentError):
    """Nobody listens there."""


def listen_to(ask: Ask, socket: str | Path) -> Iterator[Answer]:
    """What the agent's feeder answers, as it comes; `socket` is the agent's, the one for events lies beside.

    Ends when the other side does. Raises NoAgent, AgentError.
    """
    path = Path(socket).parent / EVENTS
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
        try:
            connection.settimeout(_PATIENCE_SECONDS)
            connection.connect(str(path))
            # If it refuses to hear more, its answer says why.
            with suppress(BrokenPipeError):
                connection.sendall(msgspec.json.encode(ask) + b"\n")
            # Only its own end of the line says that an agent that is followed has gone.
            connection.settimeout(None if ask.follow else _PATIENCE_SECONDS)
            yield from _answers_of(connection)
        except TimeoutError:
            raise AgentError("the agent does not answer", "`hauberk status` tells how it is") from None
        except PermissionError:
            raise AgentError(
                "you may not have events: only root and members of the agent's group may",
                "`socketGroup` in /etc/hauberk/agent.yaml names the group",
            ) from None
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NoAgent(
                f"no agent listens at {path}", "start it: systemctl start hauberk, or hauberk agent"
            ) from None
        except ConnectionResetError:
            return
        except OSError as error:
            raise AgentError(f"asking the agent at {path}: {error.strerror or error}") from error


def _answers_of(connection: sockets.socket) -> Iterator[Answer]:
    pending = b""
    while data := connection.recv(_CHUNK):
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            try:
                answer = _answers.decode(line)
            except msgspec.DecodeError as error:
                raise AgentError(
                    f"the agent's answer is not understood: {error}",
                    "if Hauberk was upgraded, restart the agent",
                ) from None
            if isinstance(answer, Failed):
                raise AgentError(answer.message, answer.remedy)
            yield answer
