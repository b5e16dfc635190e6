# SPDX-License-Identifier: Apache-2.0
"""Where agents find the gate. The socket gets its name only when the gate holds what it was told to; the name
passes from one gate to the next in one step."""

import os
from contextlib import suppress
from socket import AF_UNIX, SOCK_NONBLOCK, SOCK_SEQPACKET, socket
from typing import Self

_BACKLOG = 8


class Listener:
    """A listening socket that will be called `path`. `fileno()` is readable when an agent connects."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._path = path
        self._beside = f"{path}.{os.getpid()}"
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self._socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK)
        with suppress(FileNotFoundError):
            os.unlink(self._beside)
        self._socket.bind(self._beside)
        os.chmod(self._beside, 0o600)
        self._inode = os.stat(self._beside).st_ino
        self._socket.listen(_BACKLOG)

    def fileno(self) -> int:
        return self._socket.fileno()

    def publish(self) -> None:
        """Be found from now on, in place of any other gate. Raises OSError."""
        if self._beside:
            os.rename(self._beside, self._path)
            self._beside = ""

    def accept(self) -> socket:
        """Who connected. Raises OSError."""
        return self._socket.accept()[0]

    def close(self) -> None:
        """Take the name away, unless it is another gate's by now."""
        path = self._beside or self._path
        with suppress(OSError):
            if os.stat(path).st_ino == self._inode:
                os.unlink(path)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
