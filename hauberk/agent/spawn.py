# SPDX-License-Identifier: Apache-2.0
"""A module of Hauberk as a process of its own that the agent talks with over a socket."""

import os
import signal
import socket
import sys
from collections.abc import Sequence


def spawn(module: str, end: socket.socket, arguments: Sequence[str] = ()) -> int:
    """Start `python -m MODULE AGENT SOCKET ARGUMENT...`; its process id.

    AGENT is this process, and SOCKET the number under which the module has `end`, which stays open here too.
    Nothing of this process's signals, terminal or standard input reaches it, and what it prints goes to
    standard error. Raises OSError.
    """
    os.set_inheritable(end.fileno(), True)
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", module, str(os.getpid()), str(end.fileno()), *arguments],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                # What it might print is for people, and not for whoever reads alerts.
                (os.POSIX_SPAWN_DUP2, 2, 1),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
    finally:
        os.set_inheritable(end.fileno(), False)


def how_it_ended(pid: int) -> str:
    """Wait for a child that ends; how it ended, in words."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # somebody else has heard of it
        return "ended"
    return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
