# SPDX-License-Identifier: Apache-2.0
"""Links that a workload may have made: they widen what is forbidden, never what is allowed."""

import pytest

from hauberk.policy.load import load_text
from hauberk.rules.links import without_later_links
from hauberk.rules.model import Action, Alias, Postures, RuleSet
from hauberk.rules.normalise import rule_set

LINKS = {b"/data": b"/etc", b"/data/x": b"/etc/x", b"/bin": b"/usr/bin", b"/bin/sh": b"/usr/bin/sh"}
KNOWN = {Alias(b"/bin/sh", b"/usr/bin/sh"), Alias(b"/bin", b"/usr/bin")}
POLICY = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: p, namespace: default}}
spec:
  selector: {{}}
  file: {{{file}}}
  action: {action}
"""


def rules(file: str, action: str) -> RuleSet:
    loaded = load_text(POLICY.format(file=file, action=action), "<test>")
    assert not loaded.faults
    resolve = lambda path: LINKS.get(path, path)  # noqa: E731
    return rule_set(loaded.policies, Postures(), resolve=resolve, base_set=False)


def targets(found: RuleSet) -> list[str]:
    return sorted(repr(rule.target) for rule in found.rules)


WRITTEN = {
    "matchPaths: [{path: /data/x}]": "Exact(path=b'/data/x')",
    "matchDirectories: [{dir: /data/, recursive: true}]": "Directory(path=b'/data', recursive=True)",
    "matchPatterns: [{pattern: /data/*.txt}]": "Glob(text=b'/data/*.txt')",
}


@pytest.mark.parametrize("file", WRITTEN)
def test_an_allow_keeps_what_is_written_only(file: str) -> None:
    whole = rules(file, "Allow")
    assert len(whole.rules) == 2
    kept, told = without_later_links(whole, KNOWN)
    assert targets(kept) == [WRITTEN[file]]
    assert len(told) == 1
    assert "does not allow /etc" in told[0]
    assert "by a link that may be the command's own" in told[0]


@pytest.mark.parametrize("file", WRITTEN)
@pytest.mark.parametrize("action", ["Block", "Audit"])
def test_what_is_forbidden_is_widened(file: str, action: str) -> None:
    whole = rules(file, action)
    assert len(whole.rules) == 2
    assert without_later_links(whole, KNOWN) == (whole, ())


def test_links_that_were_known_count() -> None:
    whole = rules("matchPaths: [{path: /bin/sh}]", "Allow")
    assert without_later_links(whole, KNOWN) == (whole, ())


def test_an_allow_of_the_real_path_itself_stays() -> None:
    whole = rules("matchPaths: [{path: /data/x}, {path: /etc/x}]", "Allow")
    kept, _ = without_later_links(whole, KNOWN)
    assert targets(kept) == ["Exact(path=b'/data/x')", "Exact(path=b'/etc/x')"]


def test_a_program_that_an_allow_names_by_a_later_link_is_not_its_subject() -> None:
    whole = rules("matchPaths: [{path: /srv/y, fromSource: [{path: /data/x}, {path: /bin/sh}]}]", "Allow")
    kept, _ = without_later_links(whole, KNOWN)
    (rule,) = kept.rules
    assert rule.action is Action.ALLOW
    assert set(rule.sources) == {b"/data/x", b"/bin/sh", b"/usr/bin/sh"}
