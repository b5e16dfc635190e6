# SPDX-License-Identifier: Apache-2.0
"""The agent as its users have it: its process, its settings, its socket, its file of alerts."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import (
    AgentStatus,
    Apply,
    AskStatus,
    Delete,
    Document,
    ListPolicies,
    Policies,
    PolicyRef,
    WorkloadStatus,
)
from hauberk.errors import HauberkError
from tests.kernel.run.hauberk import HAUBERK, until

GROUND = Path("/run/agent-tests")
PATIENCE = 240.0
CGROUPS = Path("/sys/fs/cgroup")


def entering(path: str) -> Callable[[], None]:
    """For `preexec_fn`: has a process begin in a cgroup, which is made if need be."""
    directory = CGROUPS / path
    directory.mkdir(parents=True, exist_ok=True)

    def enter() -> None:
        (directory / "cgroup.procs").write_text("0")

    return enter


def descriptors(pid: int) -> int:
    """How many a process has open, when it has done with the last question's connection."""
    directory = Path(f"/proc/{pid}/fd")
    counts = [len(list(directory.iterdir()))]
    while len(counts) < 3 or len(set(counts[-3:])) > 1:
        time.sleep(0.2)
        counts.append(len(list(directory.iterdir())))
    return counts[-1]


class Agent:
    """The agent's process, and what its commands would ask it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.alerts_file = GROUND / "alerts.jsonl"
        self.policies = GROUND / "policies.d"
        self._config = GROUND / "agent.yaml"
        self._log = GROUND / "agent.log"

    def start(self, **settings: object) -> None:
        """Start it with these settings beside the tests' own, and wait until it answers."""
        self.policies.mkdir(parents=True, exist_ok=True)
        self.write_settings(**settings)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [HAUBERK, "agent", "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "an answer of the agent")

    def write_settings(self, **settings: object) -> None:
        """What its file of settings says from now on."""
        own = {
            "logPath": str(self.alerts_file),
            "stateDirectory": str(GROUND / "state"),
            "policiesDirectory": str(self.policies),
            "host": "node-1",
            "nodeLabels": {"role": "edge"},
        }
        self._config.write_text(json.dumps(own | settings))

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal. What it has put in force stays."""
        if self.process:
            self.process.send_signal(number)
            self.process.wait(timeout=PATIENCE)
            self.process = None

    def uninstall(self) -> None:
        """End it, and take back everything."""
        self.end()
        subprocess.run([HAUBERK, "agent", "--config", str(self._config), "--uninstall"], check=True)

    def apply(self, text: str, *, force: bool = False) -> Policies:
        return ask(Apply((Document("test.yaml", text),), force=force), timeout=PATIENCE)

    def delete(self, *names: str) -> None:
        ask(Delete(tuple(PolicyRef("", "", name) for name in names)), timeout=PATIENCE)

    def clear(self) -> None:
        """Delete every policy."""
        for path in self.policies.iterdir():
            path.unlink()
        until(lambda: not any(info.origin for info in self.listed().policies), "an empty directory")
        refs = tuple(info.ref for info in self.listed().policies)
        if refs:
            ask(Delete(refs), timeout=PATIENCE)

    def listed(self) -> Policies:
        return ask(ListPolicies(), timeout=PATIENCE)

    def status(self) -> AgentStatus:
        return ask(AskStatus(), timeout=PATIENCE)

    def workload(self, name: str) -> WorkloadStatus:
        """How the workload of this name stands."""
        (found,) = [each for each in self.status().workloads if each.name == name]
        return found

    def alerts(self, policy: str) -> list[Mapping[str, Any]]:
        """The alerts of a policy so far."""
        if not self.alerts_file.exists():
            return []
        told = [json.loads(line) for line in self.alerts_file.read_text().splitlines()]
        return [alert for alert in told if alert.get("PolicyName") == policy]

    def log(self) -> str:
        return self._log.read_text()

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, f"the agent ended: {self.log()[-2000:]}"
        try:
            self.status()
        except HauberkError:
            return False
        return True


def in_cgroup(path: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a cgroup, which is made if need be: as systemd starts a service's program."""
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, preexec_fn=entering(path), timeout=PATIENCE
    )


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of the host."""
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE)
