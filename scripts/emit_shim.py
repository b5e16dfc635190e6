# SPDX-License-Identifier: Apache-2.0
"""Writes the C of an extension (meson calls it): emit_shim.py MODULE OUTPUT HEADER..., of which the last is
included and the others are only declarations.

cffi's out-of-line API mode: the declarations given here are compiled against the real headers, so a wrong one
is a build failure and not a crash at run time.
"""

import sys
from pathlib import Path

import cffi


def declarations(path: Path) -> str:
    """What cffi reads of a file: of a header all but its preprocessor lines."""
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if path.suffix != ".h" or not line.startswith("#"))


def main() -> None:
    module, output, *headers = sys.argv[1:]
    builder = cffi.FFI()
    for header in headers:
        builder.cdef(declarations(Path(header)))
    builder.set_source(module, f'#include "{Path(headers[-1]).name}"\n', py_limited_api=True)
    builder.emit_c_code(output)


if __name__ == "__main__":
    main()
