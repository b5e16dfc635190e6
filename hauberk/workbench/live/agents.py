# SPDX-License-Identifier: Apache-2.0
"""The agent that scenarios are run against: the one of this machine, or one for the time of the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hauberk.agent.config.load import load
from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import (
    Apply,
    AskStatus,
    Delete,
    Document,
    Policies,
    PolicyRef,
    Posture,
    Visibility,
)
from hauberk.errors import HauberkError
from hauberk.workbench.live.features import policies_text
from hauberk.workbench.live.scenario import SECTIONS, ScenarioError

PATIENCE_SECONDS: Final = 180.0
"""How long the agent may take to start, to answer, and to end."""
_MAIN: Final = "from hauberk.cli.main import main; main()"


class Agent:
    """An agent that answers, and the file that it appends alerts to."""

    def __init__(self, socket: str, alerts: Path) -> None:
        self._socket = socket
        self.alerts = alerts

    @property
    def node(self) -> str:
        """The node's name. Raises HauberkError."""
        return ask(AskStatus(), self._socket, PATIENCE_SECONDS).node

    def apply(self, policies: tuple[Mapping[str, Any], ...]) -> tuple[PolicyRef, ...]:
        """Put policies in force, for every workload that they select; what they are called.

        Raises ScenarioError if one is rejected, HauberkError if the agent refuses. None is in force then.
        """
        if not policies:
            return ()
        document = Document("policies", policies_text(policies))
        reply: Policies = ask(Apply((document,)), self._socket, PATIENCE_SECONDS)
        refs = tuple(each.ref for each in reply.policies)
        for each in reply.policies:
            for standing in each.workloads:
                if standing.state == "rejected":
                    self.delete(refs)
                    why = "; ".join(standing.reasons)
                    raise ScenarioError(f"{each.ref} is rejected for {standing.workload}: {why}")
        return refs

    def delete(self, refs: tuple[PolicyRef, ...]) -> None:
        """Take policies back. Raises HauberkError."""
        ask(Delete(refs), self._socket, PATIENCE_SECONDS)

    def set_postures(
        self, sections: Mapping[str, str], *, namespace: str = "", workload: str = ""
    ) -> Callable[[], None]:
        """Set default postures, and return what takes them back. Raises HauberkError."""

        def put(values: Mapping[str, str]) -> None:
            ask(Posture(namespace, workload, dict(values)), self._socket, PATIENCE_SECONDS)

        put(sections)
        return lambda: put(dict.fromkeys(sections, "default"))

    def set_visible(
        self, sections: tuple[str, ...], *, namespace: str = "", workload: str = ""
    ) -> Callable[[], None]:
        """Have these sections reported, and return what takes that back. Raises HauberkError."""

        def put(values: tuple[str, ...]) -> None:
            ask(Visibility(namespace, workload, values), self._socket, PATIENCE_SECONDS)

        put(sections)
        return lambda: put(("default",))

    def findings(self) -> str:
        """What is wrong with the agent, in its own words; empty if nothing is. Raises HauberkError."""
        status = ask(AskStatus(), self._socket, PATIENCE_SECONDS)
        return "; ".join((*status.findings, *(f"{count} {what}" for what, count in status.lost.items())))


@contextmanager
def agent_for_tests(scratch: Path) -> Iterator[Agent]:
    """The agent that runs on this machine. If none does, one is started, and afterwards every trace of it is
    removed. Raises HauberkError: it cannot enforce anything here, say."""
    settings = load(None, os.environ, {}).settings
    if _answers(settings.socket):
        if not settings.alerts.startswith("/"):
            raise ScenarioError(
                "an agent runs here, and it does not write its alerts to a file",
                "set `logPath` to a file in /etc/hauberk/agent.yaml and restart it, or stop it for the tests",
            )
        yield Agent(settings.socket, Path(settings.alerts))
        return
    agent = Agent(settings.socket, scratch / "alerts.jsonl")
    own = [
        *("--logPath", str(agent.alerts), "--stateDirectory", str(scratch / "state")),
        *("--policiesDirectory", str(scratch / "policies.d"), "--socket", settings.socket),
        *(word for name in SECTIONS for word in (f"--default{name.capitalize()}Posture", "audit")),
        *(word for name in SECTIONS for word in (f"--hostDefault{name.capitalize()}Posture", "audit")),
    ]
    (scratch / "policies.d").mkdir()
    command = [sys.executable, "-I", "-c", _MAIN, "agent", *own]
    with (scratch / "agent.log").open("w+b") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await(settings.socket, process, scratch / "agent.log")
            yield agent
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            subprocess.run(
                [*command, "--uninstall"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )


def _answers(socket: str) -> bool:
    try:
        ask(AskStatus(), socket, PATIENCE_SECONDS)
    except HauberkError:
        return False
    return True


def _await(socket: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(socket):
        if process.poll() is not None:
            words = log.read_text(errors="replace").strip().removeprefix("hauberk: ")
            raise HauberkError(
                f"the agent for the tests ended: {words}",
                "`hauberk probe` says what is missing; the machine of `hauberk lab run` has it",
            )
        if time.monotonic() > deadline:
            raise HauberkError(
                f"the agent for the tests has not answered within {PATIENCE_SECONDS:g} seconds"
            )
        time.sleep(0.05)
