# SPDX-License-Identifier: Apache-2.0
"""What makes the kernel refuse: enforcers behind one Protocol, and the status that each policy has under
one."""
