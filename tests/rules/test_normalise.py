# SPDX-License-Identifier: Apache-2.0
"""From policies as written to rules."""

from collections.abc import Callable

from hauberk.automaton.patterns import Directory, Exact, Glob, Name
from hauberk.policy.load import load_text
from hauberk.rules.decide import FileObject, Subject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import (
    Action,
    Alias,
    Capability,
    Operation,
    Postures,
    Protocol,
    Rule,
    RuleSet,
    Scope,
    Section,
    Verdict,
)
from hauberk.rules.normalise import no_links, rule_set

HEAD = """\
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: p, namespace: web}
spec:
  selector: {matchLabels: {app: web}}
"""


def normalised(text: str, resolve: Callable[[bytes], bytes] = no_links, *, base_set: bool = False) -> RuleSet:
    loaded = load_text(text if text.startswith("apiVersion") else HEAD + text)
    assert not loaded.faults
    return rule_set(loaded.policies, Postures(), resolve=resolve, base_set=base_set)


def rules(text: str, resolve: Callable[[bytes], bytes] = no_links) -> tuple[Rule, ...]:
    return normalised(text, resolve).rules


def merged_usr(path: bytes) -> bytes:
    """The resolver of a root file system like most: merged /usr, and some links of its own."""
    links = {
        b"/bin": b"/usr/bin",
        b"/lib": b"/usr/lib",
        b"/var/run": b"/run",
        b"/usr/bin/sh": b"/usr/bin/dash",
        b"/usr/bin/python3": b"/usr/bin/python3.11",
        b"/proc/self": b"/proc/4711",
    }
    for _ in range(8):
        for link, target in links.items():
            if path == link or path.startswith(link + b"/"):
                path = target + path[len(link) :]
    return path


def test_each_field_is_the_rules_own_else_the_sections_else_the_policys() -> None:
    found = rules(
        """\
  severity: 1
  tags: [spec]
  message: from spec
  action: Audit
  file:
    severity: 2
    message: from section
    matchPaths:
    - {path: /a, severity: 3, tags: [rule], message: from rule, action: Allow}
    - {path: /b}
  process:
    action: Allow
    matchPaths:
    - {path: /c}
"""
    )
    assert [(r.target, r.severity, r.tags, r.message, r.action) for r in found] == [
        (Exact(b"/c"), 1, ("spec",), "from spec", Action.ALLOW),
        (Exact(b"/a"), 3, ("rule",), "from rule", Action.ALLOW),
        (Exact(b"/b"), 2, ("spec",), "from section", Action.AUDIT),
    ]


def test_an_action_written_nowhere_is_block() -> None:
    assert rules("  file: {matchPaths: [{path: /a}]}")[0].action is Action.BLOCK


def test_a_lower_case_action_means_the_same() -> None:
    assert rules("  action: audit\n  file: {matchPaths: [{path: /a}]}")[0].action is Action.AUDIT


def test_every_kind_of_target() -> None:
    found = rules(
        """\
  process:
    matchPaths: [{path: /p}, {execname: curl}, {path: /ignored, execname: wget}]
    matchDirectories: [{dir: /d/}, {dir: /r/, recursive: true}]
    matchPatterns: [{pattern: "/x/*.so"}]
  file:
    matchPaths: [{path: //double//slash}]
    matchDirectories: [{dir: /}]
"""
    )
    assert [(r.section, r.target) for r in found] == [
        (Section.PROCESS, Exact(b"/p")),
        (Section.PROCESS, Name(b"curl")),
        (Section.PROCESS, Name(b"wget")),
        (Section.PROCESS, Directory(b"/d")),
        (Section.PROCESS, Directory(b"/r", True)),
        (Section.PROCESS, Glob(b"/x/*.so")),
        (Section.FILE, Exact(b"/double/slash")),
        (Section.FILE, Directory(b"")),
    ]


def test_comma_lists_become_rules_wherever_they_stand() -> None:
    found = rules(
        """\
  network:
    matchProtocols: [{protocol: ICMP}, {protocol: "tcp, udp"}]
  capabilities:
    matchCapabilities: [{capability: net_raw}, {capability: "chown,bpf"}]
"""
    )
    assert [r.target for r in found] == [
        Protocol("icmp"), Protocol("tcp"), Protocol("udp"), Capability(13), Capability(0), Capability(39),
    ]  # fmt: skip
    assert [r.where for r in found][1:3] == ["spec.network.matchProtocols[1]"] * 2
    assert len({r.index for r in found}) == len(found)


def test_flags_sources_and_places_come_along() -> None:
    found = rules(
        """\
  file:
    matchPaths:
    - path: /a
      readOnly: true
      ownerOnly: true
      pts: false
      fromSource: [{path: /bin/cat}, {path: /bin/head}]
    - {path: /b, pts: true}
    - {path: /c, fromSource: []}
"""
    )
    assert (found[0].read_only, found[0].owner_only, found[0].tty_only) == (True, True, True)
    assert found[0].sources == (b"/bin/cat", b"/bin/head")
    assert (found[0].where, found[0].line) == ("spec.file.matchPaths[0]", 8)
    assert (found[1].read_only, found[1].owner_only, found[1].tty_only) == (False, False, False)
    assert found[2].sources == ()


def test_the_scope_is_that_of_the_kind() -> None:
    cluster = HEAD.replace("KubeArmorPolicy", "KubeArmorClusterPolicy").replace(", namespace: web", "")
    cluster = cluster.replace("{matchLabels: {app: web}}", "{}")
    host = HEAD.replace("KubeArmorPolicy", "KubeArmorHostPolicy").replace(", namespace: web", "")
    host = host.replace("selector", "nodeSelector")
    body = "  file: {matchPaths: [{path: /a}]}\n"
    scopes = [rules(head + body)[0].scope for head in (HEAD, cluster, host)]
    assert scopes == [Scope.NAMESPACE, Scope.CLUSTER, Scope.HOST]


def test_a_rule_with_allowed_args_is_left_out() -> None:
    found = rules("  process: {matchPaths: [{path: /a, allowedArgs: [-x]}, {path: /b}]}")
    assert [r.target for r in found] == [Exact(b"/b")]


class TestAliases:
    def test_a_path_through_a_link_also_covers_the_real_path(self) -> None:
        found = normalised("  process: {matchPaths: [{path: /bin/sleep}]}", merged_usr)
        assert {r.target for r in found.rules} == {Exact(b"/bin/sleep"), Exact(b"/usr/bin/sleep")}
        assert len({(r.index, r.where) for r in found.rules}) == 1
        assert found.aliases == (Alias(b"/bin/sleep", b"/usr/bin/sleep"),)

    def test_a_link_at_the_end_is_covered_as_a_link_and_as_what_it_leads_to(self) -> None:
        found = rules("  process: {matchPaths: [{path: /bin/sh}]}", merged_usr)
        assert {r.target for r in found} == {
            Exact(b"/bin/sh"), Exact(b"/usr/bin/sh"), Exact(b"/usr/bin/dash"),
        }  # fmt: skip

    def test_directories_and_patterns_have_aliases(self) -> None:
        found = rules(
            """\
  file:
    matchDirectories: [{dir: /var/run/x/, recursive: true}]
    matchPatterns: [{pattern: "/var/run/*.pid"}, {pattern: "/*/x"}, {pattern: "/var/r*/x"}]
""",
            merged_usr,
        )
        assert {r.target for r in found} == {
            Directory(b"/var/run/x", True),
            Directory(b"/run/x", True),
            Glob(b"/var/run/*.pid"),
            Glob(b"/run/*.pid"),
            Glob(b"/*/x"),
            Glob(b"/var/r*/x"),
        }

    def test_what_is_special_to_a_glob_is_escaped_in_the_real_path(self) -> None:
        found = rules(
            '  file: {matchPatterns: [{pattern: "/l/*"}]}', lambda path: b"/odd[1]" if path == b"/l" else path
        )
        assert {r.target for r in found} == {Glob(b"/l/*"), Glob(b"/odd\\[1\\]/*")}

    def test_sources_have_aliases(self) -> None:
        found = rules("  file: {matchPaths: [{path: /x, fromSource: [{path: /bin/sh}]}]}", merged_usr)
        assert found[0].sources == (b"/bin/sh", b"/usr/bin/dash")

    def test_what_proc_leads_to_is_no_alias(self) -> None:
        found = normalised("  file: {matchPaths: [{path: /proc/self/environ}]}", merged_usr)
        assert [r.target for r in found.rules] == [Exact(b"/proc/self/environ")]
        assert found.aliases == ()

    def test_a_link_that_is_known_counts_though_it_is_not_found_any_more(self) -> None:
        text = HEAD + "  file: {matchPaths: [{path: /bin/sh, fromSource: [{path: /bin/su}]}]}\n"
        text += "  process: {matchPatterns: [{pattern: /bin/*}]}\n"
        loaded = load_text(text)
        known = rule_set(loaded.policies, Postures(), resolve=merged_usr, base_set=False)
        later = rule_set(loaded.policies, Postures(), base_set=False, known=known.aliases)
        assert later == known

    def test_a_path_without_links_has_none(self) -> None:
        assert normalised("  file: {matchPaths: [{path: /etc/x}]}", merged_usr).aliases == ()

    def test_the_base_set_has_aliases_but_not_of_what_is_the_tasks_own(self) -> None:
        found = normalised("  action: Block\n", merged_usr, base_set=True)
        targets = {r.target for r in found.rules}
        assert found.base_set
        assert Directory(b"/proc/self", True) in targets
        assert Directory(b"/proc/4711", True) not in targets

    def test_an_exception_holds_on_the_real_path(self) -> None:
        found = normalised(
            """\
  file:
    matchDirectories: [{dir: /bin/, recursive: true}]
    matchPaths: [{path: /bin/sh, action: Allow}]
""",
            merged_usr,
        )
        rules_ = Meaning(found)
        run = (rules_, Subject(), Operation.READ)
        assert decide(*run, FileObject((b"/usr/bin/dash",))).verdict is Verdict.ALLOWED
        assert decide(*run, FileObject((b"/usr/bin/bash",))).verdict is Verdict.REFUSE

    def test_a_program_and_its_link_are_one_program_to_exceptions(self) -> None:
        body = """\
  file:
    matchDirectories: [{dir: /s/, recursive: true, fromSource: [{path: %s}]}]
    matchPaths: [{path: /s/x, action: Allow, fromSource: [{path: %s}]}]
"""
        for pair in (("/usr/bin/dash", "/bin/sh"), ("/bin/sh", "/usr/bin/dash")):
            rules_ = Meaning(normalised(body % pair, merged_usr))
            subject = Subject(b"/usr/bin/dash")
            assert decide(rules_, subject, Operation.READ, FileObject((b"/s/y",))).refused
            assert not decide(rules_, subject, Operation.READ, FileObject((b"/s/x",))).refused
