# SPDX-License-Identifier: Apache-2.0
"""What wires policies, workloads, the enforcer and the sinks together."""
