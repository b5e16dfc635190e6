# SPDX-License-Identifier: Apache-2.0
"""A command that waits, all prepared, until it is let go.

The child forks off, goes where the command is to live (its root), and then waits, so that it can be looked at and
confined before the command's first instruction.
"""

import errno
import os
import signal
import struct
from collections.abc import Callable, Sequence
from typing import NoReturn

from hauberk.errors import HauberkError

NOT_FOUND = 127
NOT_EXECUTABLE = 126

_READY = b"+"
_FAULT = struct.Struct("=i")


class CommandError(HauberkError):
    """The command could not be started. `status` is what a shell would exit with."""

    def __init__(self, message: str, status: int, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.status = status


class Command:
    """A forked child, waiting before its exec. `pidfd` refers to it and becomes readable when it ends."""

    def __init__(self, argv: Sequence[str], prepare: Callable[[], None] | None = None) -> None:
        """Fork, and let the child run `prepare`. Raises CommandError if that fails."""
        self._argv = list(argv)
        ready, self._report = os.pipe()
        gate, self._gate = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ready)
            os.close(self._gate)
            self._child(gate, prepare)
        os.close(gate)
        os.close(self._report)
        self._answers = ready
        self.pidfd = os.pidfd_open(self.pid)
        answer = os.read(ready, 1 << 12)
        if answer != _READY:
            self.abandon()
            raise CommandError(answer.decode(errors="replace") or "the child process died", 125)

    def start(self) -> None:
        """Let the command begin. Raises CommandError if it cannot be executed."""
        os.write(self._gate, _READY)
        os.close(self._gate)
        self._gate = -1
        answer = os.read(self._answers, _FAULT.size)
        if len(answer) == _FAULT.size:
            (number,) = _FAULT.unpack(answer)
            os.waitpid(self.pid, 0)
            status = NOT_FOUND if number in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE
            raise CommandError(f"{self._argv[0]}: {os.strerror(number)}", status)

    def wait(self) -> int:
        """Wait for the end; the status as a shell gives it: 128 and the signal's number if a signal ended it."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return 128 - code if code < 0 else code

    def abandon(self) -> None:
        """End the child before it has begun."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        for fd in (self.pidfd, self._answers, self._gate):
            if fd >= 0:
                os.close(fd)
        self.pidfd = self._answers = self._gate = -1

    def _child(self, gate: int, prepare: Callable[[], None] | None) -> NoReturn:
        try:
            if prepare is not None:
                prepare()
            os.write(self._report, _READY)
        except BaseException as error:
            os.write(self._report, str(error).encode()[: 1 << 12] or b"?")
            os._exit(125)
        try:
            if os.read(gate, 1) != _READY:
                os._exit(125)
            # Python ignores these, and what is ignored stays so across an exec.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(self._argv[0], self._argv)
        except OSError as error:
            os.write(self._report, _FAULT.pack(error.errno or errno.EIO))
        finally:
            os._exit(125)
