# SPDX-License-Identifier: Apache-2.0
"""A timer as an event to be read (timerfd), which Python 3.11 has no name for.

A loop that waits without a timeout stays asleep until something happens, and a deadline can be one of those
things.
"""

import ctypes
import os
from contextlib import suppress
from typing import Final

from hauberk.kernel.errors import KernelError

_CLOCK_MONOTONIC: Final = 1
_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK  # TFD_CLOEXEC and TFD_NONBLOCK are the same bits
_SECOND: Final = 1_000_000_000

_libc = ctypes.CDLL(None, use_errno=True)


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class Timer:
    """`fileno()` becomes readable (poll) once, when the time that was set is over. Raises KernelError."""

    def __init__(self) -> None:
        self._fd = int(_libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self._fd < 0:
            raise _error("timerfd_create")
        self.armed = False
        """Whether a time is set that has not been read as over."""

    def fileno(self) -> int:
        return self._fd

    def set(self, seconds: float) -> None:
        """Be over `seconds` from now, in place of what was set before; at once if it is not positive."""
        nanoseconds = max(1, round(seconds * _SECOND))
        self._settime(_Itimerspec(0, 0, *divmod(nanoseconds, _SECOND)))
        self.armed = True

    def stop(self) -> None:
        """Never be over."""
        self._settime(_Itimerspec())
        self.armed = False

    def take(self) -> bool:
        """Whether the time was over; after this it is not any more."""
        with suppress(BlockingIOError):
            os.read(self._fd, 8)
            self.armed = False
            return True
        return False

    def close(self) -> None:
        os.close(self._fd)

    def _settime(self, value: _Itimerspec) -> None:
        if _libc.timerfd_settime(self._fd, 0, ctypes.byref(value), None):
            raise _error("timerfd_settime")


def _error(what: str) -> KernelError:
    code = ctypes.get_errno()
    return KernelError(f"{what}: {os.strerror(code)}", code)
