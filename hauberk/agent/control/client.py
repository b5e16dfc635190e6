# SPDX-License-Identifier: Apache-2.0
"""A command's end of the socket: ask the agent, and have its answer or an error in words."""

import socket as sockets
from contextlib import suppress
from pathlib import Path
from typing import Final, overload

import msgspec

from hauberk.agent.control.messages import (
    MAX_REQUEST,
    SOCKET,
    AgentStatus,
    Apply,
    AskStatus,
    Delete,
    Explain,
    Explained,
    Failure,
    GetPolicy,
    ListPolicies,
    Policies,
    PolicyText,
    Posture,
    Postures,
    Reply,
    Request,
    Visibilities,
    Visibility,
)
from hauberk.errors import HauberkError

MAX_REPLY: Final = 256 << 20
"""Bytes of an answer that a command takes."""
PATIENCE_SECONDS: Final = 60.0
"""How long a command waits for the agent to answer, unless it is told otherwise."""
_CHUNK: Final = 1 << 20

_ANSWERS: Final[dict[type[Request], type[Reply]]] = {
    Apply: Policies,
    Delete: Policies,
    ListPolicies: Policies,
    GetPolicy: PolicyText,
    AskStatus: AgentStatus,
    Explain: Explained,
    Posture: Postures,
    Visibility: Visibilities,
}


class AgentError(HauberkError):
    """The agent refused, or cannot be asked. `faults` are those of documents, each with file and line."""

    def __init__(self, message: str, remedy: str = "", faults: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy)
        self.faults = faults


@overload
def ask(
    request: Apply | Delete | ListPolicies, socket: str | Path = ..., timeout: float = ...
) -> Policies: ...
@overload
def ask(request: GetPolicy, socket: str | Path = ..., timeout: float = ...) -> PolicyText: ...
@overload
def ask(request: AskStatus, socket: str | Path = ..., timeout: float = ...) -> AgentStatus: ...
@overload
def ask(request: Explain, socket: str | Path = ..., timeout: float = ...) -> Explained: ...
@overload
def ask(request: Posture, socket: str | Path = ..., timeout: float = ...) -> Postures: ...
@overload
def ask(request: Visibility, socket: str | Path = ..., timeout: float = ...) -> Visibilities: ...
def ask(request: Request, socket: str | Path = SOCKET, timeout: float = PATIENCE_SECONDS) -> Reply:
    """The agent's answer. `timeout` is in seconds, for each time that the agent lets the command wait.

    Raises AgentError: the agent's own Failure, or why it cannot be asked.
    """
    question = msgspec.json.encode(request) + b"\n"
    if len(question) > MAX_REQUEST:
        raise AgentError(f"more than {MAX_REQUEST >> 20} MiB cannot be sent at once", "split it")
    try:
        answer = _exchange(question, str(socket), timeout)
    except TimeoutError:
        raise AgentError(
            f"the agent has not answered within {timeout:g} seconds",
            "it may be busy and do what it was asked later; `hauberk status` tells",
        ) from None
    except OSError as error:
        raise _unreachable(error, str(socket)) from error
    if not answer.endswith(b"\n"):
        raise AgentError("the agent ended, or was stopped, before it answered", "ask again")
    try:
        reply = msgspec.json.decode(answer, type=Reply)
    except msgspec.DecodeError as error:
        raise _not_understood(str(error)) from None
    if isinstance(reply, Failure):
        raise AgentError(reply.message, reply.remedy, reply.faults)
    if not isinstance(reply, _ANSWERS[type(request)]):
        raise _not_understood(f"it answered with {type(reply).__name__}")
    return reply


def _exchange(question: bytes, path: str, timeout: float) -> bytes:
    """Send a line and return all that comes."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        # If it refuses to hear more, its answer says why.
        with suppress(BrokenPipeError):
            connection.sendall(question)
        answer = bytearray()
        while len(answer) <= MAX_REPLY and not answer.endswith(b"\n"):
            try:
                received = connection.recv(_CHUNK)
            except ConnectionResetError:
                break
            if not received:
                break
            answer += received
        return bytes(answer)


def _unreachable(error: OSError, path: str) -> AgentError:
    if isinstance(error, PermissionError):
        return AgentError(
            "you may not ask the agent: only root and members of its group may",
            "`socketGroup` in /etc/hauberk/agent.yaml names the group",
        )
    if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
        return AgentError(
            f"no agent listens at {path}", "start it: systemctl start hauberk, or hauberk agent"
        )
    return AgentError(f"asking the agent at {path}: {error.strerror or error}")


def _not_understood(what: str) -> AgentError:
    return AgentError(
        f"the agent's answer is not understood: {what}", "if Hauberk was upgraded, restart the agent"
    )
