# SPDX-License-Identifier: Apache-2.0
"""An agent, a marker and a scene that do nothing but what a test tells them to: they note what is asked, and
give the outcomes and alerts that the test lists."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hauberk.agent.control.messages import PolicyRef
from hauberk.events.alert import Alert, Extras, Log
from hauberk.workbench.live.commands import Outcome
from hauberk.workbench.live.play import Player
from hauberk.workbench.live.scenario import AlertPattern, Scenario, Step


def alert(**fields: Any) -> Alert:
    """A refusal by the policy `p`."""
    told = {"PolicyName": "p", "Action": "Block", "Operation": "Process", "Result": "Permission denied"}
    extras = fields.pop("extras", Extras())
    return Alert(PPID=0, UID=0, Hauberk=extras, **{**told, **fields})


class FakeWorld:
    """All three in one. Each entry of `script` is what comes of one command: outcome, alerts, and alerts
    that are told late, as repeats."""

    node = "node-1"

    def __init__(self, *script: tuple[Outcome, Sequence[Alert], Sequence[Alert]]) -> None:
        self.script = list(script)
        self.log: list[str] = []
        self.applied: list[tuple[Mapping[str, Any], ...]] = []
        self.repeats_are_possible = False
        self.logs: list[list[Log]] = []
        self._told: list[Alert] = []
        self._late: list[Alert] = []

    def player(self) -> Player:
        def scene(scenario: Scenario) -> FakeWorld:
            return self

        return Player(self, self, self, scene)

    # the agent

    def apply(self, policies: tuple[Mapping[str, Any], ...]) -> tuple[PolicyRef, ...]:
        self.log.append("apply")
        self.applied.append(policies)
        return tuple(PolicyRef(p["kind"], "", p["metadata"]["name"]) for p in policies)

    def delete(self, refs: tuple[PolicyRef, ...]) -> None:
        self.log.append(f"delete {len(refs)}")

    def set_postures(
        self, sections: Mapping[str, str], *, namespace: str = "", workload: str = ""
    ) -> Callable[[], None]:
        scope = namespace or workload or "all"
        self.log.append(f"posture of {scope}: {' '.join(sections.values())}")
        return lambda: self.log.append(f"posture of {scope} back")

    def set_visible(
        self, sections: tuple[str, ...], *, namespace: str = "", workload: str = ""
    ) -> Callable[[], None]:
        scope = namespace or workload
        self.log.append(f"visible of {scope}: {' '.join(sections)}")
        return lambda: self.log.append(f"visible of {scope} back")

    # the logs

    def new(self) -> list[Log]:
        return self.logs.pop(0) if self.logs else []

    # the marker

    def settled(self) -> list[Alert]:
        told, self._told = self._told, []
        return told

    def settled_repeats(self) -> list[Alert]:
        self.log.append("repeats")
        late, self._late = self._late, []
        return late

    def may_repeat(self, pattern: AlertPattern) -> bool:
        return self.repeats_are_possible

    # the scene

    def set_up(self, late: bool) -> None:
        self.log.append("set up late" if late else "set up")

    def run(self, step: Step) -> Outcome:
        self.log.append(f"run {' '.join(step.argv)}")
        outcome, told, late = self.script.pop(0)
        self._told += told
        self._late += late
        return outcome

    def close(self) -> None:
        self.log.append("close")
