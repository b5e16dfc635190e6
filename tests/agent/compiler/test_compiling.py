# SPDX-License-Identifier: Apache-2.0
"""From the policies that bind a workload to its table, first and for a change."""

import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from hauberk.agent.compiler.closed import CLOSED_MESSAGE, CLOSED_POLICY
from hauberk.agent.compiler.jobs import Began, Compiled, Facts, RejectedError
from hauberk.agent.compiler.service import Service
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.reading import TableWalker, said_by
from hauberk.enforcers.protocol import State
from hauberk.errors import HauberkError
from hauberk.rules.decide import Subject
from hauberk.rules.model import SELF_PROTECTION, Operation, Posture, Postures, Rule, Section, Verdict
from hauberk.workloads.mounts import mounts_of
from hauberk.workloads.roots import Place

from .make import COSTLY, host_policy, on_node, policy, source, web

NOBODY = Subject(b"/usr/bin/cat")


@pytest.fixture
def service() -> Service:
    return Service(os.getpid(), ())


def compiled(
    service: Service, *texts: str, facts: Facts | None = None, began: Began | None = None
) -> Compiled:
    service.use([source(text, f"{number}.yaml") for number, text in enumerate(texts)])
    return service.compile(facts or web(), 64, began, frozenset())


def walker(found: Compiled) -> TableWalker:
    assert found.table is not None
    return TableWalker(found.table)


def verdict(found: Compiled, operation: Operation, path: str) -> tuple[Verdict, Rule | str]:
    word = walker(found).file(NOBODY, (operation,), path.encode(), False)
    return Verdict(word >> 30), said_by(word, found.rules)


def decider(found: Compiled, operation: Operation, path: str) -> str:
    """The kind of the policy that refuses; empty if none does."""
    verdict_, said = verdict(found, operation, path)
    return said.policy.kind if verdict_ is Verdict.REFUSE and isinstance(said, Rule) else ""


def test_the_table_refuses_what_the_policies_refuse(service: Service) -> None:
    found = compiled(service, policy("a"))
    assert decider(found, Operation.READ, "/etc/shadow") == "KubeArmorPolicy"
    assert decider(found, Operation.READ, "/etc/passwd") == ""
    assert [(each.policy.name, each.state) for each in found.statuses] == [("a", State.ENFORCED)]
    assert found.began is not None
    assert found.began.mounts == tuple(mounts_of(os.getpid()))


def test_without_policies_and_anything_to_see_there_is_nothing(service: Service) -> None:
    assert compiled(service, policy("a"), facts=web(labels={})) == Compiled()


def test_what_is_to_be_seen_needs_a_table_without_policies_too(service: Service) -> None:
    found = compiled(service, facts=web(visible=(Section.FILE,)))
    assert found.table is not None
    assert found.table.flags & TableFlag.SEE_FILE
    assert found.statuses == ()


def test_what_has_no_effect_degrades_its_policy_only(service: Service) -> None:
    calls = policy("calls", "network: {matchDNSQueries: [{domain: a.org}]}")
    found = compiled(service, policy("a"), calls)
    states = {each.policy.name: each for each in found.statuses}
    assert states["a"].state is State.ENFORCED
    assert states["calls"].state is State.DEGRADED
    assert states["calls"].reasons == (
        "1.yaml:6: spec.network.matchDNSQueries[0] is not enforced by this version",
    )


def test_a_unit_is_under_host_policies_and_its_own_at_once(service: Service) -> None:
    """Each refusal is told under the kind of the policy that decided, which makes the alert's type."""
    unit = policy(
        "unit", "file: {matchPaths: [{path: /srv/a}]}", namespace="host",
        selector="selector: {matchLabels: {hauberk.io/systemd-unit: nginx.service}}",
    )  # fmt: skip
    found = compiled(service, unit, host_policy("h"), facts=on_node("unit", name="nginx.service"))
    assert decider(found, Operation.READ, "/srv/a") == "KubeArmorPolicy"
    assert decider(found, Operation.READ, "/etc/shadow") == "KubeArmorHostPolicy"
    assert {each.policy.name for each in found.statuses} == {"unit", "h"}


def test_an_allow_for_a_unit_excepts_no_block_of_the_host(service: Service) -> None:
    unit = policy(
        "unit",
        "file: {matchPaths: [{path: /srv/a, action: Allow}]}",
        namespace="host", selector="selector: {}",
    )  # fmt: skip
    block = host_policy("h", "file: {matchDirectories: [{dir: /srv/}]}")
    found = compiled(service, unit, block, facts=on_node("unit", name="nginx.service"))
    assert decider(found, Operation.READ, "/srv/a") == "KubeArmorHostPolicy"


def test_only_what_is_guarded_is_kept_from_hauberks_own_files(service: Service) -> None:
    guarded = compiled(service, policy("a"))
    assert decider(guarded, Operation.WRITE, "/etc/hauberk/agent.toml") == SELF_PROTECTION
    free = compiled(service, policy("a"), facts=web(guarded=False))
    assert decider(free, Operation.WRITE, "/etc/hauberk/agent.toml") == ""


def test_cgroups_are_not_filled_by_those_who_can_name_hauberks_processes(service: Service) -> None:
    inside = compiled(service, policy("a"))
    for file in ("cgroup.procs", "app/cgroup.threads", "app/inner/tasks"):
        assert decider(inside, Operation.WRITE, f"/sys/fs/cgroup/{file}") == SELF_PROTECTION
        assert decider(inside, Operation.READ, f"/sys/fs/cgroup/{file}") == ""
    assert decider(inside, Operation.WRITE, "/sys/fs/cgroup/app/cgroup.freeze") == ""


def test_a_container_with_processes_of_its_own_manages_its_cgroups(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hauberk.agent.own._sees_other_processes", lambda pid: False)
    container = compiled(service, policy("a"))
    assert decider(container, Operation.WRITE, "/sys/fs/cgroup/app/cgroup.procs") == ""
    assert decider(container, Operation.WRITE, "/sys/fs/cgroup/release_agent") == SELF_PROTECTION


def test_the_agents_own_files_are_guarded_if_it_says_so(tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.jsonl"
    alerts.touch()
    found = compiled(Service(os.getpid(), [str(alerts)]), policy("a"))
    assert decider(found, Operation.WRITE, str(alerts)) == SELF_PROTECTION


@pytest.mark.parametrize("name", ["alerts.jsonl", "a{b,c}[d]*?\\e.jsonl"])
def test_what_rotation_has_renamed_is_guarded_like_the_file_itself(tmp_path: Path, name: str) -> None:
    alerts = tmp_path / name  # not there, as in the middle of a rotation
    found = compiled(Service(os.getpid(), [str(alerts)]), policy("a"))
    for ending in ("", ".1", ".12"):
        assert decider(found, Operation.WRITE, f"{alerts}{ending}") == SELF_PROTECTION
        assert decider(found, Operation.READ, f"{alerts}{ending}") == ""
    for ending in (".bak", "1", ".1/x"):
        assert decider(found, Operation.WRITE, f"{alerts}{ending}") == ""


def test_a_key_that_is_known_saves_compiling(service: Service) -> None:
    first = compiled(service, policy("a"))
    again = service.compile(web(number=9), 4096, None, frozenset({first.key, b"other"}))
    assert (again.table, again.key) == (None, first.key)
    assert (again.rules, again.statuses, again.began) == (first.rules, first.statuses, first.began)
    assert first.table is not None
    assert first.table.key == first.key


def test_the_same_rules_at_another_place_are_the_same_table(service: Service) -> None:
    first = compiled(service, policy("a"))
    other = service.compile(web(), 4096, None, frozenset())
    assert other.table is not None
    assert (other.table.base, other.key) == (4096, first.key)
    assert decider(other, Operation.READ, "/etc/shadow") == "KubeArmorPolicy"


def test_a_change_stands_on_the_ground_of_the_beginning(service: Service) -> None:
    first = compiled(service, policy("a"))
    assert first.began is not None
    ground = replace(first.began, mounts=first.began.mounts[:1], homes=())
    changed = compiled(service, policy("b"), began=ground)
    assert changed.began == ground
    assert changed.table is not None
    assert len(changed.table.mounts) < len(first.table.mounts if first.table else ())


def test_a_link_that_was_removed_since_still_counts(service: Service, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    text = policy("a", f"file: {{matchPaths: [{{path: {tmp_path}/link/secret}}]}}")
    first = compiled(service, text)
    (tmp_path / "link").unlink()
    (tmp_path / "link").mkdir()
    changed = compiled(service, text, began=first.began)
    for found in (first, changed):
        assert decider(found, Operation.READ, f"{tmp_path}/real/secret") == "KubeArmorPolicy"


def test_a_link_that_came_since_widens_no_allow(service: Service, tmp_path: Path) -> None:
    first = compiled(service, policy("a"))
    (tmp_path / "link").symlink_to("real")
    text = policy("b", f"file: {{matchPaths: [{{path: {tmp_path}/link, action: Allow}}]}}")
    blocking = web(postures=Postures(file=Posture.BLOCK))
    changed = compiled(service, text, facts=blocking, began=first.began)
    assert verdict(changed, Operation.READ, f"{tmp_path}/real")[0] is Verdict.REFUSE
    (warning,) = changed.warnings
    assert f"does not allow {tmp_path}/real" in warning
    assert verdict(compiled(service, text, facts=blocking), Operation.READ, f"{tmp_path}/real")[0] is (
        Verdict.ALLOWED
    )


def test_files_with_several_names_are_found(service: Service, tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    os.link(tmp_path / "secret", tmp_path / "other")
    found = compiled(service, policy("a", f"file: {{matchPaths: [{{path: {tmp_path}/secret}}]}}"))
    assert found.linked == (os.fsencode(tmp_path / "secret"),)


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_a_process_that_is_gone_is_told_and_not_taken_for_one_without_links(
    service: Service, gone: int
) -> None:
    with pytest.raises(HauberkError, match="no process is left in the root directory that web began in"):
        compiled(service, policy("a"), facts=web(pid=gone))


def test_a_root_that_nobody_has_is_told(service: Service) -> None:
    first = compiled(service, policy("a"))
    assert first.began is not None
    elsewhere = replace(first.began, place=Place(1, 2, 3))
    with pytest.raises(HauberkError, match="no process is left in the root directory"):
        service.compile(web(), 64, elsewhere, frozenset())


def test_for_a_change_the_root_is_found_without_the_process(service: Service, gone: int) -> None:
    first = compiled(service, policy("a"))
    changed = service.compile(web(pid=gone), 64, first.began, frozenset())
    assert changed.key == first.key


def test_the_policy_that_is_too_costly_is_named_and_the_others_say_why(service: Service) -> None:
    with pytest.raises(RejectedError, match=r"KubeArmorPolicy container_namespace/costly") as caught:
        compiled(service, policy("a"), policy("costly", COSTLY))
    states = {each.policy.name: each for each in caught.value.statuses}
    assert {each.state for each in states.values()} == {State.REJECTED}
    assert states["a"].reasons == ("not without KubeArmorPolicy container_namespace/costly",)
    assert states["costly"].reasons[0].startswith("its rules cannot be compiled: the patterns need more")


def test_a_pattern_that_its_real_path_makes_too_long_is_its_policys_fault(
    service: Service, tmp_path: Path
) -> None:
    deep = tmp_path
    for _ in range(12):
        deep /= "d" * 250
        deep.mkdir()
    (tmp_path / "link").symlink_to(deep)
    long = policy("long", f"file: {{matchPatterns: [{{pattern: '{tmp_path}/link/{'x' * 1500}*'}}]}}")
    with pytest.raises(RejectedError) as caught:
        compiled(service, policy("a"), long)
    states = {each.policy.name: each.reasons[0] for each in caught.value.statuses}
    assert states["long"].startswith("its rules cannot be compiled: pattern")
    assert states["a"] == "not without KubeArmorPolicy container_namespace/long"


def test_in_a_closed_workload_nothing_starts_and_nothing_opens(service: Service) -> None:
    found = service.closed(64)
    for operation in (Operation.EXEC, Operation.READ, Operation.WRITE, Operation.MAP):
        for path in ("/bin/sh", "/etc/passwd", "/usr/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2", "/x"):
            assert verdict(found, operation, path)[0] is Verdict.REFUSE, (operation, path)
        assert walker(found).unknown(operation) >> 30 == Verdict.REFUSE
    assert verdict(found, Operation.EXEC, "memfd:x")[0] is Verdict.REFUSE
    assert verdict(found, Operation.READ, "")[0] is Verdict.REFUSE  # the root directory
    _, rule = verdict(found, Operation.EXEC, "/bin/sh")
    assert isinstance(rule, Rule)
    assert (rule.policy, rule.message) == (CLOSED_POLICY, CLOSED_MESSAGE)
