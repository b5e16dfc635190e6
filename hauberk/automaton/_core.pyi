# SPDX-License-Identifier: Apache-2.0
"""The extension that meson builds from core.h and the C files here."""

from typing import Any

ffi: Any
lib: Any
