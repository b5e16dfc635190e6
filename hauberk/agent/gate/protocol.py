# SPDX-License-Identifier: Apache-2.0
"""What the gate and the agent tell each other: one JSON object a packet, whose `is` says what it is.

From the gate:
    hello    version, pid, passed, refused: the first packet
    held     number, pid, program, since: an exec waits. After `hello` all that do, later each that comes.
             `since` is in seconds of CLOCK_MONOTONIC; gates that are older do not say it
    holding  programs, faults: what is held now, the answer to `orders`
    counts   passed, refused: execs that the gate decided alone, since it began
    busy     another agent is there
    failed   message, remedy: it cannot hold anything, and ends

From the agent:
    orders   see Orders
    answer   number, allow
    retire   hold nothing new, hang up, settle what waits as if there were no agent, end
    end      let go of all that wait, end; hanging up is the last thing it does

`hello`, `retire` and `end` keep their form in every version, so that any agent can replace any gate.
"""

import json
import os
import struct
from select import POLLOUT, poll
from socket import SO_PEERCRED, SOL_SOCKET, socket
from typing import Any, Final, NamedTuple

from hauberk.errors import HauberkError

VERSION: Final = 1
SOCKET: Final = "/run/hauberk/gate.sock"
MAX_MESSAGE: Final = 1 << 16
"""Bytes of one packet."""

RUN_LAST_KNOWN: Final = "run-last-known"
REFUSE: Final = "refuse"


class ProtocolError(HauberkError):
    """The other side does not listen, or sends what makes no sense."""


class HungUp(ProtocolError):
    """The other side is gone."""


class Orders(NamedTuple):
    """What an agent wants of the gate; the last orders hold when it is gone."""

    programs: list[str]
    """Paths of files to hold. Those that do not exist yet are held when they come."""
    on_agent_loss: str
    """RUN_LAST_KNOWN or REFUSE."""
    command: list[str]
    """What to execute for RUN_LAST_KNOWN; the first word is an absolute path."""
    answer_seconds: float
    """How long the agent may take for an answer before it is taken for lost."""
    command_seconds: float
    """How long the command may take before it is killed and counts as failed."""
    most_held: int
    """How many may wait at one time; what comes beyond is refused."""
    cgroup: str = ""
    """Directory of a cgroup that the gate is to move to; empty: it stays where it is."""

    def check(self) -> None:
        """Raises ProtocolError if they cannot be obeyed."""
        words = (*self.programs, *self.command, self.cgroup)
        limits = (self.answer_seconds, self.command_seconds, self.most_held)
        if self.on_agent_loss not in (RUN_LAST_KNOWN, REFUSE):
            raise ProtocolError(
                f"{self.on_agent_loss!r} is nothing that can be done when the agent is lost",
                f"say {RUN_LAST_KNOWN} or {REFUSE}",
            )
        if self.on_agent_loss == RUN_LAST_KNOWN and not (self.command and os.path.isabs(self.command[0])):
            raise ProtocolError(f"{RUN_LAST_KNOWN} needs a command with an absolute path")
        if not all(isinstance(each, str) for each in words) or any("\0" in each for each in words):
            raise ProtocolError("paths and words of commands are text without NUL")
        if not all(isinstance(each, int | float) and each > 0 for each in limits):
            raise ProtocolError("times and numbers have to be positive")


def pack(is_: str, **fields: object) -> bytes:
    """A packet. Raises ProtocolError if it is longer than packets may be."""
    data = json.dumps({"is": is_, **fields}).encode()
    if len(data) > MAX_MESSAGE:
        raise ProtocolError(f"{is_}: {len(data)} bytes are more than a message to or from the gate may have")
    return data


def unpack(data: bytes) -> dict[str, Any]:
    """What a packet says. Raises ProtocolError."""
    try:
        message = json.loads(data)
    except ValueError as error:
        raise ProtocolError(f"a message to or from the gate makes no sense: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("is"), str):
        raise ProtocolError("a message to or from the gate does not say what it is")
    return message


def receive(line: socket) -> dict[str, Any] | None:
    """The next packet of a line that does not block; None if there is none. Raises ProtocolError: the other
    side is gone."""
    try:
        data = line.recv(MAX_MESSAGE + 1)
    except BlockingIOError:
        return None
    except OSError as error:
        raise HungUp(f"the line is broken: {error.strerror}") from error
    if not data:
        raise HungUp("the other side has hung up")
    return unpack(data)


def send(line: socket, packet: bytes, seconds: float) -> None:
    """Send over a line that does not block, but wait so long for room. Raises ProtocolError."""
    waiting = poll()
    waiting.register(line, POLLOUT)
    try:
        if not waiting.poll(seconds * 1000):
            raise ProtocolError(f"the other side did not read for {seconds:g} s")
        line.send(packet)
    except OSError as error:
        raise HungUp(f"the line is broken: {error.strerror}") from error


def peer_of(line: socket) -> tuple[int, int]:
    """Process and user at the other end, as they were when it was connected (or listened)."""
    pid, uid, _ = struct.unpack("=iII", line.getsockopt(SOL_SOCKET, SO_PEERCRED, 12))
    return pid, uid
