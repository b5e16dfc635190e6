# SPDX-License-Identifier: Apache-2.0
"""A container that makes alerts on demand, so that it is certain when all others have been told.

The kernel tells of violations in the order in which they happen, so once the alert of an access made after a
step has come, every alert of the step has: that none came is then a fact, and not a matter of patience. Only
what is counted as a repeat of an earlier violation is told later, when the agent closes its window; a repeat
of the marker's own is told then as well.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hauberk.events.alert import Alert
from hauberk.workbench.live import programs
from hauberk.workbench.live.agents import Agent
from hauberk.workbench.live.alerts import AlertFile, matching
from hauberk.workbench.live.runtime import Runtime, specification
from hauberk.workbench.live.scenario import AlertPattern, Container, ScenarioError

NAME: Final = "hauberk-live-marker"
NAMESPACE: Final = "hauberk-live"
PATIENCE_SECONDS: Final = 120.0
"""How long an alert of the marker may take; only a defect, or a machine that hardly runs, lets it."""
WINDOW_SECONDS: Final = 60.0
"""Longer than the agent counts repeats before it tells of them, on any machine."""
_PAUSE_SECONDS: Final = 0.02
_DIRECTORY: Final = "/mark/"
_PROGRAM: Final = "touch-lines"
_POLICY: Final = {
    "apiVersion": "security.kubearmor.com/v1",
    "kind": "KubeArmorPolicy",
    "metadata": {"name": NAME, "namespace": NAMESPACE},
    "spec": {
        "selector": {},
        "file": {"matchDirectories": [{"dir": _DIRECTORY}]},
        "action": "Audit",
    },
}


class Marker:
    """The container, from its start to `close`. Raises HauberkError if it cannot be started or bound."""

    def __init__(self, agent: Agent, runtime: Runtime, directory: Path) -> None:
        self._agent, self._runtime = agent, runtime
        self._file = AlertFile(agent.alerts)
        self._count = 0
        self._recent: list[tuple[float, Alert]] = []
        root = directory / "marker"
        for name in (_DIRECTORY, "proc", "dev", "sys"):
            (root / name.strip("/")).mkdir(parents=True)
        programs.put(_PROGRAM, root / _PROGRAM)
        container = Container(target=NAME, name=NAME, namespace=NAMESPACE, image="")
        spec = specification(container, root, "/", [f"/{_PROGRAM}"], {})
        self._refs = agent.apply((_POLICY,))
        reading, self._writing = os.pipe2(os.O_CLOEXEC)
        with os.fdopen(reading, "rb") as stdin:
            runtime.create(container, spec, stdin)
        runtime.start(container)
        self.settled()

    def settled(self) -> list[Alert]:
        """All alerts of what has happened until now, as far as they were not returned before, in their order.

        Of those that are repeats of earlier ones it may be that some are not told yet (`settled_repeats`).
        """
        self._count += 1
        self._touch()
        return self._until(lambda alert: True)

    def settled_repeats(self) -> list[Alert]:
        """The same with all repeats. This takes until the agent closes its window, some seconds."""
        found = self.settled()
        self._touch()
        self._touch()
        return found + self._until(lambda alert: bool(alert.Hauberk.LastTime))

    def may_repeat(self, pattern: AlertPattern) -> bool:
        """Whether an alert that is meant by `pattern` was told so lately that more may only be counted."""
        horizon = time.monotonic() - WINDOW_SECONDS
        self._recent = [(when, alert) for when, alert in self._recent if when >= horizon]
        return bool(matching((alert for _, alert in self._recent), pattern))

    def close(self) -> None:
        """End it."""
        os.close(self._writing)
        self._runtime.remove(NAME)
        self._agent.delete(self._refs)

    @property
    def _path(self) -> str:
        return f"{_DIRECTORY}{self._count}"

    def _touch(self) -> None:
        os.write(self._writing, f"{self._path}\n".encode())

    def _until(self, is_last: Callable[[Alert], bool]) -> list[Alert]:
        """Alerts up to one of the marker's for the present path."""
        found: list[Alert] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            new, own = self._file.new(), False
            for alert in new:
                if alert.ContainerName != NAME:
                    found.append(alert)
                    self._recent.append((time.monotonic(), alert))
                elif alert.Resource == self._path and is_last(alert):
                    own = True
            if own:
                return found
            if time.monotonic() > deadline:
                raise ScenarioError(
                    f"the agent does not tell what {NAME} does, so nothing can be said of others",
                    self._agent.findings() or "`hauberk status` shows how its policy stands",
                )
            time.sleep(_PAUSE_SECONDS)
