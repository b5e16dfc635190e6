# SPDX-License-Identifier: Apache-2.0
"""Somebody outside with a terminal, whose name stands in DIRECTORY/ready: terminal.py DIRECTORY."""

import os
import sys
import time

master, slave = os.openpty()
with open(f"{sys.argv[1]}/starting", "w") as ready:
    ready.write(os.ttyname(slave))
os.rename(f"{sys.argv[1]}/starting", f"{sys.argv[1]}/ready")
time.sleep(1000)
