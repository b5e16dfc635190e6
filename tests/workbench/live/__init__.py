# SPDX-License-Identifier: Apache-2.0
"""Live tests of policies, as far as they can be tested without a kernel that enforces any."""
