# SPDX-License-Identifier: Apache-2.0
"""The two windows in which the programs count repeats (bpf/lib/repeats.h says how they use them).

To read a window: `close` it, wait until it is `quiet`, `take` what it holds. Its slots are then free again,
and only then may the other one be closed.
"""

from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.events.repeats import WINDOW_BYTES
from hauberk.kernel.maps import Mapped

_NOTHING: Final = bytes(WINDOW_BYTES)


class Repeats:
    """The windows of one engine, which has one reader. `mapped`, its `hb_repeats`, is closed with it."""

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped

    @property
    def window(self) -> int:
        """The number of the window that is open. It grows by one with each."""
        return self._mapped.load_u64(abi.REPEATS_WINDOW)

    def close_window(self) -> int:
        """Close the open window and open the next; the number of the one that was closed."""
        window = self.window
        self._mapped.store_u64(abi.REPEATS_WINDOW, window + 1)
        return window

    def quiet(self, window: int) -> bool:
        """Whether no program is at work in a closed window any more."""
        return self._mapped.load_u64(abi.REPEATS_INSIDE + 8 * (window & 1)) == 0

    def take(self, window: int) -> bytes:
        """The slots of a closed, quiet window, which are free from here on; nothing if all of them are."""
        begin = abi.REPEATS_SLOTS + (window & 1) * WINDOW_BYTES
        slots = self._mapped.view[begin : begin + WINDOW_BYTES]
        held = bytes(slots)
        if held == _NOTHING:  # of the view itself each byte would be compared by itself
            return b""
        slots[:] = _NOTHING
        return held

    def close(self) -> None:
        """Unmap the windows; what they hold stays."""
        self._mapped.close()
