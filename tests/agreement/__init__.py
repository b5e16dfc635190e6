# SPDX-License-Identifier: Apache-2.0
"""Random policies and accesses, and what `decide` says of them, to hold the tables and the kernel against."""
