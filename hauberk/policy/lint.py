# SPDX-License-Identifier: Apache-2.0
"""What is valid in a policy but surely not what its author wanted, or not what KubeArmor would take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hauberk.policy.calls import SyscallPathRule, SyscallRule
from hauberk.policy.degraded import degradations
from hauberk.policy.document import Mapping
from hauberk.policy.faults import Report
from hauberk.policy.fields import PRESETS, Action
from hauberk.policy.models import (
    CapabilityRule,
    FileDirectory,
    FilePath,
    KubeArmorClusterPolicy,
    KubeArmorHostPolicy,
    KubeArmorNetworkPolicy,
    KubeArmorPolicy,
    LabelExpression,
    Policy,
    ProcessDirectory,
    ProcessPath,
    ProtocolRule,
    Rule,
    SourcedRule,
)
from hauberk.policy.reading import locate
from hauberk.policy.signatures import takes_path
from hauberk.policy.words import did_you_mean, shorten

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME: Final = 253


def lint(policy: Policy, node: Mapping, report: Report, prefix: str) -> None:
    """Report warnings about `policy`, which was read from `node`; places get `prefix` before them."""
    for field, message, hint in _warnings(policy):
        place = locate(node, field)
        report.warn(place.line, place.column, prefix + field, message, hint)


def _warnings(policy: Policy) -> Iterator[tuple[str, str, str]]:
    name = policy.name
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        hint = "use lower case letters, digits, `-` and `.`"
        yield "metadata.name", f"Kubernetes refuses the name `{shorten(name)}`", hint
    if policy.metadata.namespace and not policy.namespaced:
        yield "metadata.namespace", f"a {policy.kind} has no namespace; this one is ignored", "remove it"
    yield from _selector(policy)
    calls = _calls(policy)
    if not any(_rules(policy)) and not calls and not degradations(policy):
        yield "spec", "the policy has no rules, so it does nothing", ""
    for rule in _rules(policy):
        for field, message, hint in _rule(rule, isinstance(policy, KubeArmorHostPolicy)):
            yield f"{rule.where}.{field}", message, hint
    for call in calls:
        for field, message, hint in _call(call):
            yield f"{call.where}.{field}", message, hint
    if isinstance(policy, (KubeArmorPolicy, KubeArmorClusterPolicy)):
        for preset in policy.spec.presets:
            if preset.name not in PRESETS:
                message = f"there is no preset `{shorten(preset.name)}`"
                yield f"{preset.where}.name", message, did_you_mean(preset.name, PRESETS)
            elif preset.action is Action.ALLOW:
                yield f"{preset.where}.action", "a preset with `Allow` blocks, as with `Block`", ""


def _rules(policy: Policy) -> Iterator[Rule]:
    if not isinstance(policy, KubeArmorNetworkPolicy):
        spec = policy.spec
        yield from spec.process.rules
        yield from spec.file.rules
        yield from spec.network.match_protocols
        yield from spec.capabilities.match_capabilities


def _calls(policy: Policy) -> tuple[SyscallRule, ...]:
    if isinstance(policy, KubeArmorNetworkPolicy) or policy.spec.syscalls is None:
        return ()
    return policy.spec.syscalls.rules


def _rule(rule: Rule, in_host_policy: bool) -> Iterator[tuple[str, str, str]]:
    if isinstance(rule, SourcedRule) and rule.from_source and not rule.sources:
        yield "fromSource", "an entry without a path stands for every program", "name a program in each entry"
    if in_host_policy and isinstance(rule, (ProtocolRule, CapabilityRule)) and not rule.from_source:
        yield "fromSource", "KubeArmor requires fromSource here; Hauberk does not", ""
    if isinstance(rule, (FilePath, ProcessPath)):
        if isinstance(rule, ProcessPath) and rule.path is not None and rule.execname is not None:
            yield "path", "execname wins and the path is ignored", "make two rules if both are meant"
        if "*" in (rule.path or ""):
            yield "path", _STAR, "use matchPatterns for a pattern"
    elif isinstance(rule, (FileDirectory, ProcessDirectory)) and "*" in rule.dir:
        yield "dir", _STAR, "use matchPatterns for a pattern"


def _call(rule: SyscallRule) -> Iterator[tuple[str, str, str]]:
    if not rule.syscall:
        yield "syscall", "the rule names no system call, so it does nothing", "name one"
    if any(source.path is None and source.dir is None for source in rule.from_source):
        yield "fromSource", "an entry without a path stands for every program", "name a program in each entry"
    if isinstance(rule, SyscallPathRule):
        if rule.path is None:
            yield "path", "without a path the rule speaks of every path", "use matchSyscalls if that is meant"
        elif "*" in rule.path:
            yield "path", _STAR, "name a directory, with `recursive` for all below it"
        if rule.path is not None and (pathless := [name for name in rule.syscall if not takes_path(name)]):
            message = f"{', '.join(pathless)}: such a call is given no path, so the rule never speaks of it"
            yield "syscall", message, "use matchSyscalls for it"


_STAR: Final = "`*` has no special meaning here"


def _selector(policy: Policy) -> Iterator[tuple[str, str, str]]:
    if isinstance(policy, KubeArmorNetworkPolicy):
        selectors = (policy.spec.node_selector, policy.spec.selector)
        if not any(selector is not None and selector.match_labels for selector in selectors):
            yield "spec.nodeSelector", "without labels to match it selects nothing", ""
    elif isinstance(policy, KubeArmorHostPolicy):
        if not policy.spec.node_selector.match_labels:
            hint = "for every node: `matchLabels: {kubearmor.io/hostname: '*'}`"
            yield "spec.nodeSelector", "an empty nodeSelector selects no node", hint
    else:
        for index, expression in enumerate(policy.spec.selector.match_expressions):
            yield from _expression(expression, f"spec.selector.matchExpressions[{index}].values")


def _expression(expression: LabelExpression, field: str) -> Iterator[tuple[str, str, str]]:
    if not expression.values:
        effect = "matches nothing" if expression.operator == "In" else "excludes nothing"
        yield field, f"the expression has no values, so it {effect}", ""
    if expression.key == "label":
        for value in expression.values:
            if "=" not in value:
                yield field, f"`{shorten(value)}` matches no label", f"write `{shorten(value)}=VALUE`"
