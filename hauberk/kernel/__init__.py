# SPDX-License-Identifier: Apache-2.0
"""The only door to the kernel: libbpf, maps, rings, pins, probes and struct layouts."""
