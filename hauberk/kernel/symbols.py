# SPDX-License-Identifier: Apache-2.0
"""Where the kernel keeps its variables.

libbpf would find that out for the programs, by reading all of /proc/kallsyms, which costs a billion
instructions. The kernel can be asked.
"""

import errno

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import LoadError, explain


def address_of(name: str) -> int:
    """The address of a variable or function of the kernel, 0 if there is none. Raises LoadError."""
    address = ffi.new("uint64_t *")
    code = lib.shim_symbol(name.encode(), address)
    if code not in (0, -errno.ENOENT):
        raise LoadError(f"looking for the kernel's {name}: {explain(-code)}", -code)
    return int(address[0]) if not code else 0
