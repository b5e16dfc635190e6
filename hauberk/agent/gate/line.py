# SPDX-License-Identifier: Apache-2.0
"""The gate's end of the line to an agent. It never waits for the agent: what it has to say waits here."""

import os
from collections import deque
from contextlib import suppress
from socket import socket
from typing import Any

from hauberk.agent.gate.protocol import HungUp, ProtocolError, pack, peer_of, receive


class Line:
    """A connected agent, and what it was not told yet."""

    def __init__(self, connection: socket) -> None:
        """Raises ProtocolError if who connected is not the user that the gate runs as, or has gone."""
        self._socket = connection
        self._unsent: deque[bytes] = deque()
        pid, uid = peer_of(connection)
        if uid != os.geteuid():
            raise ProtocolError(f"user {uid} is not the gate's")
        connection.setblocking(False)
        try:
            # A connection is open for as long as any process has it, such as one that the agent forked.
            self.process = os.pidfd_open(pid)
        except OSError as error:
            raise ProtocolError(f"process {pid} has gone") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def tell(self, is_: str, **fields: object) -> None:
        """Send it when there is room. Raises HungUp."""
        self._unsent.append(pack(is_, **fields))
        self.flush()

    def flush(self) -> None:
        """Send what there is room for. Raises HungUp."""
        try:
            while self._unsent:
                self._socket.send(self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            pass
        except OSError as error:
            raise HungUp(f"the line is broken: {error.strerror}") from error

    def read(self) -> dict[str, Any] | None:
        """The agent's next message, None if there is none. Raises ProtocolError."""
        return receive(self._socket)

    def close(self) -> None:
        with suppress(ProtocolError):
            self.flush()
        os.close(self.process)
        self._socket.close()
