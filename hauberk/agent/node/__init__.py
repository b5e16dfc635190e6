# SPDX-License-Identifier: Apache-2.0
"""The agent of a node: one engine for all that runs here, in one loop."""
