# SPDX-License-Identifier: Apache-2.0
"""A span of time in numbers, and as a page with plots."""
