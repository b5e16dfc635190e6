# SPDX-License-Identifier: Apache-2.0
"""Enforcement by BPF programs on the kernel's LSM hooks."""

from hauberk.enforcers.bpf_lsm.engine import Engine

__all__ = ["Engine"]
