# SPDX-License-Identifier: Apache-2.0
"""`hauberk status`: this node's workloads, their policies and how they stand, and the agent's own health."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

import click
import msgspec
from rich.table import Table

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import AgentStatus, AskStatus, WorkloadStatus
from hauberk.cli.asking import json_option, socket_option
from hauberk.cli.showing import coloured, count, printable, show, table

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))
_ID: Final = 12
"""Characters of a container's id that people use."""


@click.command()
@click.option("--wide", "-w", is_flag=True, help="Show all that is known of each workload.")
@socket_option
@json_option
def status(wide: bool, socket: str, as_json: bool) -> None:
    """Show the agent of this node, its workloads, and how the policies stand for each.

    The state of a workload is the worst of its policies': enforced, degraded (all of it holds, but for what
    is told), rejected; none without any; closed if nothing can be executed in it. Below the table it is told
    why it is not simply enforced. Counts are since the agent knows the workload.

    \b
    Examples:
      hauberk status
      hauberk status --wide
      hauberk status --json | jq '.workloads[] | select(.state != "enforced") | .name'
    """
    answer = ask(AskStatus(), socket)
    if as_json:
        click.echo(msgspec.json.encode(answer))
        return
    for line in _head(answer):
        click.echo(line)
    if answer.workloads:
        click.echo()
        show(_wide(answer) if wide else _narrow(answer))
    reasons = [line for workload in answer.workloads for line in _reasons(workload)]
    if reasons:
        click.echo()
        for line in reasons:
            click.echo(line)
    if answer.runtimes:
        click.echo()
        rows = [(each.name, each.containers, each.path, each.program or "-") for each in answer.runtimes]
        show(table(("RUNTIME", "CONTAINERS", "CAUGHT BY", "HELD PROGRAMS"), rows))
    for line in _troubles(answer):
        click.echo(line)


def _head(answer: AgentStatus) -> Iterator[str]:
    age = _duration(max(0.0, time.time() - answer.since))
    yield f"hauberk {answer.version} on {printable(answer.node)}: process {answer.pid}, for {age}"
    yield f"kernel {printable(answer.kernel)}, enforcer {printable(answer.enforcer)}"
    states = Counter(each.state for each in answer.workloads)
    by_state = ", ".join(f"{number} {coloured(state)}" for state, number in sorted(states.items()))
    yield (
        f"{count(answer.policies, 'policy', 'policies')}, {count(len(answer.workloads), 'workload')}"
        f"{': ' if by_state else ''}{by_state}"
    )
    yield (
        f"without an agent: {answer.on_agent_loss}"
        f" ({answer.placed_without_agent} started so, {answer.refused_without_agent} refused)"
    )
    for service in answer.listening:
        yield f"serves {printable(service)}"
    if answer.clients:
        yield f"streams to clients: {answer.clients}"


def _narrow(answer: AgentStatus) -> Table:
    rows = [
        (name_of(each), each.kind, each.state, len(each.policies), each.refused, each.audited)
        for each in answer.workloads
    ]
    return table(("WORKLOAD", "KIND", "STATE", "POLICIES", "REFUSED", "AUDITED"), rows)


def _wide(answer: AgentStatus) -> Table:
    headings = ("WORKLOAD", "KIND", "STATE", "POLICIES", "REFUSED", "AUDITED", "TASKS", "PID")
    rows = [
        (
            *(name_of(each), each.kind, each.state),
            ", ".join(str(ref) for ref, _, _ in each.policies) or "-",
            *(each.refused, each.audited, each.tasks, each.pid),
            *(each.id[:_ID] or "-", each.runtime or "-", each.image or "-"),
            ", ".join(f"{section}={posture}" for section, posture in sorted(each.postures.items())) or "-",
            each.last_alert or "-",
        )
        for each in answer.workloads
    ]
    return table((*headings, "ID", "RUNTIME", "IMAGE", "POSTURES", "LAST ALERT"), rows)


def name_of(workload: WorkloadStatus) -> str:
    """A workload as people call it."""
    return f"{workload.namespace}/{workload.name}" if workload.namespace else workload.name


def _reasons(workload: WorkloadStatus) -> Iterator[str]:
    """Why a workload is not simply enforced."""
    name = printable(name_of(workload))
    for caveat in workload.caveats:
        yield f"{name}: {coloured('degraded')}: {printable(caveat)}"
    for ref, state, reasons in workload.policies:
        if state != "enforced":
            why = printable("; ".join(reasons) or "no reason is told")
            yield f"{name}: {printable(str(ref))} is {coloured(state)}: {why}"


def _troubles(answer: AgentStatus) -> Iterator[str]:
    """What was lost, and what is wrong with the agent and the runtimes."""
    found = [f"{number} {cause}" for cause, number in sorted(answer.lost.items()) if number]
    if found:
        yield f"\n{click.style('LOST', fg='red', bold=True)}: {printable(', '.join(found))}"
    findings = [
        *answer.findings,
        *(f"{each.name}: {finding}" for each in answer.runtimes for finding in each.findings),
    ]
    if findings:
        yield ""
    for finding in findings:
        yield f"{click.style('wrong', fg='red', bold=True)}: {printable(finding)}"


def _duration(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
