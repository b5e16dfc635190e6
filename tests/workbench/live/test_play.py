# SPDX-License-Identifier: Apache-2.0
"""Steps are run in order and judged: against an agent, a marker and a scene that are fakes."""

import time
from pathlib import Path
from typing import Any

import pytest

from hauberk.events.alert import Extras, Log
from hauberk.events.clock import unix_time
from hauberk.workbench.live import play
from hauberk.workbench.live.commands import Outcome
from hauberk.workbench.live.play import MismatchError
from hauberk.workbench.live.scenario import ScenarioError
from tests.workbench.live.fakes import FakeWorld, alert
from tests.workbench.live.make import scenario

OK, REFUSED = Outcome(0, "done\n"), Outcome(126, "bash: sleep: Permission denied\n")
STEP = "- {target: web, exec: [sleep, '1'], expect: {%s}, %s}"
WANTS = "expect_alert: {policy: p, operation: Process}"
WANTS_NONE = "expect_no_alert: {policy: p}"


def repeat(seconds_ago: float = 0.0, count: int = 1) -> Any:
    when = unix_time(int((time.time() - seconds_ago) * 1e9))[1]
    return alert(extras=Extras(Count=count, LastTime=when))


def test_the_scene_is_set_up_played_and_taken_away(tmp_path: Path) -> None:
    world = FakeWorld((REFUSED, [alert()], []))
    world.player().play(scenario(tmp_path, steps=STEP % ("exit: fail", WANTS)))
    assert world.log == [
        *("posture of shop: audit audit audit", "set up", "apply", "set up late", "run sleep 1"),
        *("delete 1", "close", "posture of shop back"),
    ]


@pytest.mark.parametrize(
    ("expect", "outcome", "alerts"),
    [
        ("exit: ok", OK, []),
        ("exit: 126", REFUSED, []),
        ("exit: any, output_contains: [sleep, denied]", REFUSED, []),
        ("output_matches: 'sleep.*denied$'", Outcome(1, "sleep: denied"), []),
        ("output_not_matches: denied", OK, []),
        ("output_not_contains: denied", OK, []),
    ],
)
def test_an_outcome_as_expected_passes(
    tmp_path: Path, expect: str, outcome: Outcome, alerts: list[Any]
) -> None:
    FakeWorld((outcome, alerts, [])).player().play(scenario(tmp_path, steps=STEP % (expect, "cwd: /")))


@pytest.mark.parametrize(
    ("expect", "outcome", "message"),
    [
        ("exit: ok", REFUSED, r"step 0 \(line 12\) `sleep 1`: exit status 126, expected ok; output: 'bash"),
        ("exit: fail", OK, "exit status 0, expected fail"),
        ("exit: 1", REFUSED, "exit status 126, expected 1"),
        ("output_contains: [done, more]", OK, "does not contain `more`"),
        ("output_matches: '^done$'", OK, "does not match"),
        ("output_not_matches: denied", REFUSED, "matches `denied`"),
        ("output_not_contains: denied", REFUSED, "contains `denied`"),
    ],
)
def test_another_outcome_is_told(tmp_path: Path, expect: str, outcome: Outcome, message: str) -> None:
    with pytest.raises(MismatchError, match=message):
        FakeWorld((outcome, [], [])).player().play(scenario(tmp_path, steps=STEP % (expect, "cwd: /")))


def test_an_alert_of_other_fields_is_not_the_one(tmp_path: Path) -> None:
    world = FakeWorld((REFUSED, [alert(Operation="File", Resource="/x")], []))
    with pytest.raises(MismatchError, match=r"no such alert.*operation is Process.*Block File by p: /x"):
        world.player().play(scenario(tmp_path, steps=STEP % ("exit: fail", WANTS)))
    assert "repeats" in world.log


def test_an_alert_may_come_as_a_repeat(tmp_path: Path) -> None:
    world = FakeWorld((REFUSED, [], [repeat()]))
    world.player().play(scenario(tmp_path, steps=STEP % ("exit: fail", WANTS)))


def test_a_repeat_of_the_time_before_the_step_does_not_count(tmp_path: Path) -> None:
    world = FakeWorld((REFUSED, [], [repeat(seconds_ago=5)]))
    with pytest.raises(MismatchError, match="no such alert"):
        world.player().play(scenario(tmp_path, steps=STEP % ("exit: fail", WANTS)))


@pytest.mark.parametrize(("exit", "passes"), [("ok", True), ("any", False)])
def test_a_step_that_succeeds_may_ask_for_the_refusal_of_an_earlier_one(
    tmp_path: Path, exit: str, passes: bool
) -> None:
    blocked = "expect_alert: {policy: p, action: Block}"
    steps = STEP % ("exit: fail", "cwd: /") + "\n" + STEP % (f"exit: {exit}", blocked)
    world = FakeWorld((REFUSED, [alert()], []), (OK, [], []))
    if passes:
        world.player().play(scenario(tmp_path, steps=steps))
    else:
        with pytest.raises(MismatchError, match="no such alert"):
            world.player().play(scenario(tmp_path, steps=steps))


def test_so_many_alerts_are_counted_with_those_that_one_stands_for(tmp_path: Path) -> None:
    steps = STEP % ("exit: fail", "expect_alert: {policy: p, count_min: 4}")
    FakeWorld((REFUSED, [alert()], [repeat(count=3)])).player().play(scenario(tmp_path, steps=steps))
    with pytest.raises(MismatchError):
        FakeWorld((REFUSED, [alert()], [repeat(count=2)])).player().play(scenario(tmp_path, steps=steps))


def test_an_alert_that_must_not_come_is_told(tmp_path: Path) -> None:
    world = FakeWorld((OK, [alert(Resource="/bin/sleep 1")], []))
    with pytest.raises(MismatchError, match="must not come: Block Process by p: /bin/sleep 1"):
        world.player().play(scenario(tmp_path, steps=STEP % ("exit: ok", WANTS_NONE)))


def test_repeats_are_waited_for_before_it_is_said_that_none_came(tmp_path: Path) -> None:
    world = FakeWorld((OK, [], [repeat()]))
    world.repeats_are_possible = True
    with pytest.raises(MismatchError, match="must not come"):
        world.player().play(scenario(tmp_path, steps=STEP % ("exit: ok", WANTS_NONE)))


def test_no_alert_and_no_repeat_takes_no_waiting(tmp_path: Path) -> None:
    world = FakeWorld((OK, [alert(PolicyName="q")], []))
    world.player().play(scenario(tmp_path, steps=STEP % ("exit: ok", WANTS_NONE)))
    assert "repeats" not in world.log


def test_a_step_is_tried_again_if_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "RETRY_SECONDS", 0.0)
    steps = STEP % ("exit: fail", "retry: true")
    FakeWorld((OK, [], []), (REFUSED, [], [])).player().play(scenario(tmp_path, steps=steps))
    with pytest.raises(MismatchError):
        FakeWorld(*[(OK, [], [])] * play.TRIES).player().play(scenario(tmp_path, steps=steps))


def test_policies_are_applied_where_a_step_says_so_or_behind_those_before(tmp_path: Path) -> None:
    before = "- {target: web, exec: [a], expect: {exit: ok}%s}\n"
    explicit = before % "" + "- apply: policies\n" + before % ""
    implicit = before % ", before_policy: true" + before % ""
    for steps in (explicit, implicit):
        world = FakeWorld((OK, [], []), (OK, [], []))
        world.player().play(scenario(tmp_path, steps=steps))
        assert [each for each in world.log if each in ("run a", "apply")] == ["run a", "apply", "run a"]


def test_single_policies_come_and_go_as_steps_say(tmp_path: Path) -> None:
    policy = "- {kind: KubeArmorPolicy, name: %s, spec: {selector: {}, file: {matchPaths: [{path: /x}]}}}\n"
    steps = """
    - apply: one
    - {target: web, exec: [a], expect: {exit: ok}}
    - {apply: two, delete: one}
    - {target: web, exec: [b], expect: {exit: ok}}
    """
    world = FakeWorld((OK, [], []), (OK, [], []))
    world.player().play(scenario(tmp_path, steps=steps, policies=policy % "one" + policy % "two"))
    assert [each["metadata"]["name"] for applied in world.applied for each in applied] == ["one", "two"]
    assert world.log[1:-2] == [
        *("set up", "apply", "set up late", "run a", "apply", "delete 1", "run b", "delete 1"),
    ]


def test_global_postures_change_only_for_a_step_that_changes_them(tmp_path: Path) -> None:
    steps = (STEP % ("exit: ok", "cwd: /")) + "\n- set_config: {defaultFilePosture: block}"
    more = "default_posture: {namespace_annotations: {kubearmor-file-posture: audit}}"
    world = FakeWorld((OK, [], []))
    world.player().play(scenario(tmp_path, steps=steps, more=more))
    assert [each for each in world.log if each.startswith("posture")] == [
        *("posture of all: audit audit audit", "posture of shop: audit", "posture of all: block"),
        *("posture of all back", "posture of shop back", "posture of all back"),
    ]


def test_everything_is_taken_back_if_a_step_fails(tmp_path: Path) -> None:
    world = FakeWorld((OK, [], []))
    with pytest.raises(MismatchError):
        world.player().play(scenario(tmp_path, steps=STEP % ("exit: fail", "cwd: /")))
    assert world.log[-3:] == ["delete 1", "close", "posture of shop back"]


HOST_POLICY = """
- kind: KubeArmorHostPolicy
  name: %s
  spec:
    nodeSelector: {matchLabels: {kubernetes.io/hostname: '%s'}}
    process: {matchPaths: [{path: /bin/sleep}]}
    action: Block
"""


@pytest.mark.parametrize(
    ("named", "becomes"), [("kubearmor-dev", "node-1"), ("*", "*"), ("a,kubearmor-dev", "a,kubearmor-dev")]
)
def test_a_host_policy_for_the_machine_it_was_written_on_is_for_this_one(
    tmp_path: Path, named: str, becomes: str
) -> None:
    world = FakeWorld((OK, [], []))
    steps = "- {target: host, exec: [ls], expect: {exit: ok}}"
    world.player().play(
        scenario(tmp_path, steps=steps, policies=HOST_POLICY % ("p", named), more="needs: host")
    )
    ((policy,),) = world.applied
    assert policy["spec"]["nodeSelector"]["matchLabels"] == {"kubernetes.io/hostname": becomes}
    assert "posture of host: audit audit audit" in world.log


def test_a_policy_without_a_namespace_is_of_the_workloads(tmp_path: Path) -> None:
    policies = "- {kind: KubeArmorPolicy, name: p, spec: {selector: {}, file: {matchPaths: [{path: /x}]}}}"
    world = FakeWorld((OK, [], []))
    world.player().play(scenario(tmp_path, steps=STEP % ("exit: ok", "cwd: /"), policies=policies))
    assert world.applied[0][0]["metadata"] == {"namespace": "shop", "name": "p"}


def test_nothing_to_check_is_no_pass(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="nothing is checked"):
        FakeWorld().player().play(scenario(tmp_path, steps="- {target: web, exec: [ls]}"))


def log(seconds_ago: float = 0.0, **fields: Any) -> Log:
    when = unix_time(int((time.time() - seconds_ago) * 1e9))[1]
    values = {"Type": "ContainerLog", "Operation": "Process", "Result": "Passed", "UpdatedTime": when}
    return Log(PPID=0, UID=0, Hauberk=Extras(), **(values | fields))


LOGGED = "expect_log: {operation: Process, result: Passed, count_min: 2}"


def test_logs_are_awaited_and_what_is_to_be_seen_is_set_for_them(tmp_path: Path) -> None:
    world = FakeWorld((OK, [], []))
    world.logs = [[log(seconds_ago=-1)], [], [log(seconds_ago=-1), log(seconds_ago=-1, Operation="File")]]
    steps = STEP % ("exit: ok", LOGGED)
    world.player().play(scenario(tmp_path, steps=steps, more="visibility: process,file"))
    assert [each for each in world.log if "visible" in each] == [
        "visible of shop: process file",
        "visible of shop back",
    ]


def test_a_log_that_does_not_come_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "LOG_SECONDS", 0.1)
    world = FakeWorld((OK, [], []))
    # one of before the step, one of another operation
    world.logs = [[log(seconds_ago=60), log(seconds_ago=-1), log(seconds_ago=-1, Operation="File")]]
    with pytest.raises(MismatchError, match="no such log as expected"):
        world.player().play(scenario(tmp_path, steps=STEP % ("exit: ok", LOGGED)))
    assert world.log.count("visible of shop: ") == 1


def test_without_expected_logs_nothing_is_made_visible(tmp_path: Path) -> None:
    world = FakeWorld((OK, [], []))
    world.player().play(scenario(tmp_path, steps=STEP % ("exit: ok", WANTS_NONE), more="visibility: process"))
    assert not [each for each in world.log if "visible" in each]


def test_an_unknown_section_is_a_fault(tmp_path: Path) -> None:
    assert "`proces` is none of" in scenario(tmp_path, more="visibility: proces").fault
