# SPDX-License-Identifier: Apache-2.0
"""Values between the agent and its compiler: pickled, as both are of one version and the socket is theirs
alone.

Tables of megabytes are written from where they lie and read to where they stay: pickle's fifth protocol hands
large bytes to the file as they are.
"""

import pickle
import socket
import time
from io import BufferedReader, RawIOBase
from typing import Any, Final

_PROTOCOL: Final = 5
_BUFFER: Final = 1 << 16


class Channel:
    """One end. After any exception it is of no more use."""

    def __init__(self, end: socket.socket) -> None:
        self._raw = _Raw(end)
        self._reader = BufferedReader(self._raw, _BUFFER)

    def send(self, value: object, seconds: float | None = None) -> None:
        """Raises TimeoutError, or OSError if nobody is there."""
        self._raw.end_in(seconds)
        pickle.dump(value, self._raw, _PROTOCOL)

    def receive(self, seconds: float | None = None) -> Any:
        """Raises TimeoutError; EOFError, OSError or UnpicklingError if the other side ended."""
        self._raw.end_in(seconds)
        return pickle.load(self._reader)

    def close(self) -> None:
        self._raw.socket.close()


class _Raw(RawIOBase):
    """A socket as a file of which each use has to be over by a time."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._end: float | None = None

    def end_in(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def _wait(self) -> None:
        left = None if self._end is None else self._end - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wait()
        return self.socket.recv_into(buffer)

    def write(self, data: Any) -> int:
        self._wait()
        self.socket.sendall(data)
        return len(data)
