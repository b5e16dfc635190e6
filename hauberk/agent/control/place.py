# SPDX-License-Identifier: Apache-2.0
"""Where the agent can be asked, and that there is one agent only.

The directory can be entered by all, so that members of the agent's group reach the socket in it; what is in
it only root can change. The lock is one that the process holds and that its children do not inherit: the
gate and the compiler may outlive an agent without keeping the next one out.
"""

import fcntl
import os
import stat
from pathlib import Path
from typing import Final, Self

from hauberk.agent.control.messages import SOCKET
from hauberk.errors import HauberkError

LOCK: Final = "agent.lock"
"""The file beside the socket whose lock an agent holds."""


class PlaceError(HauberkError):
    """The directory of the socket cannot be had, or another agent has it."""


def own_directory(path: Path, mode: int) -> None:
    """Have a directory that nobody but this user (root) can write to. Raises PlaceError."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise PlaceError(f"making {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PlaceError(
            f"{path} has to be a directory that only its owner, uid {os.geteuid()}, can write to",
            f"remove {path}, or mend it: chown root {path}; chmod go-w {path}",
        )


class AgentLock:
    """Held by the agent from its first act to its end. Raises PlaceError if another holds it."""

    def __init__(self, directory: Path = Path(SOCKET).parent) -> None:
        own_directory(directory, 0o755)
        path = directory / LOCK
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise PlaceError(f"opening {path}: {error.strerror}") from error
        try:
            # POSIX's locks belong to the process and not, as flock's, to whoever inherits the descriptor.
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            number = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            os.close(self._fd)
            raise PlaceError(
                f"an agent is running already, as process {number or '(not told)'}",
                "`hauberk status` asks it; end it before another is started",
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let another agent have it."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
