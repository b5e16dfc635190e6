# SPDX-License-Identifier: Apache-2.0
"""Somebody outside who serves the secret at VAULT/socket: service.py VAULT OPEN."""

import os
import socket
import sys

vault, open_ = sys.argv[1:]
os.chdir(vault)
with open("secret", "rb") as file:
    secret = file.read()
with socket.socket(socket.AF_UNIX) as server:
    server.bind("socket")
    server.listen()
    open(f"{open_}/ready", "w").close()
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(secret)
