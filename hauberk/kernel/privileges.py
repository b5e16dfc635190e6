# SPDX-License-Identifier: Apache-2.0
"""Giving up what root may do, for processes that only have to read and write what is theirs."""

import ctypes
import os
from typing import Final

from hauberk.kernel.errors import KernelError

_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_VERSION: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words of 32 bits for each set
_CAP_LAST: Final = 63

_libc = ctypes.CDLL(None, use_errno=True)


def drop_capabilities(*kept: int) -> None:
    """Give up every capability but those that are `kept`, for this thread and all that it will start, for
    good; what it executes has none.

    What is left of root is what its user id owns. To be called while there is one thread. Raises KernelError.
    """
    for capability in range(_CAP_LAST + 1):
        # Without CAP_SETPCAP nothing can be taken off the bounding set, and no_new_privs does as much.
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    bits = sum(1 << capability for capability in kept)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    # Effective, permitted and inheritable ones, the lower words first.
    left = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    if _libc.capset(header, left) < 0:
        raise _error("capset")
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0:
        raise _error("prctl(PR_SET_NO_NEW_PRIVS)")


def _error(what: str) -> KernelError:
    code = ctypes.get_errno()
    return KernelError(f"{what}: {os.strerror(code)}", code)
