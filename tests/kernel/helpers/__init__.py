# SPDX-License-Identifier: Apache-2.0
"""Workloads that do what a test tells them, one script of system calls after the other (act.c)."""
