# SPDX-License-Identifier: Apache-2.0
"""The command that stands in for an agent that is not there: it binds the containers that are about to start
to the policies that were in force last, and exits with 0 when it has."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

IGNORED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE)
"""What the gate ignores, and its children do not."""


class LastKnown:
    """A run of the command, for those that waited when it began. `fileno()` is readable when it has ended."""

    def __init__(self, command: list[str], seconds: float, numbers: Iterable[int]) -> None:
        """Raises OSError if it cannot be started."""
        self.numbers = tuple(numbers)
        self.deadline: float | None = time.monotonic() + seconds
        """None when it is over."""
        # In a session of its own, so that all of it can be killed.
        self._pid = os.posix_spawn(
            command[0], command, dict(os.environ), setsid=True, setsigdef=IGNORED, setsigmask=()
        )
        self._pidfd = os.pidfd_open(self._pid)

    def fileno(self) -> int:
        return self._pidfd

    def kill(self) -> None:
        """Its time is over. Its end is not waited for: it may be stuck in the kernel."""
        self.deadline = None
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def finish(self) -> bool:
        """To be called once, when it has ended; whether it succeeded in time."""
        in_time = self.deadline is not None
        self.kill()  # what it may have left
        _, status = os.waitpid(self._pid, 0)
        os.close(self._pidfd)
        return in_time and os.waitstatus_to_exitcode(status) == 0
