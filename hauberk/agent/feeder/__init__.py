# SPDX-License-Identifier: Apache-2.0
"""What clients connect to, in a process of its own: whatever they do, and whatever serving them costs in
memory and time, the agent enforces on."""
