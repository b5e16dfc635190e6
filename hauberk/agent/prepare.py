# SPDX-License-Identifier: Apache-2.0
"""From policy files to a table for the kernel: all that a session needs once, before its command starts.

This is the part of a session that takes memory (pydantic, the automata), and runs in a child process.
"""

import gc
import os
from collections.abc import Sequence

from hauberk.agent.plan import Outlook, Prepared, Request, SessionError
from hauberk.automaton.errors import AutomatonError
from hauberk.enforcers.bpf_lsm.engine import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.policy.degraded import degradations
from hauberk.policy.load import load
from hauberk.policy.models import Policy
from hauberk.rules.meaning import Meaning
from hauberk.rules.normalise import policy_id, rule_set
from hauberk.rules.select import Workload, select, unselected_message
from hauberk.workloads.mounts import mounts_of
from hauberk.workloads.rootfs import resolver


def prepare(request: Request, pid: int, obstacle: str) -> Prepared:
    """Read, choose and compile the policies for the process `pid`, which waits in its root file system.

    `obstacle` says why nothing can be enforced here, if so; then nothing is compiled. Raises HauberkError:
    the policies have faults, none of them selects the workload, or their rules are too costly.
    """
    policies, warnings = _read(request.policies)
    chosen = choose(request, policies)
    if not chosen and not request.visible:
        return Prepared(Outlook((), (), warnings))
    statuses = tuple(status_of(policy, obstacle) for policy in chosen)
    resolve = resolver(os.fsencode(f"/proc/{pid}/root"))
    # Nothing that is made here refers to itself, and most of it is kept: there is no garbage to look for.
    gc.disable()
    try:
        rules = rule_set(chosen, request.postures, resolve=resolve, base_set=request.base_set)
        outlook = Outlook(statuses, rules.aliases, warnings, obstacle)
        if obstacle:
            return Prepared(outlook)
        compiler = TableCompiler(Meaning(rules), FIRST_TABLE)
        table = compiler.compile(mounts_of(pid), request.visible)
    except AutomatonError as error:
        raise SessionError(f"the rules are too costly: {error.message}", error.remedy) from error
    finally:
        gc.enable()
    return Prepared(outlook, rules.rules, table)


def choose(request: Request, policies: Sequence[Policy]) -> list[Policy]:
    """The policies that select the workload. Raises SessionError if none does and that was not allowed."""
    workload = Workload(request.namespace, dict(request.labels), request.name, None)
    selections = [select(policy, workload) for policy in policies]
    chosen = [selection.policy for selection in selections if selection.selected]
    if not chosen and not request.allow_unselected:
        raise SessionError(
            unselected_message(selections),
            "--namespace, --name and --label say what the workload is; --allow-unselected runs it without",
        )
    return chosen


def status_of(policy: Policy, obstacle: str) -> PolicyStatus:
    """What a policy comes to here: rejected if nothing can be enforced, degraded by fields that are not."""
    if obstacle:
        return PolicyStatus(policy_id(policy), State.REJECTED, (obstacle,))
    reasons = tuple(
        f"{policy.file}:{each.line}: {each.message}" if policy.file else each.message
        for each in degradations(policy)
    )
    return PolicyStatus(policy_id(policy), State.DEGRADED if reasons else State.ENFORCED, reasons)


def _read(sources: Sequence[str]) -> tuple[tuple[Policy, ...], tuple[str, ...]]:
    loaded = load(sources)
    if loaded.faults:
        lines = "".join(f"\n  {fault}" for fault in loaded.faults)
        raise SessionError(f"the policies have faults:{lines}", "`hauberk policy check` explains them")
    return loaded.policies, tuple(map(str, loaded.warnings))
