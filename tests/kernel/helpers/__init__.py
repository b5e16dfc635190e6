# SPDX-License-Identifier: Apache-2.0
"""Workloads that do what a test tells them, one script of system calls after the other (act.c)."""

import os
from typing import Final

SHARE: Final = 1 if os.environ.get("HAUBERK_FULL") == "1" else 10
"""What takes long is done in full only if asked for; else by this number less."""
