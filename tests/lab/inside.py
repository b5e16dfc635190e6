# SPDX-License-Identifier: Apache-2.0
"""Runs in the guest for test_boot: looks around, tries things, and leaves what it found in the writable
directory.

Everything is tried in one boot, so this only reports; what is right is said by the tests.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path


def text(path: str) -> str:
    return Path(path).read_text().strip()


def loopback_answers() -> bool:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        return True


def main() -> None:
    writable, throwaway, readonly = map(Path, sys.argv[1:])
    given = sys.stdin.buffer.read()
    (throwaway / "made-in-the-lab").write_text("gone tomorrow")
    (throwaway / "there-before").write_text("changed")
    (readonly / "gone").unlink()
    (writable / "kept").write_bytes(given)
    # It holds the pipes open and must not keep the machine from ending.
    subprocess.Popen(["sleep", "1000"])
    found = {
        "release": os.uname().release,
        "lsm": text("/sys/kernel/security/lsm").split(","),
        "uid": os.getuid(),
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "time": time.time(),
        "stdin": hashlib.sha256(given).hexdigest(),
        "throwaway": sorted(path.name for path in throwaway.iterdir()),
        "mounts": {line.split()[1]: line.split()[2] for line in text("/proc/self/mounts").splitlines()},
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "loopback": loopback_answers(),
        "module": subprocess.run(["modprobe", "dummy"], check=False).returncode == 0
        and "dummy " in text("/proc/modules"),
        "links": {name: os.readlink(f"/dev/{name}") for name in ("fd", "stdin", "stdout", "stderr")},
    }
    (writable / "found.json").write_text(json.dumps(found))
    block = bytes(range(256)) * 256
    for _ in range(80):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(block[::-1])
    sys.stderr.buffer.flush()
    os._exit(42)


if __name__ == "__main__":
    main()
