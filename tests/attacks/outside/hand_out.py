# SPDX-License-Identifier: Apache-2.0
"""Somebody outside who hands out an open file: hand_out.py FILE DIRECTORY, at DIRECTORY/socket."""

import os
import socket
import sys

path, directory = sys.argv[1:]
os.chdir(directory)
with socket.socket(socket.AF_UNIX) as server:
    server.bind("socket")
    server.listen()
    open("ready", "w").close()
    connection, _ = server.accept()
    with open(path, "rb") as file:
        socket.send_fds(connection, [b"x"], [file.fileno()])
    connection.recv(1)
