# SPDX-License-Identifier: Apache-2.0
"""The policies of a node: those that were applied, and those in the watched directory."""
