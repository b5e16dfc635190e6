# SPDX-License-Identifier: Apache-2.0
"""All scenarios of some files: each is skipped, or played, and its result told as it ends."""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import msgspec

from hauberk.errors import HauberkError
from hauberk.kernel.overlay import mount_tmpfs, unmount
from hauberk.lab.kernels import Progress
from hauberk.workbench.live import packages
from hauberk.workbench.live.agents import agent_for_tests
from hauberk.workbench.live.alerts import LogFile
from hauberk.workbench.live.features import load_policies, missing_features
from hauberk.workbench.live.marker import Marker
from hauberk.workbench.live.play import Player
from hauberk.workbench.live.runtime import Runtime, find_runtime
from hauberk.workbench.live.scenario import Scenario, ScenarioError
from hauberk.workbench.live.scene import Scene

Started = Callable[[Scenario], object]


class Result(msgspec.Struct, frozen=True):
    """What came of a scenario. `reason` is empty if it passed. `seconds` is how long it took."""

    id: str
    suite: str
    status: Literal["pass", "fail", "skip"]
    reason: str
    seconds: float


def choose(scenarios: Sequence[Scenario], patterns: Sequence[str]) -> list[Scenario]:
    """Those whose id or suite fits one of the patterns (`*` and `?` as in file names); all without any.

    Raises ScenarioError if a pattern fits none.
    """
    for pattern in patterns:
        if not any(_fits(each, pattern) for each in scenarios):
            raise ScenarioError(f"no scenario's id or suite fits {pattern}")
    return [each for each in scenarios if not patterns or any(_fits(each, one) for one in patterns)]


def _fits(scenario: Scenario, pattern: str) -> bool:
    return fnmatchcase(scenario.id, pattern) or fnmatchcase(scenario.suite, pattern)


def judge_unplayed(scenario: Scenario) -> Result | None:
    """The result of a scenario that is not played: a feature is missing, or it is not understood."""
    loaded = load_policies(scenario)
    missing = missing_features(scenario, loaded)
    if missing:
        return _result(scenario, "skip", f"needs {', '.join(missing)}", 0.0)
    faults = [scenario.fault] if scenario.fault else [str(fault) for fault in loaded.faults]
    if faults:
        return _result(scenario, "fail", "; ".join(faults).replace("\n", "; "), 0.0)
    if not any(step.checks for step in scenario.steps):
        return _result(scenario, "fail", "nothing is checked in it", 0.0)
    return None


def run_all(scenarios: Sequence[Scenario], started: Started, progress: Progress) -> Iterator[Result]:
    """The results, each as soon as it is known. `started` is told of each scenario that is played, `progress`
    of downloads.

    Raises HauberkError if none can be played here: no agent can be started, or no container.
    """
    unplayed = {each.id: judge_unplayed(each) for each in scenarios}
    if all(unplayed.values()):
        yield from (result for result in unplayed.values() if result)
        return
    if os.geteuid() != 0:
        raise ScenarioError("live tests need root", "sudo hauberk test --live FILE")
    packages.ensure(progress)
    scratch = Path(tempfile.mkdtemp(prefix="hauberk-live-", dir="/run"))
    with ExitStack() as ending:
        ending.callback(scratch.rmdir)
        # A mount of our own: in /run nothing can be executed on most machines.
        mount_tmpfs(scratch)
        ending.callback(unmount, scratch)
        runtime = Runtime(find_runtime(), scratch)
        ending.callback(runtime.close)
        agent = ending.enter_context(agent_for_tests(scratch))
        marker = Marker(agent, runtime, scratch)
        ending.callback(marker.close)
        logs = LogFile(agent.alerts)
        player = Player(agent, marker, logs, lambda each: Scene(each, runtime, scratch / "scene"))
        for scenario in scenarios:
            result = unplayed[scenario.id]
            if result is None:
                started(scenario)
                result = _play(player, scenario)
            yield result


def _play(player: Player, scenario: Scenario) -> Result:
    began = time.monotonic()
    try:
        player.play(scenario)
    except HauberkError as error:
        reason = error.message + (f" ({error.remedy})" if error.remedy else "")
        return _result(scenario, "fail", reason, time.monotonic() - began)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _result(scenario, "fail", f"{where}{error.strerror}", time.monotonic() - began)
    return _result(scenario, "pass", "", time.monotonic() - began)


def _result(
    scenario: Scenario, status: Literal["pass", "fail", "skip"], reason: str, seconds: float
) -> Result:
    return Result(scenario.id, scenario.suite, status, re.sub(r"\s+", " ", reason), round(seconds, 2))
