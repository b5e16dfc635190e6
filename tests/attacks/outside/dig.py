# SPDX-License-Identifier: Apache-2.0
"""Move the secret down: dig.py VAULT DEPTH LENGTH, by DEPTH directories of names LENGTH bytes long."""

import os
import sys

vault, depth, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(f"{vault}/secret") as file:
    secret = file.read()
os.chdir(vault)
for _ in range(depth):
    os.mkdir("d" * length)
    os.chdir("d" * length)
with open("secret", "w") as file:
    file.write(secret)
