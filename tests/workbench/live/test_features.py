# SPDX-License-Identifier: Apache-2.0
"""Which features a scenario needs is told from its policies and expectations."""

from pathlib import Path

import pytest

from hauberk.workbench.live.features import load_policies, missing_features
from hauberk.workbench.live.run import choose, judge_unplayed
from hauberk.workbench.live.scenario import ScenarioError
from tests.workbench.live.make import STEP, read, scenario, text

HEAD = "- kind: KubeArmorPolicy\n  name: p\n  namespace: shop\n  spec:\n    selector: {}\n    action: Audit\n"
EXPECTING = "- {target: web, exec: [ls], expect: {exit: ok}, %s}"


@pytest.mark.parametrize(
    ("parts", "missing"),
    [
        ({}, []),
        ({"more": "needs: k8s"}, ["Kubernetes"]),
        ({"more": "needs: container+ns-posture"}, []),
        ({"policies": HEAD + "    syscalls: {matchSyscalls: [{syscall: [unlink]}]}"}, []),
        ({"policies": HEAD + "    presets: [{name: filelessExec}]"}, ["presets"]),
        ({"policies": HEAD + "    apparmor: deny /etc/ r,"}, ["AppArmor"]),
        ({"policies": HEAD + "    network: {matchDNSQueries: [{domain: a.org}]}"}, ["DNS rules"]),
        ({"policies": HEAD + "    process: {matchPaths: [{path: /a, allowedArgs: [x]}]}"}, ["allowedArgs"]),
        ({"policies": HEAD + "    file: {matchPatterns: [{pattern: /a*, ownerOnly: true}]}"}, []),
        ({"policies": HEAD + "    file: {matchPaths: [{path: /a, pts: false}]}"}, []),
        ({"steps": EXPECTING % "expect_log: {operation: File}"}, []),
        ({"steps": EXPECTING % "expect_log: {operations: [file], count_min: 1}"}, ["counts of logs"]),
        ({"steps": EXPECTING % "expect_log: {count: 0}"}, ["counts of logs"]),
        ({"steps": EXPECTING % "expect_alert: {operation: Syscall}"}, []),
        ({"steps": EXPECTING % "expect_alert: {operation: AlertThreshold}"}, ["AlertThreshold alerts"]),
        ({"steps": EXPECTING % "expect_no_alert: {operation: Capabilities}"}, []),
        ({"steps": f"{STEP}\n- set_config: {{visibility: file}}"}, ["visibility"]),
        ({"steps": f"{STEP}\n- set_config: {{defaultFilePosture: block}}"}, []),
        ({"more": "engine_config: {alertThrottling: true, maxAlertPerSec: 2}"}, ["alert throttling"]),
        ({"more": "skip: [{enforcer: BPFLSM, reason: upstream cannot}]"}, []),
    ],
)
def test_missing_features(tmp_path: Path, parts: dict[str, str], missing: list[str]) -> None:
    found = scenario(tmp_path, **parts)
    assert missing_features(found, load_policies(found)) == missing


def test_a_scenario_that_needs_a_feature_is_skipped_whatever_else_is_wrong_with_it(tmp_path: Path) -> None:
    result = judge_unplayed(scenario(tmp_path, steps=EXPECTING % "expect_log: {count: 0}", more="sutie: s"))
    assert result is not None
    assert (result.status, result.reason) == ("skip", "needs counts of logs")


def test_a_scenario_that_is_not_understood_fails(tmp_path: Path) -> None:
    result = judge_unplayed(scenario(tmp_path, more="sutie: s"))
    assert result is not None
    assert (result.status, "sutie: there is no such field" in result.reason) == ("fail", True)


def test_a_policy_with_a_fault_fails(tmp_path: Path) -> None:
    result = judge_unplayed(scenario(tmp_path, policies=HEAD + "    fiel: {}"))
    assert result is not None
    assert (result.status, "fiel" in result.reason) == ("fail", True)


def test_a_scenario_in_which_nothing_is_checked_fails(tmp_path: Path) -> None:
    result = judge_unplayed(scenario(tmp_path, steps="- {target: web, exec: [ls], expect: {exit: any}}"))
    assert result is not None
    assert (result.status, result.reason) == ("fail", "nothing is checked in it")


def test_scenarios_are_chosen_by_id_or_suite(tmp_path: Path) -> None:
    first, second = read(tmp_path, text(more="suite: s") + text(id="two"))
    assert choose([first, second], []) == [first, second]
    assert choose([first, second], ["t*"]) == [second]
    assert choose([first, second], ["s"]) == [first]
    with pytest.raises(ScenarioError, match="no scenario's id or suite fits three"):
        choose([first, second], ["three"])
