# SPDX-License-Identifier: Apache-2.0
"""Signals for the first thread of a process. One for the process as a whole may be taken by a thread that a
library has started meanwhile, which blocks none."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)


def send_to_first_thread(pid: int, number: int) -> None:
    """Send a signal, as kill(2) does to a process of one thread."""
    if _libc.tgkill(pid, pid, number):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
