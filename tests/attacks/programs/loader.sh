# SPDX-License-Identifier: Apache-2.0
# The blocked program run by the ELF loader: it is the loader that is executed.
#
# The program is only opened for reading and mapped (fapolicyd issue 23 and pull request 386; rules on exec see
# ld.so).
#
# ---
# tries: [B1]
# rule: program
# wins: ran
/lib64/ld-linux-x86-64.so.2 "$V/prog"
