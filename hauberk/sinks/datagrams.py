# SPDX-License-Identifier: Apache-2.0
"""Messages to a datagram socket of this machine's log services, in their order, without ever waiting.

What the service does not take at once is kept, in bounded memory; what does not fit there is dropped, newest
first, and counted.
"""

import errno
import fcntl
import os
import socket
from collections import deque
from contextlib import suppress
from typing import Final

MEMORY_BYTES: Final = 4 << 20
"""Bytes of messages that are kept."""
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_GONE: Final = (errno.ECONNREFUSED, errno.ENOTCONN, errno.ECONNRESET, errno.ENOENT)


class Datagrams:
    """Messages to the socket at `path`. `in_files`: what is too large for a datagram is handed over in a
    file, as journald has it; otherwise it is dropped."""

    def __init__(self, path: str, *, in_files: bool = False, memory: int = MEMORY_BYTES) -> None:
        self.lost = 0
        """Accesses in messages that were dropped."""
        self.trouble = ""
        """Why nothing can be sent, in words; empty if it can, if only slowly."""
        self._path = path
        self._in_files = in_files
        self._memory = memory
        self._socket: socket.socket | None = None
        self._kept: deque[tuple[bytes, int]] = deque()
        self._bytes = 0

    def put(self, message: bytes, accesses: int) -> bool:
        """Keep a message for `send`; False if there is no room."""
        if self._bytes + len(message) > self._memory:
            self.lost += accesses
            return False
        self._kept.append((message, accesses))
        self._bytes += len(message)
        return True

    def send(self) -> bool:
        """Send what is taken. Whether nothing is left."""
        try:
            while self._kept:
                self._send(*self._kept[0])
                message, _ = self._kept.popleft()
                self._bytes -= len(message)
        except BlockingIOError:
            return False
        except OSError as error:
            self._hang_up()
            self.trouble = f"{self._path}: {os.strerror(error.errno or 0)}"
            return False
        self.trouble = ""
        return True

    def fileno(self) -> int:
        """Writable when `send` can go on; -1 if there is nobody to send to."""
        return -1 if self._socket is None else self._socket.fileno()

    def close(self) -> None:
        """Drop and count what is kept."""
        self.lost += sum(accesses for _, accesses in self._kept)
        self._kept.clear()
        self._bytes = 0
        self._hang_up()

    def _send(self, message: bytes, accesses: int) -> None:
        """Raises OSError. A message that can never be sent counts as sent, and as lost."""
        for attempt in (1, 2):
            if self._socket is None:
                self._connect()
            assert self._socket is not None
            try:
                self._socket.send(message)
                return
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    break
                if error.errno not in _GONE or attempt == 2:
                    raise
                # The service was started anew.
                self._hang_up()
        if self._in_files:
            self._hand_over(message)
        else:
            self.lost += accesses

    def _connect(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            made.connect(self._path)
        except OSError:
            made.close()
            raise
        self._socket = made

    def _hand_over(self, message: bytes) -> None:
        assert self._socket is not None
        file = os.memfd_create("hauberk-event", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(file, "wb", closefd=False) as out:
                out.write(message)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
            socket.send_fds(self._socket, [], [file])
        finally:
            os.close(file)

    def _hang_up(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None
