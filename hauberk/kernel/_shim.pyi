# SPDX-License-Identifier: Apache-2.0
"""The extension that meson builds from shim.c, shim.h and libbpf.cdef, which the C compiler checks."""

from typing import Any

ffi: Any
lib: Any
