# SPDX-License-Identifier: Apache-2.0
"""Playing a scenario: it is set up, its steps are run one after the other, and each is judged at once."""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final, Protocol

from hauberk.events.alert import Alert, Log
from hauberk.workbench.live.alerts import describe, last_time, matching, time_of
from hauberk.workbench.live.commands import Outcome
from hauberk.workbench.live.differing import as_audit, as_block, is_twin, ours
from hauberk.workbench.live.goregexp import compile_go
from hauberk.workbench.live.inforce import InForce, RulingAgent
from hauberk.workbench.live.scenario import (
    ALL,
    HOST,
    SECTIONS,
    AlertPattern,
    Scenario,
    ScenarioError,
    Step,
)

TRIES: Final = 5
"""How often a step with `retry` is run."""
RETRY_SECONDS: Final = 2.0
LOG_SECONDS = 10.0
"""For how long a log that is expected may be under way."""
_PAUSE_SECONDS: Final = 0.05
_CLOCK_ERROR_SECONDS: Final = 0.01
_REFUSED: Final = (("action", "is", "Block"), ("result", "is", "Permission denied"))
_MAX_SHOWN: Final = 300
_POSTURE: Final = re.compile(r"(?P<host>hostD|d)efault(?P<section>File|Network|Capabilities)Posture")

Undo = Callable[[], None]


class AgentLike(RulingAgent, Protocol):
    """What is asked of the agent."""

    def set_postures(
        self, sections: Mapping[str, str], *, namespace: str = "", workload: str = ""
    ) -> Undo: ...
    def set_visible(self, sections: tuple[str, ...], *, namespace: str = "", workload: str = "") -> Undo: ...


class LogsLike(Protocol):
    """What gives the logs that have come."""

    def new(self) -> list[Log]: ...


class MarkerLike(Protocol):
    """What tells when all alerts have come."""

    def settled(self) -> list[Alert]: ...
    def settled_repeats(self) -> list[Alert]: ...
    def may_repeat(self, pattern: AlertPattern) -> bool: ...


class SceneLike(Protocol):
    """What a scenario plays on."""

    def set_up(self, late: bool) -> None: ...
    def run(self, step: Step) -> Outcome: ...
    def close(self) -> None: ...


class MismatchError(ScenarioError):
    """Something came otherwise than expected."""


class Player:
    """Plays scenarios, one after the other."""

    def __init__(
        self,
        agent: AgentLike,
        marker: MarkerLike,
        logs: LogsLike,
        make_scene: Callable[[Scenario], SceneLike],
    ) -> None:
        self._agent, self._marker, self._logs, self._make_scene = agent, marker, logs, make_scene

    def play(self, scenario: Scenario) -> None:
        """Play one. Raises MismatchError if something is not as expected, HauberkError if it cannot be
        played."""
        if not any(step.checks for step in scenario.steps):
            raise ScenarioError("nothing is checked in it")
        if is_twin(scenario):
            self._play_twins(scenario)
        else:
            self._play(ours(scenario))

    def _play_twins(self, scenario: Scenario) -> None:
        """Audit has to alert in exactly the steps in which Block refuses."""
        audited = self._play(as_audit(scenario))
        refused = self._play(as_block(scenario))
        names = {str(policy.get("metadata", {}).get("name", "")) for policy in scenario.policies}
        seen = 0
        for number, step in enumerate(scenario.steps):
            if not step.argv:
                continue
            alerts = [a for a in audited[number] if a.PolicyName in names and a.Action == "Audit"]
            blocks = [a for a in refused[number] if a.PolicyName in names and a.Action == "Block"]
            seen += bool(alerts)
            if bool(alerts) != bool(blocks):
                told, other = ("", "not ") if alerts else ("no ", "")
                raise MismatchError(
                    f"{_place(scenario, step)}: {told}alert under Audit, and Block does {other}refuse it"
                )
        if not seen:
            raise MismatchError("no step had an alert, neither under Audit nor under Block")

    def _play(self, scenario: Scenario) -> list[list[Alert]]:
        """The alerts of each step."""
        with ExitStack() as ending:
            self._set_postures(scenario, ending)
            if any(step.log for step in scenario.steps):
                self._set_visible(scenario, ending)
            scene = self._make_scene(scenario)
            ending.callback(scene.close)
            scene.set_up(late=False)
            told: list[list[Alert]] = []
            in_force = InForce(self._agent, scenario)
            ending.callback(in_force.delete, (ALL,))
            # Where a step says so; else before the first that is not said to come before.
            is_said = any(step.apply for step in scenario.steps)
            is_first = True
            for step in scenario.steps:
                names = step.apply or ((ALL,) if is_first and not (is_said or step.is_before) else ())
                if names:
                    in_force.apply(names)
                    if is_first:
                        scene.set_up(late=True)
                    is_first = False
                in_force.delete(step.delete)
                self._set(step.settings, ending)
                # What is told of the time before does not count.
                self._marker.settled()
                earlier = [alert for alerts in told for alert in alerts] if _may_be_earlier(step) else []
                told.append(self._step(scenario, step, scene, earlier) if step.argv else [])
            return told

    def _set_postures(self, scenario: Scenario, ending: ExitStack) -> None:
        postures = {**dict.fromkeys(SECTIONS, "audit"), **scenario.postures}
        settings = [*scenario.engine, *(name for step in scenario.steps for name in step.settings)]
        changes = any(map(_POSTURE.fullmatch, settings))
        if changes:
            # They are the global ones, that others are to come before.
            ending.callback(self._agent.set_postures(postures))
        for namespace in dict.fromkeys(each.namespace for each in scenario.containers):
            own = {**({} if changes else postures), **scenario.annotations.get(namespace, {})}
            if own:
                ending.callback(self._agent.set_postures(own, namespace=namespace))
        if scenario.is_of_host:
            ending.callback(self._agent.set_postures(postures, workload=HOST))
        self._set(scenario.engine, ending)

    def _set_visible(self, scenario: Scenario, ending: ExitStack) -> None:
        for namespace in dict.fromkeys(each.namespace for each in scenario.containers):
            ending.callback(self._agent.set_visible(scenario.visible, namespace=namespace))
        if scenario.is_of_host:
            ending.callback(self._agent.set_visible(scenario.visible, workload=HOST))

    def _set(self, settings: Mapping[str, str], ending: ExitStack) -> None:
        """Change global postures, or the host's, as a step says."""
        for name, value in settings.items():
            found = _POSTURE.fullmatch(name)
            if found:
                workload = HOST if found["host"] == "hostD" else ""
                ending.callback(
                    self._agent.set_postures({found["section"].lower(): value}, workload=workload)
                )

    def _step(self, scenario: Scenario, step: Step, scene: SceneLike, earlier: list[Alert]) -> list[Alert]:
        for left in reversed(range(TRIES if step.retry else 1)):
            try:
                return self._try(step, scene, earlier)
            except MismatchError as error:
                if not left:
                    raise MismatchError(f"{_place(scenario, step)}: {error.message}") from None
                time.sleep(RETRY_SECONDS)
            except ScenarioError as error:
                raise ScenarioError(f"{_place(scenario, step)}: {error.message}", error.remedy) from None
        raise AssertionError("the last try returns or raises")

    def _try(self, step: Step, scene: SceneLike, earlier: list[Alert]) -> list[Alert]:
        began = time.time() - _CLOCK_ERROR_SECONDS
        outcome = scene.run(step)

        def of_step(alerts: list[Alert]) -> list[Alert]:
            return [alert for alert in alerts if not 0 < last_time(alert) < began]

        alerts = of_step(self._marker.settled())
        _judge(step, outcome)
        wanted, unwanted = step.alert, step.no_alert
        is_missing = wanted is not None and len(matching(earlier + alerts, wanted)) < wanted.at_least
        if is_missing or (unwanted is not None and self._marker.may_repeat(unwanted)):
            alerts += of_step(self._marker.settled_repeats())
        told = f"alerts: {'; '.join(map(describe, alerts)) or 'none'}"
        if wanted is not None and _count(matching(earlier + alerts, wanted)) < wanted.at_least:
            raise MismatchError(f"no such alert as expected ({_conditions(wanted)}); {told}")
        if unwanted is not None and (found := matching(alerts, unwanted)):
            raise MismatchError(f"an alert that must not come: {describe(found[0])}")
        if step.log is not None:
            self._await_log(step.log, began)
        return alerts

    def _await_log(self, wanted: AlertPattern, began: float) -> None:
        """Logs have a ring of their own, so that the marker says nothing of them: they may come later."""
        logs: list[Log] = []
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            logs += [log for log in self._logs.new() if time_of(log) >= began]
            if len(matching(logs, wanted)) >= wanted.at_least:
                return
            if time.monotonic() > deadline:
                raise MismatchError(f"no such log as expected ({_conditions(wanted)}) among {len(logs)}")
            time.sleep(_PAUSE_SECONDS)


def _may_be_earlier(step: Step) -> bool:
    """Whether the alert that a step expects can be that of an earlier one: it is to succeed, and something
    is to have been refused. Some of KubeArmor's tests look for all alerts at the end."""
    wanted = step.alert.conditions if step.alert else ()
    return step.exit in ("ok", "0") and any((each.field, each.how, each.value) in _REFUSED for each in wanted)


def _count(alerts: list[Alert]) -> int:
    return sum(alert.Hauberk.Count for alert in alerts)


def _judge(step: Step, outcome: Outcome) -> None:
    """Compare status and output. Raises MismatchError."""
    status, output = outcome.status, outcome.output
    shown = f"; output: {output[:_MAX_SHOWN]!r}"
    wanted = {"ok": status == 0, "fail": status != 0, "any": True}.get(step.exit, str(status) == step.exit)
    if not wanted:
        raise MismatchError(f"exit status {status}, expected {step.exit}{shown}")
    for text in step.output_contains:
        if text not in output:
            raise MismatchError(f"the output does not contain `{text}`{shown}")
    for text in step.output_not_contains:
        if text in output:
            raise MismatchError(f"the output contains `{text}`{shown}")
    for text in step.output_matches:
        if not compile_go(text).search(output):
            raise MismatchError(f"the output does not match `{text}`{shown}")
    for text in step.output_not_matches:
        if compile_go(text).search(output):
            raise MismatchError(f"the output matches `{text}`{shown}")


def _conditions(pattern: AlertPattern) -> str:
    return ", ".join(f"{each.field} {each.how} {each.value}" for each in pattern.conditions) or "any"


def _place(scenario: Scenario, step: Step) -> str:
    return f"step {scenario.steps.index(step)} (line {step.line}) `{' '.join(step.argv)}`"
