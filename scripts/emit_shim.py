# SPDX-License-Identifier: Apache-2.0
"""Writes the C of the extension `hauberk.kernel._shim` (meson calls it).

cffi's out-of-line API mode: the declarations given here are compiled against the real headers, so a wrong one
is a build failure and not a crash at run time.
"""

import sys
from pathlib import Path

import cffi


def declarations(header: str) -> str:
    """The header without its preprocessor lines, which cffi does not read."""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


def main() -> None:
    header, libbpf, output = map(Path, sys.argv[1:])
    builder = cffi.FFI()
    builder.cdef(libbpf.read_text())
    builder.cdef(declarations(header.read_text()))
    builder.set_source("hauberk.kernel._shim", '#include "shim.h"\n', py_limited_api=True)
    builder.emit_c_code(str(output))


if __name__ == "__main__":
    main()
