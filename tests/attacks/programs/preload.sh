# SPDX-License-Identifier: Apache-2.0
# The blocked library loaded into an innocent program, by LD_PRELOAD and by the loader's own option.
#
# Nothing is executed but the innocent program.
#
# ---
# tries: [B4]
# rule: library
# wins: ran
LD_PRELOAD="$V/lib.so" /bin/true
/lib64/ld-linux-x86-64.so.2 --preload "$V/lib.so" /bin/true
