# SPDX-License-Identifier: Apache-2.0
"""The user's terminal while the guest's is shown on it: every key goes to the guest, none is for us."""

import termios
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored(descriptor: int) -> Iterator[None]:
    """Put the terminal back as it was, whatever was done to it meanwhile."""
    before = termios.tcgetattr(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
