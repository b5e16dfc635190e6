# SPDX-License-Identifier: Apache-2.0
"""`guest.py` in the lab, one machine for each kernel."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.root import compile_programs

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
KERNELS = ("6.1", "6.12")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measured(kernels: Sequence[str], arguments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What `guest.py` found on each kernel; one that could not be measured is missing."""
    found: dict[str, dict[str, Any]] = {}
    compile_programs()

    def measure(kernel: str) -> None:
        if (result := _measured(kernel, arguments)) is not None:
            found[kernel] = result

    # Instructions are counted, so the machines may share this one's processors.
    threads = [threading.Thread(target=measure, args=(kernel,)) for kernel in kernels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _measured(kernel: str, arguments: Sequence[str]) -> dict[str, Any] | None:
    command = [str(BIN / "hauberk"), "lab", "run", "--kernel", kernel, "--icount", "--"]
    command += [str(BIN / "python"), "-m", "bench.guest", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        out: list[bytes] = []
        reader = threading.Thread(target=lambda pipe: out.append(pipe.read()), args=(process.stdout,))
        reader.start()
        for line in process.stderr:
            say(f"[{kernel}] {line.decode(errors='replace').rstrip()}")
        reader.join()
    if process.returncode:
        return None
    result: dict[str, Any] = json.loads(out[0])
    return result
