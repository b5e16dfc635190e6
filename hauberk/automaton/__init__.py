# SPDX-License-Identifier: Apache-2.0
"""From path patterns to the tables that the kernel walks: pure functions over bytes, no input or output."""
