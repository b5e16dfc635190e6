# SPDX-License-Identifier: Apache-2.0
"""Explanations agree with what policies mean, whether asked for an access or for an alert of one."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.agent.compiler import accesses
from hauberk.agent.compiler.explaining import VERDICTS, find
from hauberk.agent.compiler.service import Service
from hauberk.agent.control.messages import Explain, Explanation
from hauberk.enforcers.bpf_lsm.reading import TableWalker
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.errors import HauberkError
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.record import Call, Record
from hauberk.events.translate import Translator
from hauberk.rules.decide import FileObject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import GUARD, MOVE, NONE, POSTURE, Posture, Postures, RuleSet, Section, Verdict
from hauberk.workloads.mounts import Mount
from tests.events.pack import access
from tests.rules.make import Access, scenes

from .make import policy, source, web

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(scenes())
def test_the_table_and_the_reason_tell_one_story(scene: tuple[RuleSet, list[Access]]) -> None:
    rule_set, chosen = scene
    meaning = Meaning(rule_set)
    walker = TableWalker(TableCompiler(meaning, 0).compile((Mount(1 << 20, True, 2, b""),)))
    for subject, operation, obj in chosen:
        if isinstance(obj, FileObject):
            obj = FileObject(obj.names[:1], obj.owned)
        found = find(meaning, walker, accesses.Access("it", operation, obj, subject))
        decision = decide(meaning, subject, operation, obj)
        assert found.verdict == decision.verdict
        assert found.said_by == (decision.rule or decision.special)
        assert found.reason == decision.reason


@pytest.fixture
def service() -> Service:
    service = Service(os.getpid(), ())
    rules = """file:
    matchPaths:
    - path: /etc/shadow
    - path: /srv/mine
      ownerOnly: true
      action: Allow
    - path: /srv/secret
      fromSource: [{path: /usr/bin/curl}]
  process:
    matchPaths:
    - path: /usr/bin/apt
      fromSource: [{path: /usr/bin/bash}]
  network:
    matchProtocols: [{protocol: raw}]
  capabilities:
    matchCapabilities: [{capability: net_raw}]"""
    service.use([source(policy("a", rules), "dir/a.yaml")])
    return service


def ask(service: Service, **query: object) -> list[Explanation]:
    return list(service.explain(web(), Explain(**query), None))  # type: ignore[arg-type]


def test_it_names_the_policy_the_field_and_the_line_of_its_file(service: Service) -> None:
    (answer,) = ask(service, reads=("/etc/shadow",))
    assert answer.access == "read /etc/shadow by any program"
    assert answer.verdict == "refused"
    assert answer.policy == "KubeArmorPolicy container_namespace/a"
    assert answer.rule == "spec.file.matchPaths[0] (dir/a.yaml:8)"
    assert answer.reason.startswith("refused by KubeArmorPolicy container_namespace/a")


def test_a_source_makes_the_difference(service: Service) -> None:
    (without,) = ask(service, reads=("/srv/secret",))
    (by_curl,) = ask(service, reads=("/srv/secret",), source="/usr/bin/curl")
    assert (without.verdict, by_curl.verdict) == ("audited", "refused")
    assert (
        "does not apply: the program is not one of its sources"
        in ask(service, execs=("/usr/bin/apt",), source="/usr/bin/zsh")[0].reason
    )


def test_what_depends_on_the_owner_is_told_for_both_cases(service: Service) -> None:
    other, owner = ask(service, writes=("/srv/mine",))
    assert (other.access, other.verdict) == (
        "write /srv/mine by any program as another than its owner", "audited",
    )  # fmt: skip
    assert (owner.access, owner.verdict) == (
        "write /srv/mine by any program as its owner", "allowed",
    )  # fmt: skip
    assert other.policy == "DefaultPosture"


def test_links_are_followed_as_the_kernel_would(service: Service, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    (answer,) = ask(service, reads=(f"{tmp_path}/link",))
    assert answer.access == f"read {tmp_path}/link (/etc/shadow) by any program"
    assert answer.verdict == "refused"


def test_where_no_policy_binds_everything_is_permitted(service: Service) -> None:
    (answer,) = service.explain(web(labels={}), Explain(reads=("/etc/hauberk/x",)), None)
    assert (answer.verdict, answer.policy, answer.reason) == ("permitted", "", "no rule speaks of it")


# Alerts


def alert(service: Service, record: Record) -> str:
    """The alert that this record becomes."""
    rules = service.compile(web(), 64, None, frozenset()).rules
    translator = Translator(Clock())
    translator.add_workload(7, WorkloadIdentity(namespace="container_namespace"))
    translator.add_rules(7, 3, rules)
    return msgspec.json.encode(translator.translate(record)).decode()


def number(service: Service, where: str) -> int:
    rules = service.compile(web(), 64, None, frozenset()).rules
    return next(at for at, rule in enumerate(rules) if rule.policy.name == "a" and rule.where == where)


@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("spec.file.matchPaths[0]", {"object": b"/etc/shadow"}),
        ("spec.file.matchPaths[0]", {"object": b"/etc/shadow", "call": Call.UNLINK}),
        ("spec.file.matchPaths[2]", {"object": b"/srv/secret", "exe": b"/usr/bin/curl"}),
        (
            "spec.process.matchPaths[0]",
            {"object": b"/usr/bin/apt", "exe": b"/usr/bin/bash", "call": Call.EXEC, "section": 0},
        ),
        (
            "spec.network.matchProtocols[0]",
            {"call": Call.SOCKET, "section": 2, "detail": (2, 3, 1, 0)},
        ),
        (
            "spec.capabilities.matchCapabilities[0]",
            {"call": Call.CAPABLE, "section": 3, "detail": (13, 0, 0, 0)},
        ),
    ],
)
def test_an_alert_is_explained_by_the_rule_that_it_names(
    service: Service, where: str, changes: dict[str, object]
) -> None:
    record = access(rule=number(service, where), **changes)
    (answer,) = ask(service, alert=alert(service, record))
    assert answer.verdict == "refused"
    assert answer.rule.startswith(f"{where} (dir/a.yaml:")
    assert "says otherwise" not in answer.reason


def test_the_program_that_was_replaced_is_found_out(service: Service) -> None:
    where = "spec.process.matchPaths[0]"
    record = access(
        rule=number(service, where), object=b"/usr/bin/apt", exe=b"/usr/bin/env", call=Call.EXEC, section=0
    )
    (answer,) = ask(service, alert=alert(service, record))
    assert (answer.verdict, answer.rule.partition(" ")[0]) == ("refused", where)
    assert "the program that its last exec replaced was /usr/bin/bash" in answer.reason


def test_an_alert_of_a_posture_is_explained(service: Service) -> None:
    record = access(rule=POSTURE, verdict=Verdict.AUDIT, object=b"/srv/other")
    (answer,) = ask(service, alert=alert(service, record))
    assert (answer.verdict, answer.policy, answer.rule) == ("audited", "DefaultPosture", "")
    assert "posture audit of section file applies because" in answer.reason


def test_an_alert_of_what_no_rule_is_about_keeps_its_own_reason(service: Service) -> None:
    for rule, call in ((GUARD, Call.KILL), (MOVE, Call.RENAME), (MOVE, Call.MOUNT)):
        (answer,) = ask(service, alert=alert(service, access(rule=rule, call=call, object=b"/a")))
        assert answer.verdict == "refused"
        assert answer.policy in ("HauberkSelfProtection", "ProtectedPath")
        assert answer.reason.startswith("it would")


def test_both_ends_of_a_rename_are_explained(service: Service) -> None:
    record = access(
        rule=number(service, "spec.file.matchPaths[0]"),
        call=Call.RENAME,
        object=b"/tmp/x",
        other=b"/etc/shadow",
    )
    ends = ask(service, alert=alert(service, record))
    assert [end.verdict for end in ends] == ["audited", "refused"]


def test_an_alert_that_later_policies_contradict_says_so(service: Service) -> None:
    told = alert(service, access(rule=number(service, "spec.file.matchPaths[0]"), object=b"/etc/shadow"))
    service.use([source(policy("b", "file: {matchPaths: [{path: /x}]}"))])
    (answer,) = ask(service, alert=told)
    assert answer.verdict == "permitted"
    assert "the alert says otherwise (refused a spec.file.matchPaths[0])" in answer.reason


def test_a_log_is_explained_too(service: Service) -> None:
    record = access(rule=NONE, verdict=Verdict.PERMIT, object=b"/srv/mine", owner=33, section=Section.FILE)
    (answer,) = ask(service, alert=alert(service, record))
    assert (answer.verdict, answer.policy) == ("allowed", "KubeArmorPolicy container_namespace/a")
    assert "says otherwise" not in answer.reason


@settings(deadline=None)
@given(st.one_of(st.text(), st.sampled_from(['{"UID": 1}', "[]", '{"UID":1,"PPID":1,"Hauberk":{}}'])))
def test_what_is_no_alert_is_told(text: str) -> None:
    if text:
        with pytest.raises(HauberkError, match="this is no alert of Hauberk"):
            list(accesses.accesses_of(Explain(alert=text), lambda path: path))


@pytest.mark.parametrize(
    "changes",
    [
        {"Data": "domain=AF_INET type=-1 protocol=TCP"},
        {"Data": "domain=AF_NOWHERE type=1 protocol=TCP"},
        {"Hauberk": {"Call": "capable"}, "Resource": "CAP_99999"},
        {"Hauberk": {"Call": "capable"}, "Resource": "everything"},
        {"Hauberk": {"Call": "fly"}},
    ],
)
def test_words_that_no_alert_has_are_told(changes: dict[str, object]) -> None:
    data = {"UID": 0, "PPID": 0, "Type": "MatchedPolicy", "Hauberk": {"Call": "socket"}, "Data": ""} | changes
    with pytest.raises(HauberkError, match="this is no alert of Hauberk"):
        list(accesses.accesses_of(Explain(alert=msgspec.json.encode(data).decode()), lambda path: path))


def test_each_verdict_has_its_word() -> None:
    assert set(VERDICTS) == set(Verdict)


def test_a_posture_that_blocks_is_named(service: Service) -> None:
    facts = web(postures=Postures(file=Posture.BLOCK))
    (answer,) = service.explain(facts, Explain(reads=("/srv/other",)), None)
    assert (answer.verdict, answer.policy) == ("refused", "DefaultPosture")
