# SPDX-License-Identifier: Apache-2.0
"""Where a scenario's expectation is not our meaning, our meaning is what has to hold."""

from pathlib import Path

import pytest

from hauberk.workbench.live.commands import Outcome
from hauberk.workbench.live.play import MismatchError
from hauberk.workbench.live.scenario import ScenarioError
from tests.workbench.live.fakes import FakeWorld, alert
from tests.workbench.live.make import scenario

OK, REFUSED = Outcome(0, ""), Outcome(1, "Permission denied\n")
AUDIT_POLICY = """
- kind: KubeArmorPolicy
  name: p
  namespace: shop
  spec:
    selector: {matchLabels: {app: web}}
    file: {matchPaths: [{path: /x, ownerOnly: true}]}
    action: Audit
"""
STEP = "- {target: web, exec: [%s], expect: {exit: %s}, %s}"
AUDITED, BLOCKED = alert(Action="Audit", Operation="File"), alert(Operation="File")
REVERSED = "differs: the comment is reversed; Audit alerts on what the same rule would refuse as Block"


def test_an_alert_of_another_kind_is_wanted_in_the_steps_that_are_named(tmp_path: Path) -> None:
    file = "expect_alert: {operation: File, resource_contains: x}"
    found = scenario(
        tmp_path,
        steps="\n".join((STEP % ("a", "fail", file), STEP % ("b", "fail", file))),
        more="differs: a refused exec is a Process alert, not a File one (steps 0)",
    )
    process, other = alert(Resource="/bin/a"), alert(Operation="File", Resource="/x")
    FakeWorld((REFUSED, [process], []), (REFUSED, [other], [])).player().play(found)
    with pytest.raises(MismatchError, match="step 1"):
        FakeWorld((REFUSED, [process], []), (REFUSED, [process], [])).player().play(found)


def test_what_is_said_of_the_other_kinds_resource_does_not_hold_for_ours(tmp_path: Path) -> None:
    wanted = "expect_alert: {policy: p, operation: Network, resource_matches: SOCK_RAW}"
    more = "differs: a refused capability is a Capabilities alert, not a Network one"
    found = scenario(tmp_path, steps=STEP % ("a", "fail", wanted), more=more)
    capable = alert(Operation="Capabilities", Resource="CAP_NET_RAW")
    FakeWorld((REFUSED, [capable], [])).player().play(found)
    with pytest.raises(MismatchError, match="operation is Capabilities"):
        FakeWorld((REFUSED, [], [])).player().play(found)


def test_of_an_act_that_does_not_happen_there_is_no_alert(tmp_path: Path) -> None:
    steps = STEP % ("a", "ok", "expect_alert: {policy: p}")
    found = scenario(tmp_path, steps=steps, more="differs: expects an alert for an act that does not happen")
    FakeWorld((OK, [], [])).player().play(found)
    with pytest.raises(MismatchError, match="must not come"):
        FakeWorld((OK, [alert()], [])).player().play(found)


def test_where_no_posture_applies_there_is_no_alert_of_one(tmp_path: Path) -> None:
    steps = STEP % ("a", "any", "expect_alert: {policy: DefaultPosture}")
    more = "differs: disabled upstream; without an Allow rule no posture applies"
    found = scenario(tmp_path, steps=steps, more=more)
    FakeWorld((OK, [], [])).player().play(found)
    with pytest.raises(MismatchError, match="must not come"):
        FakeWorld((OK, [alert(PolicyName="DefaultPosture")], [])).player().play(found)


def twins(tmp_path: Path, *script: tuple[Outcome, list[object], list[object]]) -> FakeWorld:
    """Two steps, of which upstream expects the reverse of what is right."""
    steps = "\n".join(
        (
            STEP % ("owner", "ok", "expect_alert: {policy: p}"),
            STEP % ("other", "ok", "expect_no_alert: {policy: p}"),
        )
    )
    world = FakeWorld(*script)  # type: ignore[arg-type]
    world.player().play(scenario(tmp_path, policies=AUDIT_POLICY, steps=steps, more=REVERSED))
    return world


def test_audit_alerts_where_block_refuses(tmp_path: Path) -> None:
    world = twins(tmp_path, (OK, [], []), (OK, [AUDITED], []), (OK, [], []), (REFUSED, [BLOCKED], []))
    first, second = (applied[0]["spec"]["action"] for applied in world.applied)
    assert (first, second) == ("Audit", "Block")


def test_audit_that_alerts_where_block_does_not_refuse_is_told(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"step 0 .*: alert under Audit, and Block does not refuse it"):
        twins(tmp_path, (OK, [AUDITED], []), (OK, [], []), (OK, [], []), (REFUSED, [BLOCKED], []))


def test_audit_that_is_silent_where_block_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"step 1 .*: no alert under Audit, and Block does refuse it"):
        twins(tmp_path, (OK, [], []), (OK, [], []), (OK, [], []), (REFUSED, [BLOCKED], []))


def test_twins_that_are_silent_throughout_prove_nothing(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="no step had an alert"):
        twins(tmp_path, *[(OK, [], [])] * 4)  # type: ignore[list-item]


def test_audit_that_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="exit status 1, expected ok"):
        twins(tmp_path, (OK, [], []), (REFUSED, [AUDITED], []), (OK, [], []), (REFUSED, [BLOCKED], []))


def test_a_reason_that_is_not_known_fails(tmp_path: Path) -> None:
    found = scenario(tmp_path, more="differs: the moon is full")
    with pytest.raises(ScenarioError, match="not understood: the moon is full"):
        FakeWorld().player().play(found)
