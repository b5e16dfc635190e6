# SPDX-License-Identifier: Apache-2.0
# The blocked library loaded by a program that runs already.
#
# bash loads its builtins with dlopen(3): no exec, only a mapping.
#
# ---
# tries: [B4]
# rule: library
# wins: ran
bash -c 'enable -f "$V/lib.so" nothing'
