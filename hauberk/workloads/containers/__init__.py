# SPDX-License-Identifier: Apache-2.0
"""Containers of this machine, found where their runtimes keep what they know: no daemon is asked."""
