# SPDX-License-Identifier: Apache-2.0
"""From the policies that bind one workload to its rules, and how each policy stands: what a single run and
the agent's compiler have in common."""

import os
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence

from hauberk.automaton.patterns import Pattern
from hauberk.enforcers.bpf_lsm.plans import lacking
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.policy.degraded import degradations
from hauberk.policy.models import KubeArmorNetworkPolicy, Policy
from hauberk.policy.syscalls import exists_on
from hauberk.rules.guard import Guarded
from hauberk.rules.links import without_later_links
from hauberk.rules.meaning import is_pattern
from hauberk.rules.model import Action, Alias, PolicyId, Postures, Rule, RuleSet
from hauberk.rules.normalise import policy_id, rule_set
from hauberk.workloads.links import devices_without_links, find_links
from hauberk.workloads.rootfs import resolver


def rules_under(
    policies: Iterable[Policy],
    postures: Postures,
    root: bytes,
    *,
    base_set: bool,
    guarded: Iterable[Guarded],
    links: Collection[Alias] | None = None,
) -> tuple[RuleSet, Sequence[str]]:
    """The rules of `policies` for a workload whose root directory is `root`, and what they leave out, in
    words.

    `links` are the symbolic links that counted when the workload began; None if it begins now. They count
    whether they are still there or not; those that came since never widen what is allowed. Raises
    PatternError for a glob that its real path makes too long.
    """
    rules = rule_set(
        policies,
        postures,
        resolve=resolver(root),
        base_set=base_set,
        guarded=guarded,
        known=links or (),
    )
    return (rules, ()) if links is None else without_later_links(rules, links)


def look_for_links(rules: Sequence[Rule], root: bytes) -> tuple[tuple[bytes, ...], dict[PolicyId, list[str]]]:
    """The blocked names of files with several links, and for each policy what was not looked through."""
    blocking: dict[Pattern, PolicyId] = {}
    for rule in rules:
        if rule.action is Action.BLOCK and is_pattern(rule.target):
            blocking.setdefault(rule.target, rule.policy)
    found = find_links(root, blocking, devices_without_links())
    caveats: dict[PolicyId, list[str]] = {}
    for pattern, directory in found.left_out.items():
        place = os.fsdecode(directory)
        caveats.setdefault(blocking[pattern], []).append(f"{place} not scanned for links")
    return tuple(sorted(found.names)), caveats


def status_of(policy: Policy, obstacle: str = "") -> PolicyStatus:
    """What a policy comes to here: rejected for an obstacle, degraded by fields that have no effect."""
    if obstacle:
        return PolicyStatus(policy_id(policy), State.REJECTED, (obstacle,))
    reasons = (*degraded_fields(policy), *_missing_in_kernel(policy))
    return PolicyStatus(policy_id(policy), State.DEGRADED if reasons else State.ENFORCED, reasons)


def degraded_fields(policy: Policy) -> tuple[str, ...]:
    """What of a policy has no effect in this version, each with file and line."""
    return tuple(_placed(policy, each.line, each.message) for each in degradations(policy))


def _missing_in_kernel(policy: Policy) -> tuple[str, ...]:
    """The calls of `syscalls` rules that the running kernel does not have, though the architecture does."""
    if isinstance(policy, KubeArmorNetworkPolicy) or policy.spec.syscalls is None:
        return ()
    rules = policy.spec.syscalls.rules
    gone = lacking({name for rule in rules for name in rule.syscall if exists_on(name, platform.machine())})
    return tuple(
        _placed(policy, rule.line, f"the syscall {name} does not exist in this machine's kernel")
        for rule in rules
        for name in rule.syscall
        if name in gone
    )


def _placed(policy: Policy, line: int, message: str) -> str:
    return f"{policy.file}:{line}: {message}" if policy.file else message


def with_caveats(
    statuses: Iterable[PolicyStatus], caveats: Mapping[PolicyId, Sequence[str]]
) -> tuple[PolicyStatus, ...]:
    """The statuses, with what escapes each policy."""
    return tuple(status.with_caveats(caveats.get(status.policy, ())) for status in statuses)
