# SPDX-License-Identifier: Apache-2.0
"""A command that waits, all prepared, until it is let go.

The child forks off, goes where the command is to live (its root), and then waits, so that it can be looked at
and confined before the command's first instruction. What it then executes finds the signals, descriptors,
process group and terminal that this process was started with, as under env(1).
"""

import errno
import os
import signal
import struct
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NoReturn

from hauberk.errors import HauberkError
from hauberk.kernel.signals import restore_default_handlers

FAILED = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127

_GO = b"+"
_FAULT = struct.Struct("=i")
_MESSAGE_BYTES = 1 << 12


class CommandError(HauberkError):
    """The command could not be started. `status` is what env(1) would exit with."""

    def __init__(self, message: str, status: int, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.status = status


class Command:
    """A forked child, waiting before its exec. `pidfd` refers to it and becomes readable when it ends."""

    def __init__(
        self,
        argv: Sequence[str],
        prepare: Callable[[], None] | None = None,
        *,
        blocked: Collection[int] | None = None,
    ) -> None:
        """Fork, and let the child run `prepare`. Raises CommandError if that fails.

        `blocked` are the signals that the command is to find blocked, if not those that are blocked now:
        these stay so while it waits.
        """
        self._argv = list(argv)
        self._blocked = blocked
        self.ended_by = 0
        """After `wait`: the signal that ended the command; 0 if it exited."""
        # Whoever started this process may ignore SIGCHLD, and then the kernel would forget the child's
        # status.
        self._sigchld = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
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
        try:
            answer = os.read(ready, _MESSAGE_BYTES)
        except BaseException:
            self.abandon()
            raise
        if answer != _GO:
            self.abandon()
            message, _, remedy = answer.decode(errors="replace").partition("\0")
            raise CommandError(message or "the command's process died before it began", FAILED, remedy)

    def start(self) -> None:
        """Let the command begin. Raises CommandError if it cannot be executed."""
        with suppress(BrokenPipeError):  # somebody killed it: `wait` will tell
            os.write(self._gate, _GO)
        os.close(self._gate)
        self._gate = -1
        answer = os.read(self._answers, _FAULT.size)
        if len(answer) == _FAULT.size:
            (number,) = _FAULT.unpack(answer)
            self.wait()
            status = NOT_FOUND if number == errno.ENOENT else NOT_EXECUTABLE
            raise CommandError(f"{self._argv[0]}: {os.strerror(number)}", status)

    def wait(self) -> int:
        """Wait for the end; the status as a shell gives it: 128 and the signal's number if a signal ended
        it."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.ended_by = max(-code, 0)
        return 128 - code if code < 0 else code

    def send(self, number: int) -> None:
        """Send the command a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def abandon(self) -> None:
        """End the child before it has begun."""
        self.send(signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        for fd in (self.pidfd, self._answers, self._gate):
            if fd >= 0:
                os.close(fd)
        self.pidfd = self._answers = self._gate = -1

    def _child(self, gate: int, prepare: Callable[[], None] | None) -> NoReturn:
        try:
            try:
                self._restore_signals()
                if prepare is not None:
                    prepare()
            except BaseException as error:
                remedy = error.remedy if isinstance(error, HauberkError) else ""
                text = f"{error or type(error).__name__}\0{remedy}"
                os.write(self._report, text.encode(errors="replace")[:_MESSAGE_BYTES])
                os._exit(FAILED)
            os.write(self._report, _GO)
            if os.read(gate, 1) == _GO:
                self._unblock_signals()
                os.write(self._report, _FAULT.pack(_execute(self._argv)))
        finally:
            os._exit(FAILED)

    def _unblock_signals(self) -> None:
        if self._blocked is None:
            return
        # Whoever stopped the job before the command began would have stopped this process only.
        for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, signal.signal(number, signal.SIG_IGN))
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def _restore_signals(self) -> None:
        # Python ignores these two, and what is ignored stays so across an exec.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if self._sigchld == signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        # A handler of this process would be a surprise here: while it waits, the child just ends.
        restore_default_handlers()


def _execute(argv: list[str]) -> int:
    """execvp(3), with its search and its shell for files without a header; the errno if that fails."""
    if not argv[0]:
        return errno.ENOENT
    if "/" in argv[0]:
        return _execute_file(argv[0], argv)
    failure = errno.ENOENT
    for directory in os.get_exec_path():
        code = _execute_file(os.path.join(directory or ".", argv[0]), argv)
        if code == errno.EACCES:
            failure = code
        elif code not in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ESTALE, errno.ETIMEDOUT):
            return code
    return failure


def _execute_file(path: str, argv: list[str]) -> int:
    try:
        os.execv(path, argv)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            return error.errno or errno.EIO
    try:
        os.execv("/bin/sh", ["/bin/sh", path, *argv[1:]])
    except OSError:
        return errno.ENOEXEC
