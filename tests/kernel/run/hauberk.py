# SPDX-License-Identifier: Apache-2.0
"""`hauberk run` as its users start it, and what it leaves in the kernel."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT

HAUBERK = str(Path(sys.executable).with_name("hauberk"))

_SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_NEXT_ID = {"programs": 11, "maps": 12, "links": 31}
_started: list[subprocess.Popen[str]] = []
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Run:
    """A run that has been started, with its files."""

    process: subprocess.Popen[str]
    directory: Path

    def finish(self) -> "Run":
        """Wait for the end; then `status`, `stdout` and `stderr` are known."""
        self.stdout, self.stderr = self.process.communicate(timeout=300)
        self.status = self.process.returncode
        return self

    @property
    def alerts(self) -> list[dict[str, Any]]:
        path = self.directory / "alerts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def report(self) -> dict[str, Any]:
        """What --status wrote."""
        found: dict[str, Any] = json.loads((self.directory / "status.json").read_text())
        return found

    def until(self, condition: Callable[[], object], what: str) -> None:
        until(lambda: self.process.poll() is not None or condition(), what)
        assert condition(), f"ended before {what}: {self.process.communicate()}"


def start(
    directory: Path,
    policy: str,
    *command: str,
    options: tuple[str, ...] = (),
    before: tuple[str, ...] = (),
    alerts: str = "",
) -> Run:
    """Start a run under one policy that selects it. `before` stands before `hauberk` on the command line."""
    (directory / "policy.yaml").write_text(policy)
    argv = [
        *(*before, HAUBERK, "run", "-p", str(directory / "policy.yaml")),
        *("--alerts", alerts or str(directory / "alerts.jsonl"), "--status", str(directory / "status.json")),
        *(*options, "--", *command),
    ]
    return start_process(directory, argv)


def start_process(directory: Path, argv: Sequence[str]) -> Run:
    """Start a command of Hauberk that looks after runs, with its files in `directory`."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _started.append(process)
    return Run(process, directory)


def end_started() -> None:
    """Kill what a test has started and not seen end."""
    for process in _started:
        with process:
            process.kill()
    _started.clear()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, f"{what} has not come about"
        time.sleep(0.05)


def pinned() -> list[Path]:
    """The directories of runs that are pinned now."""
    return sorted(PIN_ROOT.glob("run-*"))


def kernel_ids() -> dict[str, set[int]]:
    """The ids of all BPF programs, maps and links there are."""
    return {kind: _ids(command) for kind, command in _NEXT_ID.items()}


def _ids(command: int) -> set[int]:
    found = set()
    attribute = (ctypes.c_uint32 * 4)()
    while _libc.syscall(_SYS_BPF, command, attribute, 16) == 0:
        found.add(attribute[1])
        attribute[0] = attribute[1]
    return found


def block(*paths: str) -> str:
    """A policy that blocks these files for every workload of the default namespace."""
    rules = "\n".join(f"    - path: {path}" for path in paths)
    return f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: secrets, namespace: default}}
spec:
  selector: {{}}
  file:
    matchPaths:
{rules}
  action: Block
"""
