# SPDX-License-Identifier: Apache-2.0
"""Names of users by their numbers, from /etc/passwd alone: whatever else can be asked may take long,
and who asks here must not wait."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hauberk.events.text import escape

PASSWD: Final = Path("/etc/passwd")
FRESH_SECONDS: Final = 600.0
MOST_BYTES: Final = 1 << 20
"""Of the file; what lies behind is not looked at."""


class UserNames:
    """Looks names up. A change of the file shows after at most ten minutes."""

    def __init__(self, path: Path = PASSWD, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._names: dict[int, str] = {}
        self._until = -1.0

    def of(self, number: int) -> str:
        """The name of a user, made presentable; empty if there is none."""
        now = self._clock()
        if now >= self._until:
            self._until = now + FRESH_SECONDS
            self._read()
        return self._names.get(number, "")

    def _read(self) -> None:
        self._names = {}
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                lines = os.read(fd, MOST_BYTES).split(b"\n")
            finally:
                os.close(fd)
        except OSError:
            return
        for line in lines:
            fields = line.split(b":")
            if len(fields) >= 3 and fields[0] and fields[2].isdigit():
                # The first one of a number is its name, as for getpwuid(3).
                self._names.setdefault(int(fields[2]), escape(fields[0]))
