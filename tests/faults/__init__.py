# SPDX-License-Identifier: Apache-2.0
"""Faults put in on purpose, to see that the tests would notice.

Those of the meaning itself are in tests/rules/test_seeded_faults.py, those of the BPF programs in
tests/kernel/agreement/test_seeded_faults.py.
"""
