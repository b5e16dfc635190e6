# SPDX-License-Identifier: Apache-2.0
"""What rules mean, case by case."""

import pytest

from hauberk.rules.decide import CapabilityObject, Decision, FileObject, SocketObject, Subject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import (
    Capability,
    Operation,
    Posture,
    Protocol,
    RulesError,
    Section,
    Verdict,
)

from .make import meaning, rule

EXEC, MAP, READ, WRITE = Operation.EXEC, Operation.MAP, Operation.READ, Operation.WRITE
PERMIT, AUDIT, REFUSE, ALLOWED = Verdict.PERMIT, Verdict.AUDIT, Verdict.REFUSE, Verdict.ALLOWED
PROCESS = Section.PROCESS


def ask(
    rules: Meaning,
    operation: Operation,
    path: str,
    program: str | None = None,
    *,
    replaced: str | None = None,
    tty: bool = False,
    owned: bool = False,
    fresh_mount: bool = False,
    own: bool = False,
) -> Decision:
    subject = Subject(program and program.encode(), replaced and replaced.encode(), tty)  # type: ignore[arg-type]
    return decide(rules, subject, operation, FileObject((path.encode(),), owned, fresh_mount, own))


def verdict(
    rules: Meaning, operation: Operation, path: str, program: str | None = None, **how: object
) -> Verdict:
    return ask(rules, operation, path, program, **how).verdict  # type: ignore[arg-type]


class TestConditions:
    @pytest.mark.parametrize("operation", [READ, WRITE, EXEC, MAP])
    def test_a_file_block_refuses_reading_writing_running_and_mapping(self, operation: Operation) -> None:
        assert verdict(meaning(rule("Block", "/secret")), operation, "/secret") is REFUSE

    @pytest.mark.parametrize(
        ("operation", "expected"), [(READ, PERMIT), (WRITE, REFUSE), (EXEC, PERMIT), (MAP, PERMIT)]
    )
    def test_a_read_only_block_exempts_reads_and_running(
        self, operation: Operation, expected: Verdict
    ) -> None:
        assert verdict(meaning(rule("Block", "/x", read_only=True)), operation, "/x") is expected

    @pytest.mark.parametrize("operation", [READ, WRITE, EXEC, MAP])
    @pytest.mark.parametrize(("owned", "expected"), [(True, PERMIT), (False, REFUSE)])
    def test_an_owner_only_block_exempts_the_owner(
        self, operation: Operation, owned: bool, expected: Verdict
    ) -> None:
        assert (
            verdict(meaning(rule("Block", "/x", owner_only=True)), operation, "/x", owned=owned) is expected
        )

    @pytest.mark.parametrize(
        ("operation", "owned", "expected"),
        [(READ, True, PERMIT), (READ, False, REFUSE), (WRITE, True, REFUSE), (WRITE, False, REFUSE)],
    )
    def test_a_block_with_both_exempts_only_the_owners_reads(
        self, operation: Operation, owned: bool, expected: Verdict
    ) -> None:
        rules = meaning(rule("Block", "/x", owner_only=True, read_only=True))
        assert verdict(rules, operation, "/x", owned=owned) is expected

    @pytest.mark.parametrize(("tty", "expected"), [(True, REFUSE), (False, PERMIT)])
    def test_pts_false_makes_a_block_apply_to_tasks_with_a_terminal(
        self, tty: bool, expected: Verdict
    ) -> None:
        assert verdict(meaning(rule("Block", "/x", tty_only=True)), READ, "/x", tty=tty) is expected

    @pytest.mark.parametrize(("tty", "expected"), [(True, REFUSE), (False, ALLOWED)])
    def test_pts_false_makes_an_allow_apply_to_tasks_without_one(self, tty: bool, expected: Verdict) -> None:
        rules = meaning(rule("Allow", "/x", tty_only=True), file=Posture.BLOCK)
        assert verdict(rules, READ, "/x", tty=tty) is expected

    @pytest.mark.parametrize(
        ("flag", "operation", "owned", "expected"),
        [
            ("owner_only", READ, True, ALLOWED),
            ("owner_only", READ, False, REFUSE),
            ("owner_only", WRITE, True, ALLOWED),
            ("read_only", READ, False, ALLOWED),
            ("read_only", WRITE, True, REFUSE),
        ],
    )
    def test_an_allow_permits_only_what_its_conditions_say(
        self, flag: str, operation: Operation, owned: bool, expected: Verdict
    ) -> None:
        rules = meaning(rule("Allow", "/x", **{flag: True}), file=Posture.BLOCK)
        assert verdict(rules, operation, "/x", owned=owned) is expected

    def test_an_audit_alerts_on_what_it_would_refuse_and_changes_nothing(self) -> None:
        rules = meaning(rule("Audit", "/x", read_only=True))
        assert verdict(rules, WRITE, "/x") is AUDIT
        assert verdict(rules, READ, "/x") is PERMIT

    def test_an_audit_alerts_also_on_what_an_allow_permits(self) -> None:
        rules = meaning(rule("Audit", "/a/x"), rule("Allow", "/a/**"))
        decision = ask(rules, READ, "/a/x")
        assert decision.verdict is AUDIT
        assert decision.rule == rules.rules[0]

    def test_an_allow_strictly_inside_silences_an_audit_as_it_would_except_the_block(self) -> None:
        assert verdict(meaning(rule("Audit", "/a/**"), rule("Allow", "/a/x")), READ, "/a/x") is ALLOWED


class TestSources:
    def test_a_rule_with_sources_applies_to_these_programs_only(self) -> None:
        rules = meaning(rule("Block", "/x", sources=("/bin/cat", "/bin/head")))
        assert verdict(rules, READ, "/x", "/bin/cat") is REFUSE
        assert verdict(rules, READ, "/x", "/bin/head") is REFUSE
        assert verdict(rules, READ, "/x", "/bin/tail") is PERMIT
        assert verdict(rules, READ, "/x", None) is PERMIT

    def test_for_exec_a_block_also_applies_from_the_program_that_the_caller_replaced(self) -> None:
        rules = meaning(rule("Block", "/bin/curl", section=PROCESS, sources=("/bin/bash",)))
        assert verdict(rules, EXEC, "/bin/curl", "/bin/env", replaced="/bin/bash") is REFUSE
        assert verdict(rules, EXEC, "/bin/curl", "/bin/env", replaced="/bin/dash") is PERMIT

    def test_an_allow_looks_at_the_calling_program_only(self) -> None:
        rules = meaning(
            rule("Allow", "/bin/curl", section=PROCESS, sources=("/bin/bash",)), file=Posture.BLOCK
        )
        assert verdict(rules, EXEC, "/bin/curl", "/bin/bash") is ALLOWED
        assert verdict(rules, EXEC, "/bin/curl", "/bin/env", replaced="/bin/bash") is REFUSE

    @pytest.mark.parametrize("operation", [READ, WRITE, MAP])
    def test_what_a_program_replaced_matters_to_exec_only(self, operation: Operation) -> None:
        rules = meaning(rule("Block", "/x", sources=("/bin/bash",)))
        assert verdict(rules, operation, "/x", "/bin/env", replaced="/bin/bash") is PERMIT


class TestExceptions:
    def test_an_allow_strictly_inside_a_block_excepts_it(self) -> None:
        rules = meaning(rule("Block", "/etc/**"), rule("Allow", "/etc/hosts"))
        assert verdict(rules, READ, "/etc/hosts") is ALLOWED
        assert verdict(rules, READ, "/etc/shadow") is REFUSE

    def test_the_same_object_with_fewer_programs_is_strictly_inside(self) -> None:
        rules = meaning(rule("Block", "/run/token/**"), rule("Allow", "/run/token/**", sources=("/bin/cat",)))
        assert verdict(rules, READ, "/run/token/t", "/bin/cat") is ALLOWED
        assert verdict(rules, READ, "/run/token/t", "/bin/head") is REFUSE

    def test_an_allow_equal_to_a_block_does_not_except_it(self) -> None:
        assert verdict(meaning(rule("Block", "/x"), rule("Allow", "/x")), READ, "/x") is REFUSE

    def test_a_wider_allow_does_not_except_a_block(self) -> None:
        assert (
            verdict(meaning(rule("Block", "/etc/shadow"), rule("Allow", "/**")), READ, "/etc/shadow")
            is REFUSE
        )

    def test_fewer_objects_but_other_programs_are_not_inside(self) -> None:
        rules = meaning(
            rule("Block", "/etc/**", sources=("/bin/cat",)),
            rule("Allow", "/etc/x", sources=("/bin/cat", "/bin/head")),
        )
        assert verdict(rules, READ, "/etc/x", "/bin/cat") is REFUSE

    def test_one_rule_lies_inside_another_if_its_paths_do_whatever_their_texts(self) -> None:
        rules = meaning(rule("Block", "glob:/srv/{a,b}*/**"), rule("Allow", "/srv/abc/**"))
        assert verdict(rules, READ, "/srv/abc/x") is REFUSE
        rules = meaning(rule("Block", "glob:/srv/{a,b}*{,/**}"), rule("Allow", "/srv/abc/**"))
        assert verdict(rules, READ, "/srv/abc/x") is ALLOWED

    def test_an_allow_of_another_policy_of_the_same_scope_excepts(self) -> None:
        rules = meaning(rule("Block", "/etc/**"), rule("Allow", "/etc/x", policy="two"))
        assert verdict(rules, READ, "/etc/x") is ALLOWED

    @pytest.mark.parametrize(
        ("block", "allow", "expected"),
        [
            ("cluster", "one", REFUSE),
            ("one", "cluster", ALLOWED),
            ("cluster", "cluster", ALLOWED),
            ("host", "one", REFUSE),
            ("one", "host", ALLOWED),
        ],
    )
    def test_an_allow_excepts_no_block_of_a_wider_scope(
        self, block: str, allow: str, expected: Verdict
    ) -> None:
        rules = meaning(rule("Block", "/etc/**", policy=block), rule("Allow", "/etc/x", policy=allow))
        assert verdict(rules, READ, "/etc/x") is expected

    def test_every_block_needs_an_exception_of_its_own(self) -> None:
        rules = meaning(rule("Block", "/etc/**"), rule("Block", "name:x"), rule("Allow", "/etc/x"))
        assert verdict(rules, READ, "/etc/x") is ALLOWED
        rules = meaning(rule("Block", "/etc/**"), rule("Block", "/etc/x"), rule("Allow", "/etc/x"))
        assert verdict(rules, READ, "/etc/x") is REFUSE

    def test_an_allow_that_does_not_apply_excepts_nothing(self) -> None:
        rules = meaning(rule("Block", "/etc/**"), rule("Allow", "/etc/x", read_only=True))
        assert verdict(rules, READ, "/etc/x") is ALLOWED
        assert verdict(rules, WRITE, "/etc/x") is REFUSE

    def test_a_file_allow_excepts_no_process_block(self) -> None:
        rules = meaning(rule("Block", "/opt/**", section=PROCESS), rule("Allow", "/opt/x"))
        assert verdict(rules, EXEC, "/opt/x") is REFUSE

    def test_what_excepts_a_file_block_from_reading_excepts_it_from_running(self) -> None:
        rules = meaning(rule("Block", "/opt/**"), rule("Allow", "/opt/x"))
        assert verdict(rules, EXEC, "/opt/x") is PERMIT
        assert verdict(rules, EXEC, "/opt/y") is REFUSE


class TestPosture:
    def test_without_an_allow_rule_no_posture_applies(self) -> None:
        assert verdict(meaning(rule("Block", "/x"), file=Posture.BLOCK), READ, "/y") is PERMIT

    @pytest.mark.parametrize(
        ("posture", "expected"), [(Posture.BLOCK, REFUSE), (Posture.AUDIT, AUDIT), (Posture.ALLOW, PERMIT)]
    )
    def test_an_allow_rule_switches_the_posture_of_its_section_on(
        self, posture: Posture, expected: Verdict
    ) -> None:
        decision = ask(meaning(rule("Allow", "/x"), file=posture), READ, "/y")
        assert decision.verdict is expected
        assert decision.special == ("" if posture is Posture.ALLOW else "DefaultPosture")

    def test_a_file_allow_switches_nothing_on_for_processes_and_the_other_way_round(self) -> None:
        assert verdict(meaning(rule("Allow", "/x"), file=Posture.BLOCK), EXEC, "/y") is PERMIT
        rules = meaning(rule("Allow", "/x", section=PROCESS), file=Posture.BLOCK)
        assert verdict(rules, READ, "/y") is PERMIT
        assert verdict(rules, EXEC, "/y") is REFUSE

    def test_network_and_capabilities_have_postures_of_their_own(self) -> None:
        rules = meaning(
            rule("Allow", Protocol("tcp"), section=Section.NETWORK),
            rule("Allow", Capability(13), section=Section.CAPABILITIES),
            network=Posture.BLOCK,
            capabilities=Posture.AUDIT,
        )
        assert decide(rules, Subject(), Operation.NETWORK, SocketObject(2, 2, 0)).verdict is REFUSE
        assert decide(rules, Subject(), Operation.NETWORK, SocketObject(2, 1, 0)).verdict is ALLOWED
        assert decide(rules, Subject(), Operation.CAPABILITY, CapabilityObject(21)).verdict is AUDIT
        assert decide(rules, Subject(), Operation.CAPABILITY, CapabilityObject(13)).verdict is ALLOWED

    def test_in_a_host_policy_an_allow_with_sources_switches_it_on_for_these_only(self) -> None:
        rules = meaning(rule("Allow", "/x", sources=("/bin/cat",), policy="host"), file=Posture.BLOCK)
        assert verdict(rules, READ, "/y", "/bin/cat") is REFUSE
        assert verdict(rules, READ, "/y", "/bin/head") is PERMIT

    def test_in_other_policies_it_does_so_for_every_program(self) -> None:
        rules = meaning(rule("Allow", "/x", sources=("/bin/cat",)), file=Posture.BLOCK)
        assert verdict(rules, READ, "/y", "/bin/head") is REFUSE

    def test_an_audit_rule_is_named_before_the_posture_audit(self) -> None:
        rules = meaning(rule("Allow", "/x"), rule("Audit", "/y"), file=Posture.AUDIT)
        assert ask(rules, READ, "/y").rule == rules.rules[1]

    def test_posture_block_refuses_what_an_audit_rule_alerts_on(self) -> None:
        decision = ask(meaning(rule("Allow", "/x"), rule("Audit", "/y"), file=Posture.BLOCK), READ, "/y")
        assert (decision.verdict, decision.special) == (REFUSE, "DefaultPosture")


class TestNaming:
    def test_the_alert_names_the_block_with_the_fewest_objects(self) -> None:
        rules = meaning(rule("Block", "/etc/**"), rule("Block", "/etc/shadow", policy="two"))
        decision = ask(rules, READ, "/etc/shadow")
        assert decision.rule is not None
        assert decision.rule.policy.name == "two"

    def test_of_equally_broad_blocks_kind_then_namespace_then_name_then_index_decide(self) -> None:
        rules = meaning(
            rule("Block", "/x", policy="two"),
            rule("Block", "/x", policy="one"),
            rule("Block", "/x", policy="one", sources=("/p",)),
            rule("Block", "/x", policy="cluster"),
        )
        decision = ask(rules, READ, "/x", "/p")
        assert decision.rule is not None
        assert decision.rule.policy.kind == "KubeArmorClusterPolicy"
        without = meaning(*(one for one in rules.rules if one.policy.name != "cluster"))
        decision = ask(without, READ, "/x", "/p")
        assert decision.rule is not None
        assert (decision.rule.policy.name, decision.rule.index) == ("one", 0)

    def test_rules_of_a_policy_rank_as_numbers_not_as_texts(self) -> None:
        blocks = [rule("Block", f"glob:/{'?' * n}*") for n in range(12, 0, -1)] + [rule("Block", "/zz/")]
        decision = ask(meaning(*blocks), READ, "/" + "x" * 20)
        assert decision.rule is not None
        assert decision.rule.index == 0


class TestNames:
    def test_an_object_is_refused_if_any_of_its_names_is(self) -> None:
        rules = meaning(rule("Block", "/etc/shadow"))
        for names in ((b"/etc/shadow", b"/tmp/l"), (b"/tmp/l", b"/etc/shadow")):
            decision = decide(rules, Subject(), READ, FileObject(names))
            assert decision.verdict is REFUSE
            assert "/etc/shadow" in decision.reason

    def test_under_posture_block_every_name_has_to_be_allowed(self) -> None:
        rules = meaning(rule("Allow", "/a/**"), file=Posture.BLOCK)
        assert decide(rules, Subject(), READ, FileObject((b"/a/x", b"/a/y"))).verdict is ALLOWED
        assert decide(rules, Subject(), READ, FileObject((b"/a/x", b"/b/y"))).verdict is REFUSE

    def test_it_alerts_if_any_name_does(self) -> None:
        rules = meaning(rule("Audit", "/a"))
        assert decide(rules, Subject(), READ, FileObject((b"/b", b"/a"))).verdict is AUDIT

    def test_an_object_without_a_name_is_refused_where_a_block_might_have_refused_it(self) -> None:
        nameless = FileObject(())
        decision = decide(meaning(rule("Block", "/x")), Subject(), READ, nameless)
        assert (decision.verdict, decision.special) == (REFUSE, "UnknownObject")
        decision = decide(meaning(rule("Block", "/x", section=PROCESS)), Subject(), READ, nameless)
        assert (decision.verdict, decision.special) == (AUDIT, "UnknownObject")
        assert decide(meaning(rule("Block", "/x", section=PROCESS)), Subject(), EXEC, nameless).refused
        assert decide(meaning(rule("Block", "/x")), Subject(), EXEC, nameless).refused
        assert not decide(meaning(rule("Block", "/x", read_only=True)), Subject(), EXEC, nameless).refused

    @pytest.mark.parametrize(("posture", "expected"), [(Posture.BLOCK, REFUSE), (Posture.AUDIT, AUDIT)])
    def test_or_an_allow_under_posture_block(self, posture: Posture, expected: Verdict) -> None:
        rules = meaning(rule("Allow", "/x"), file=posture)
        assert decide(rules, Subject(), WRITE, FileObject(())).verdict is expected

    def test_the_base_set_alone_refuses_no_object_without_a_name(self) -> None:
        rules = meaning(rule("Audit", "/x"), file=Posture.BLOCK, base_set=True)
        assert decide(rules, Subject(), READ, FileObject(())).verdict is AUDIT

    def test_on_a_mount_made_later_allow_rules_do_not_count(self) -> None:
        rules = meaning(rule("Allow", "/a/**"), rule("Block", "/a/b/**"), file=Posture.BLOCK)
        assert verdict(rules, READ, "/a/x", fresh_mount=True) is REFUSE
        assert verdict(rules, READ, "/a/b/x", fresh_mount=True) is REFUSE
        assert verdict(rules, READ, "/a/x") is ALLOWED


class TestMapping:
    def test_it_is_refused_by_process_blocks(self) -> None:
        assert verdict(meaning(rule("Block", "/bin/curl", section=PROCESS)), MAP, "/bin/curl") is REFUSE

    @pytest.mark.parametrize(
        ("target", "expected"),
        [
            ("/usr/lib/evil.so", REFUSE),
            ("name:evil.so", REFUSE),
            ("glob:/usr/**/evil.*", REFUSE),
            ("/usr/lib/**", PERMIT),
            ("/usr/**", PERMIT),
            ("/usr/lib/", PERMIT),
        ],
    )
    def test_in_a_library_directory_by_all_but_wide_directories(self, target: str, expected: Verdict) -> None:
        assert verdict(meaning(rule("Block", target, section=PROCESS)), MAP, "/usr/lib/evil.so") is expected

    def test_and_by_directories_inside_a_library_directory(self) -> None:
        rules = meaning(rule("Block", "/usr/lib/evil/", section=PROCESS))
        assert verdict(rules, MAP, "/usr/lib/evil/x.so") is REFUSE

    def test_a_wide_directory_still_refuses_running_there_and_mapping_elsewhere(self) -> None:
        rules = meaning(rule("Block", "/usr/**", section=PROCESS))
        assert verdict(rules, EXEC, "/usr/lib/x") is REFUSE
        assert verdict(rules, MAP, "/usr/share/x") is REFUSE

    def test_the_process_posture_applies_to_it_only_for_an_elf_loader(self) -> None:
        rules = meaning(rule("Allow", "/bin/true", section=PROCESS), file=Posture.BLOCK, base_set=True)
        assert verdict(rules, MAP, "/opt/plugin", "/bin/true") is PERMIT
        assert verdict(rules, MAP, "/bin/curl", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2") is REFUSE
        assert verdict(rules, MAP, "/bin/true", "/lib/ld-musl-x86_64.so.1") is ALLOWED
        assert verdict(rules, MAP, "/lib/libc.so.6", "/lib/ld-musl-x86_64.so.1") is ALLOWED

    def test_a_loader_that_a_rule_names_is_still_a_loader(self) -> None:
        rules = meaning(
            rule("Allow", "/bin/true", section=PROCESS, sources=("/lib64/ld-linux-x86-64.so.2",)),
            file=Posture.BLOCK,
        )
        assert verdict(rules, MAP, "/bin/curl", "/lib64/ld-linux-x86-64.so.2") is REFUSE

    def test_as_a_read_it_is_under_the_file_posture(self) -> None:
        rules = meaning(rule("Allow", "/a"), file=Posture.BLOCK)
        assert verdict(rules, MAP, "/a") is ALLOWED
        assert verdict(rules, MAP, "/b") is REFUSE


class TestBaseSet:
    def test_it_permits_reading_under_posture_block_and_nothing_else(self) -> None:
        rules = meaning(rule("Allow", "/x"), file=Posture.BLOCK, base_set=True)
        assert verdict(rules, READ, "/etc/ld.so.cache") is ALLOWED
        assert verdict(rules, MAP, "/lib/libc.so.6") is ALLOWED
        assert verdict(rules, WRITE, "/dev/null") is REFUSE
        assert verdict(meaning(rule("Allow", "/x"), file=Posture.BLOCK), READ, "/etc/ld.so.cache") is REFUSE

    def test_it_permits_no_running(self) -> None:
        rules = meaning(rule("Allow", "/x", section=PROCESS), file=Posture.BLOCK, base_set=True)
        assert verdict(rules, EXEC, "/lib64/ld-linux-x86-64.so.2") is REFUSE

    def test_an_explicit_block_overrides_it(self) -> None:
        rules = meaning(rule("Block", "/**"), file=Posture.BLOCK, base_set=True)
        assert verdict(rules, READ, "/etc/ld.so.cache") is REFUSE

    def test_it_switches_no_posture_on(self) -> None:
        assert verdict(meaning(file=Posture.BLOCK, base_set=True), READ, "/home/x") is PERMIT

    def test_a_task_may_read_what_is_its_own(self) -> None:
        rules = meaning(rule("Allow", "/x"), file=Posture.BLOCK, base_set=True)
        assert verdict(rules, READ, "/proc/7/status", own=True) is ALLOWED
        assert verdict(rules, READ, "/proc/7/status") is REFUSE
        assert verdict(rules, WRITE, "/proc/7/mem", own=True) is REFUSE
        blocked = meaning(rule("Allow", "/x"), rule("Block", "/proc/**"), file=Posture.BLOCK, base_set=True)
        assert verdict(blocked, READ, "/proc/7/status", own=True) is REFUSE


class TestSockets:
    def test_unix_and_netlink_are_never_decided(self) -> None:
        rules = meaning(rule("Block", Protocol("all"), section=Section.NETWORK), network=Posture.BLOCK)
        for family in (1, 16):
            assert decide(rules, Subject(), Operation.NETWORK, SocketObject(family, 1, 0)).verdict is PERMIT
        assert decide(rules, Subject(), Operation.NETWORK, SocketObject(40, 1, 0)).verdict is REFUSE

    def test_tcp_lies_inside_stream_and_udp_does_not(self) -> None:
        rules = meaning(
            rule("Block", Protocol("stream"), section=Section.NETWORK),
            rule("Allow", Protocol("tcp"), section=Section.NETWORK),
            rule("Block", Protocol("udp"), section=Section.NETWORK),
            rule("Allow", Protocol("udp"), section=Section.NETWORK, policy="two"),
        )
        assert decide(rules, Subject(), Operation.NETWORK, SocketObject(2, 1, 6)).verdict is ALLOWED
        assert decide(rules, Subject(), Operation.NETWORK, SocketObject(2, 1, 132)).verdict is REFUSE
        assert decide(rules, Subject(), Operation.NETWORK, SocketObject(2, 2, 17)).verdict is REFUSE

    def test_sources_and_terminals_count_there_too(self) -> None:
        rules = meaning(
            rule("Block", Protocol("raw"), section=Section.NETWORK, sources=("/bin/ping",), tty_only=True)
        )
        raw = SocketObject(2, 3, 1)
        assert decide(rules, Subject(b"/bin/ping", None, True), Operation.NETWORK, raw).verdict is REFUSE
        assert decide(rules, Subject(b"/bin/ping"), Operation.NETWORK, raw).verdict is PERMIT
        assert decide(rules, Subject(b"/bin/nmap", None, True), Operation.NETWORK, raw).verdict is PERMIT

    def test_an_operation_that_the_object_cannot_undergo_is_an_error(self) -> None:
        with pytest.raises(RulesError, match="READ cannot be done to a SocketObject"):
            decide(meaning(), Subject(), READ, SocketObject(2, 1, 0))


class TestReasons:
    def test_they_name_the_policy_the_rule_and_why_it_beat_the_others(self) -> None:
        rules = meaning(rule("Block", "/etc/**"), rule("Block", "/etc/x", policy="two"), rule("Allow", "/**"))
        reason = ask(rules, READ, "/etc/x").reason
        assert reason.startswith(
            "refused by KubeArmorPolicy default/two (spec.file.rules[0], line 1: Block /etc/x)"
        )
        assert "beats KubeArmorPolicy default/one (spec.file.rules[1], line 2: Allow /**)" in reason
        assert "because that does not lie inside it" in reason
        assert "named before KubeArmorPolicy default/one (spec.file.rules[0]" in reason
        assert "which names more objects" in reason

    def test_they_name_the_exception(self) -> None:
        rules = meaning(rule("Block", "/etc/**"), rule("Allow", "/etc/x"))
        assert "excepts KubeArmorPolicy default/one" in ask(rules, READ, "/etc/x").reason

    @pytest.mark.parametrize(
        ("allow", "why"),
        [
            (rule("Allow", "/etc/x", policy="two"), "yields to none of narrower scope"),
            (rule("Allow", "/etc/**", policy="cluster"), "an Allow must be narrower"),
        ],
    )
    def test_they_say_why_an_allow_is_no_exception(self, allow: object, why: str) -> None:
        rules = meaning(rule("Block", "/etc/**", policy="cluster"), allow)  # type: ignore[arg-type]
        assert why in ask(rules, READ, "/etc/x").reason

    def test_they_say_which_rule_switched_the_posture_on(self) -> None:
        reason = ask(meaning(rule("Allow", "/x"), file=Posture.BLOCK), READ, "/y").reason
        assert reason == (
            "no rule permits it; posture block of section file applies because KubeArmorPolicy default/one "
            "(spec.file.rules[0], line 1: Allow /x) is an Allow rule"
        )

    @pytest.mark.parametrize(
        ("flags", "why"),
        [
            ({"owner_only": True}, "exempts the owner"),
            ({"read_only": True}, "exempts reads"),
            ({"owner_only": True, "read_only": True}, "exempts the owner's reads"),
            ({"tty_only": True}, "the task has no terminal"),
        ],
    )
    def test_they_say_why_a_block_let_it_pass(self, flags: dict[str, bool], why: str) -> None:
        assert why in ask(meaning(rule("Block", "/x", **flags)), READ, "/x", owned=True).reason
