# SPDX-License-Identifier: Apache-2.0
"""What a policy asks for that this version reads but does not enforce.

Nobody may believe to be protected by such a rule: every one is listed, and running a command under a policy
that has one needs the user's word.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass

from hauberk.policy.models import HostSpec, KubeArmorNetworkPolicy, Policy
from hauberk.policy.syscalls import exists_on


@dataclass(frozen=True, slots=True)
class Degradation:
    """One field that has no effect, or not all of it. `line` is 0 if the policy came from no file."""

    field: str
    line: int
    message: str


def degradations(policy: Policy, machine: str = platform.machine()) -> list[Degradation]:
    """Return what of `policy` is not enforced on a machine of that architecture, in the order of the
    document's lines."""
    found = [
        Degradation(field, line, f"{field} is not enforced by this version")
        for field, line in _unenforced(policy)
    ]
    found += _missing_calls(policy, machine)
    return sorted(found, key=lambda degradation: degradation.line)


def _unenforced(policy: Policy) -> Iterator[tuple[str, int]]:
    if isinstance(policy, KubeArmorNetworkPolicy):
        yield policy.kind, policy.line
        return
    spec = policy.spec
    for program in spec.process.match_paths:
        if program.allowed_args:
            yield f"{program.where}.allowedArgs", program.line
    for query in spec.network.match_dns_queries:
        yield query.where, query.line
    if spec.apparmor:
        yield "spec.apparmor", spec.apparmor_line
    if isinstance(spec, HostSpec):
        if spec.device is not None:
            for device in spec.device.match_device:
                yield device.where, device.line
    else:
        for preset in spec.presets:
            yield preset.where, preset.line


def _missing_calls(policy: Policy, machine: str) -> Iterator[Degradation]:
    if isinstance(policy, KubeArmorNetworkPolicy) or policy.spec.syscalls is None:
        return
    for rule in policy.spec.syscalls.rules:
        for name in rule.syscall:
            if not exists_on(name, machine):
                message = f"the syscall {name} does not exist on this machine's architecture"
                yield Degradation(f"{rule.where}.syscall", rule.line, message)
