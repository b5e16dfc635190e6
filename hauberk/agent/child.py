# SPDX-License-Identifier: Apache-2.0
"""Work done in a child process, whose memory is gone when it is done.

Reading policies and compiling them takes several times the memory that the result does, and the process
that asks for it may stay for as long as its workload lives.
"""

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from io import FileIO
from select import POLLIN, poll
from typing import Final, NoReturn, TypeVar

from hauberk.errors import HauberkError
from hauberk.kernel.signals import SignalReader, die_with

T = TypeVar("T")

_CHUNK: Final = 1 << 20


class ChildDefect(RuntimeError):
    """The work raised something that Hauberk does not raise on purpose; the child's traceback is the text."""


def in_child(work: Callable[[], T], signals: SignalReader) -> T:
    """The result of `work`, which has to be picklable.

    A HauberkError that it raises is raised here, as a plain one with the same message and remedy. Raises
    HauberkError if the child is killed (for want of memory, say), ChildDefect for any other exception, and
    Interruption if one of `signals` asks for it.
    """
    receive, send = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        _answer(parent, send, work)
    os.close(send)
    try:
        with open(receive, "rb", buffering=0) as pipe:
            data = _read(pipe, signals)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise HauberkError(f"the process that prepares the policies {how} before it was done")
    result, error, defect = pickle.loads(data)
    if defect:
        raise ChildDefect(defect)
    if error:
        raise HauberkError(*error)
    answer: T = result
    return answer


def _read(pipe: FileIO, signals: SignalReader) -> bytes:
    """All that comes through the pipe."""
    chunks: list[bytes] = []
    waiting = poll()
    waiting.register(pipe, POLLIN)
    waiting.register(signals, POLLIN)
    while True:
        ready = [fd for fd, _ in waiting.poll()]
        signals.heed()
        if pipe.fileno() in ready:
            chunk = pipe.read(_CHUNK)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)


def _answer(parent: int, send: int, work: Callable[[], T]) -> NoReturn:
    try:
        try:
            # It may wait for somebody to write policies, and an interruption may come before it is known.
            die_with(parent)
            data = pickle.dumps((work(), None, ""), pickle.HIGHEST_PROTOCOL)
        except HauberkError as error:
            data = pickle.dumps((None, (error.message, error.remedy), ""))
        except Exception:
            data = pickle.dumps((None, None, traceback.format_exc()))
        with open(send, "wb") as pipe:
            pipe.write(data)
        os._exit(0)
    finally:
        os._exit(1)
