# SPDX-License-Identifier: Apache-2.0
"""Each program of hauberk/bpf/hooks: what it refuses, and that nothing else would."""
