# SPDX-License-Identifier: Apache-2.0
"""From files to a table: which policies are chosen, how each stands, and what is refused before anything
runs."""

import os
from pathlib import Path

import pytest

from hauberk.agent.plan import Request, SessionError
from hauberk.agent.prepare import prepare
from hauberk.automaton.dfa import StateLimitError
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.protocol import State
from hauberk.errors import HauberkError
from hauberk.rules.model import SELF_PROTECTION, Posture, Postures, Section

WEB = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  file:
    matchPaths:
    - path: /etc/shadow
  action: Block
"""
DEGRADED = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: calls, namespace: shop}
spec:
  selector: {}
  network:
    matchDNSQueries:
    - domain: example.org
"""
POSTURES = Postures(file=Posture.AUDIT, network=Posture.AUDIT, capabilities=Posture.AUDIT)


def request(directory: Path, *texts: str, **changes: object) -> Request:
    files = []
    for number, text in enumerate(texts):
        (directory / f"{number}.yaml").write_text(text)
        files.append(str(directory / f"{number}.yaml"))
    values: dict[str, object] = {
        "argv": ["true"],
        "policies": files,
        "name": "run",
        "namespace": "shop",
        "labels": {"app": "web"},
        "postures": POSTURES,
    }
    return Request(**(values | changes))  # type: ignore[arg-type]


def test_a_policy_that_selects_the_workload_is_compiled(tmp_path: Path) -> None:
    prepared = prepare(request(tmp_path, WEB), os.getpid(), "")
    (status,) = prepared.outlook.statuses
    assert (status.policy.name, status.state, status.reasons) == ("web", State.ENFORCED, ())
    assert prepared.table is not None
    assert prepared.table.flags & TableFlag.FILE
    named = {rule.policy.name for rule in prepared.rules if not rule.base}
    assert named == {"web", SELF_PROTECTION}


@pytest.mark.parametrize(
    ("changes", "nearest"),
    [
        ({"labels": {"app": "wbe"}}, "wants app=web, the workload has app=wbe"),
        ({"labels": {}}, "wants app=web, the workload has no labels"),
        ({"namespace": "other"}, "wants namespace shop, the workload has namespace other"),
    ],
)
def test_if_none_selects_it_the_nearest_labels_are_named(
    tmp_path: Path, changes: dict[str, object], nearest: str
) -> None:
    with pytest.raises(SessionError) as caught:
        prepare(request(tmp_path, WEB, **changes), os.getpid(), "")
    assert "none of these policies selects this workload" in caught.value.message
    assert "KubeArmorPolicy shop/web" in caught.value.message
    assert nearest in caught.value.message
    assert "--allow-unselected" in caught.value.remedy


def test_allowed_to_run_unselected_it_has_no_table(tmp_path: Path) -> None:
    prepared = prepare(request(tmp_path, WEB, labels={}, allow_unselected=True), os.getpid(), "")
    assert prepared.table is None
    assert prepared.outlook.statuses == ()


def test_what_is_to_be_seen_needs_a_table_without_policies_too(tmp_path: Path) -> None:
    prepared = prepare(request(tmp_path, visible=[Section.FILE], allow_unselected=True), os.getpid(), "")
    assert prepared.table is not None
    assert prepared.table.flags & TableFlag.SEE_FILE


def test_a_field_that_is_not_enforced_degrades_its_policy_only_and_says_where(tmp_path: Path) -> None:
    prepared = prepare(request(tmp_path, WEB, DEGRADED), os.getpid(), "")
    states = {status.policy.name: status for status in prepared.outlook.statuses}
    assert states["web"].state is State.ENFORCED
    assert states["calls"].state is State.DEGRADED
    (reason,) = states["calls"].reasons
    line = DEGRADED.splitlines().index("    - domain: example.org") + 1
    place = f"{tmp_path}/1.yaml:{line}"
    assert reason == f"{place}: spec.network.matchDNSQueries[0] is not enforced by this version"


def test_where_nothing_can_be_enforced_every_policy_is_rejected_and_nothing_compiled(tmp_path: Path) -> None:
    prepared = prepare(request(tmp_path, WEB, DEGRADED), os.getpid(), "no BTF")
    assert {status.state for status in prepared.outlook.statuses} == {State.REJECTED}
    assert all(status.reasons == ("no BTF",) for status in prepared.outlook.statuses)
    assert prepared.outlook.obstacle == "no BTF"
    assert prepared.table is None


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    faulty = WEB.replace("path:", "pth:")
    with pytest.raises(SessionError) as caught:
        prepare(request(tmp_path, faulty, "kind: [", WEB), os.getpid(), "")
    assert f"{tmp_path}/0.yaml:9" in caught.value.message
    assert f"{tmp_path}/1.yaml:" in caught.value.message
    assert "spec.file.matchPaths[0]" in caught.value.message


def test_rules_that_are_too_costly_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def costly(*_: object) -> None:
        raise StateLimitError(1000, (), 2000)

    monkeypatch.setattr("hauberk.agent.prepare.Meaning", costly)
    with pytest.raises(HauberkError, match="the rules are too costly"):
        prepare(request(tmp_path, WEB), os.getpid(), "")


def test_links_of_the_root_file_system_are_found(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    policy = WEB.replace("/etc/shadow", f"{tmp_path}/link/secret")
    outlook = prepare(request(tmp_path, policy), os.getpid(), "").outlook
    aliases = {os.fsdecode(alias.written): os.fsdecode(alias.real) for alias in outlook.aliases}
    assert aliases[f"{tmp_path}/link/secret"] == f"{tmp_path}/real/secret"
