# SPDX-License-Identifier: Apache-2.0
"""The agent as its users have it, in the guest: its configuration in /etc, its socket, its file of alerts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import (
    AgentStatus,
    Apply,
    AskStatus,
    Delete,
    Document,
    PolicyRef,
    WorkloadStatus,
)
from hauberk.errors import HauberkError
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE
from tests.kernel.run.hauberk import until
from tests.kernel.runtimes.commands import must
from tests.kernel.runtimes.daemons import LOGS
from tests.runtimes.images import SECRET

HAUBERK = str(Path(sys.executable).with_name("hauberk"))
CONFIG = Path("/etc/hauberk/agent.yaml")
ALERTS = LOGS / "alerts.jsonl"
PATIENCE = 240.0

FORBIDDEN_PROGRAM = "/bin/id"


def policy(name: str, app: str) -> str:
    """A policy for containers with the label `app`: a program is not executed, a file not read."""
    return f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: {name}, namespace: {DEFAULT_NAMESPACE}}}
spec:
  selector: {{matchLabels: {{app: {app}}}}}
  process: {{matchPaths: [{{path: {FORBIDDEN_PROGRAM}}}]}}
  file: {{matchPaths: [{{path: {SECRET}}}]}}
  action: Block
"""


class Agent:
    """The agent's process, and what its commands would ask it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log = LOGS / "agent.log"

    def start(self, **settings: str) -> None:
        """Start it with these settings beside the tests' own, and wait until it answers."""
        CONFIG.parent.mkdir(exist_ok=True)
        CONFIG.write_text(json.dumps({"logPath": str(ALERTS)} | settings))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [HAUBERK, "agent"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers, "an answer of the agent")

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, f"the agent ended: {self._log.read_text()[-2000:]}"
        try:
            self.status()
        except HauberkError:
            return False
        return True

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal. What it has put in force stays."""
        if self._process:
            os.kill(self._process.pid, number)
            self._process.wait(timeout=PATIENCE)
            self._process = None

    def uninstall(self) -> None:
        """End it, and take back everything."""
        self.end()
        must([HAUBERK, "agent", "--uninstall"])

    def apply(self, text: str) -> None:
        ask(Apply((Document("test", text),)), timeout=PATIENCE)

    def delete(self, name: str) -> None:
        ask(Delete((PolicyRef("KubeArmorPolicy", DEFAULT_NAMESPACE, name),)), timeout=PATIENCE)

    def status(self) -> AgentStatus:
        return ask(AskStatus(), timeout=PATIENCE)

    def told(self) -> str:
        """What it says of itself, for whoever wonders why a test has failed."""
        try:
            status = msgspec.yaml.encode(self.status()).decode()
        except HauberkError as error:
            status = error.message
        return f"{status}\n{self._log.read_text()[-4000:]}"

    def workload(self, name: str) -> WorkloadStatus:
        """How the workload of this name stands."""
        (found,) = [each for each in self.status().workloads if each.name == name]
        return found


def alerts(container: str) -> list[Mapping[str, Any]]:
    """The alerts of a container so far."""
    if not ALERTS.exists():
        return []
    told = [json.loads(line) for line in ALERTS.read_text().splitlines()]
    return [alert for alert in told if alert.get("ContainerName") == container]


def alert_of(container: str) -> Mapping[str, Any]:
    """A container's first alert, waited for."""
    until(lambda: alerts(container), f"an alert of {container}")
    return alerts(container)[0]
