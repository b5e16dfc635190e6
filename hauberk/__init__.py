# SPDX-License-Identifier: Apache-2.0
"""Hauberk: a runtime security engine that makes the kernel refuse what a policy forbids."""

__version__ = "0.1.0"
