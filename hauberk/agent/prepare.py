# SPDX-License-Identifier: Apache-2.0
"""From policy files to a table for the kernel: all that a session needs once, before its command starts.

This is the part of a session that takes memory (pydantic, the automata), and runs in a child process.
"""

import gc
import os
from collections.abc import Sequence
from dataclasses import replace

from hauberk.agent.about import About
from hauberk.agent.own import guarded_for
from hauberk.agent.plan import Outlook, Prepared, Request, SessionError
from hauberk.agent.rulesets import look_for_links, rules_under, status_of, with_caveats
from hauberk.agent.watch import WORKLOAD
from hauberk.automaton.errors import AutomatonError
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.enforcers.bpf_lsm.placing import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.tables import compile_table
from hauberk.policy.load import load
from hauberk.policy.models import Policy
from hauberk.rules.meaning import Meaning
from hauberk.rules.select import Workload, select, unselected_message
from hauberk.workloads.homes import homes_of
from hauberk.workloads.mounts import mounts_of


def prepare(request: Request, pid: int, obstacle: str) -> Prepared:
    """Read, choose and compile the policies for the process `pid`, which waits in its root file system.

    `obstacle` says why nothing can be enforced here, if so; then nothing is compiled. Raises HauberkError:
    the policies have faults, none of them selects the workload, or their rules are too costly.
    """
    # Nothing that is made here refers to itself, and most of it is kept: there is no garbage to look for.
    gc.disable()
    try:
        policies, warnings = _read(request.policies)
        chosen = choose(request, policies)
        if not chosen and not request.visible:
            return Prepared(Outlook((), (), warnings))
        statuses = tuple(status_of(policy, obstacle) for policy in chosen)
        root = os.fsencode(f"/proc/{pid}/root")
        mounts = () if obstacle else tuple(mounts_of(pid))
        homes = () if obstacle else tuple(homes_of(pid))
        guarded = () if obstacle else tuple(guarded_for(pid, os.getppid(), request.own_files))
        rules, _ = rules_under(chosen, request.postures, root, base_set=request.base_set, guarded=guarded)
        outlook = Outlook(statuses, rules.aliases, warnings, obstacle)
        if obstacle:
            return Prepared(outlook)
        meaning = Meaning(rules)
        table = compile_table(meaning, FIRST_TABLE, mounts, homes, request.visible)
    except AutomatonError as error:
        raise SessionError(f"the rules are too costly: {error.message}", error.remedy) from error
    finally:
        gc.enable()
    links, caveats = look_for_links(rules.rules, root)
    outlook = replace(outlook, statuses=with_caveats(statuses, caveats))
    return Prepared(outlook, rules.rules, table, mounts, homes, guarded, links)


def prepare_change(request: Request, about: About, engine: Engine) -> Prepared:
    """The same for a workload that runs already, for a place in its engine's arena that is free now.

    Raises HauberkError.
    """
    policies, warnings = _read(request.policies)
    chosen = choose(request, policies)
    root = about.root()
    gc.disable()
    try:
        rules, dropped = rules_under(
            chosen,
            request.postures,
            root,
            base_set=request.base_set,
            guarded=about.guarded,
            links=about.links,
        )
        meaning = Meaning(rules)
        table = engine.compile(
            WORKLOAD,
            lambda base: compile_table(meaning, base, about.mounts, about.homes, request.visible),
        )
    except AutomatonError as error:
        raise SessionError(f"the rules are too costly: {error.message}", error.remedy) from error
    finally:
        gc.enable()
    links, caveats = look_for_links(rules.rules, root)
    statuses = with_caveats(map(status_of, chosen), caveats)
    outlook = Outlook(statuses, rules.aliases, (*warnings, *dropped))
    return Prepared(outlook, rules.rules, table, linked=links)


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


def _read(sources: Sequence[str]) -> tuple[tuple[Policy, ...], tuple[str, ...]]:
    loaded = load(sources)
    if loaded.faults:
        lines = "".join(f"\n  {fault}" for fault in loaded.faults)
        raise SessionError(f"the policies have faults:{lines}", "`hauberk policy check` explains them")
    return loaded.policies, tuple(map(str, loaded.warnings))
