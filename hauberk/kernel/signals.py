# SPDX-License-Identifier: Apache-2.0
"""Signals as events to be read, with who sent them (signalfd), which Python 3.11 has no name for."""

import ctypes
import os
import signal
import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from hauberk.errors import HauberkError
from hauberk.kernel.errors import KernelError

_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK  # SFD_CLOEXEC and SFD_NONBLOCK are the same bits
_INFO: Final = struct.Struct("=IiiI112x")  # struct signalfd_siginfo: number, errno, code, pid
_SIGSET_BYTES: Final = 128
_PR_SET_PDEATHSIG: Final = 1
_INTERRUPTING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_libc = ctypes.CDLL(None, use_errno=True)


class Interruption(HauberkError):
    """A signal asked to end before there was anything to end. `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Received:
    """A signal that came. `sender` is the process that sent it on purpose, None if the kernel or a terminal
    did."""

    number: int
    sender: int | None


class SignalReader:
    """While open, signals of this thread wait to be read instead of being delivered. One thread only.

    `fileno()` becomes readable (poll) when some wait. What is not read when it is closed is dropped. Raises
    KernelError.
    """

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = frozenset(numbers)
        mask = sum(1 << (number - 1) for number in self._numbers).to_bytes(_SIGSET_BYTES, "little")
        self.previous = signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        """What was blocked before, and will be after."""
        self._fd = int(_libc.signalfd(-1, mask, _FLAGS))
        if self._fd < 0:
            code = ctypes.get_errno()
            signal.pthread_sigmask(signal.SIG_SETMASK, self.previous)
            raise KernelError(f"signalfd: {os.strerror(code)}", code)

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list[Received]:
        """The signals that wait, maybe none."""
        found: list[Received] = []
        while True:
            try:
                data = os.read(self._fd, 16 * _INFO.size)
            except BlockingIOError:
                return found
            for number, _, code, pid in _INFO.iter_unpack(data):
                # SI_USER, SI_QUEUE, SI_TKILL and their like are not positive; SI_KERNEL and causes of faults
                # are.
                found.append(Received(number, pid if code <= 0 else None))

    def heed(self) -> None:
        """Raise Interruption if a signal waits that asks to end, unless it was ignored; forget the others."""
        for received in self.read():
            if received.number in _INTERRUPTING and signal.getsignal(received.number) != signal.SIG_IGN:
                raise Interruption(received.number)

    def close(self) -> None:
        if self._fd >= 0:
            self.read()
            os.close(self._fd)
            self._fd = -1
            signal.pthread_sigmask(signal.SIG_SETMASK, self.previous)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def restore_default_handlers() -> None:
    """Let every signal that this process has a handler for do what it does by default, as after an exec."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def die_with(parent: int) -> None:
    """Have this process killed when `parent`, which forked it, ends in whatever way. Raises KernelError."""
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) < 0:
        code = ctypes.get_errno()
        raise KernelError(f"prctl: {os.strerror(code)}", code)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
