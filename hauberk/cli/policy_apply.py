# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy apply` and `diff`: policies go to the node's agent, which says what becomes of them."""

import sys
from collections.abc import Iterable, Iterator

import click
import msgspec

from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import Apply, PolicyInfo, Standing
from hauberk.cli.asking import (
    end_with_faults,
    files_option,
    json_option,
    read_documents,
    socket_option,
    wait_option,
)
from hauberk.cli.showing import coloured, count, printable

REFUSED = frozenset({"rejected", "closed"})
"""States in which a policy is not in force."""
_MOST_NAMES = 5


@click.command()
@files_option
@click.option("--force", is_flag=True, help="Have host policies bind sessions on the console too.")
@wait_option
@socket_option
@json_option
def apply(files: tuple[str, ...], force: bool, wait: float, socket: str, as_json: bool) -> None:
    """Put policies in force on this node, in place of those of the same names.

    All of them, or none if one has a fault. The answer comes when they are in force, and says for every
    workload that they bind whether they are enforced, degraded (all of it holds, but for what is told) or
    rejected, and why. They stay in force until they are deleted, over restarts too.

    Host policies do not bind sessions on the console of the machine, by which it can be mended; with --force
    they do.

    Exit status 0 if they are in force, 1 if one has a fault or is rejected for a workload.

    \b
    Examples:
      hauberk policy apply -f web.yaml
      hauberk policy apply -f policies/ -f more/
      kubectl get ksp -A -o yaml | hauberk policy apply -f -
      hauberk policy apply --json -f web.yaml | jq '.policies[].workloads'
    """
    policies = _ask(files, force=force, dry_run=False, socket=socket, wait=wait)
    if as_json:
        click.echo(msgspec.json.encode({"policies": policies}))
    else:
        for line in describe(policies):
            click.echo(line)
    states = {standing.state for each in policies for standing in each.workloads}
    sys.exit(1 if states & REFUSED else 0)


@click.command()
@files_option
@wait_option
@socket_option
@json_option
def diff(files: tuple[str, ...], wait: float, socket: str, as_json: bool) -> None:
    """Say what `hauberk policy apply` would change, and change nothing.

    Exit status 0 if nothing would change, 1 if something would or a policy has a fault.

    \b
    Examples:
      hauberk policy diff -f web.yaml
      hauberk policy diff --json -f policies/ | jq -r '.policies[].change'
    """
    policies = _ask(files, force=False, dry_run=True, socket=socket, wait=wait)
    if as_json:
        click.echo(msgspec.json.encode({"policies": policies}))
    else:
        for each in policies:
            click.echo(f"{printable(str(each.ref))}: {each.change}")
            for line in each.diff.splitlines():
                click.echo(_diff_line(line))
    sys.exit(0 if all(each.change == "unchanged" for each in policies) else 1)


def _ask(
    files: tuple[str, ...], *, force: bool, dry_run: bool, socket: str, wait: float
) -> tuple[PolicyInfo, ...]:
    if not files:
        raise click.UsageError("give policies with --file")
    question = Apply(read_documents(files), dry_run, force)
    try:
        return ask(question, socket, wait).policies
    except AgentError as error:
        if error.faults:
            end_with_faults(error)
        raise


def describe(policies: Iterable[PolicyInfo]) -> Iterator[str]:
    """What became of policies, in lines for people."""
    for each in policies:
        yield f"{printable(str(each.ref))}: {each.change}"
        for warning in each.warnings:
            yield f"  {click.style('warning', fg='yellow')}: {printable(warning)}"
        if not each.workloads and each.change != "deleted":
            yield "  selects no workload that is here now"
        yield from _standings(each.workloads)


def _standings(standings: Iterable[Standing]) -> Iterator[str]:
    """Workloads of which the same is to be said, together."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for each in standings:
        alike.setdefault((each.state, each.reasons), []).append(printable(each.workload))
    for (state, reasons), names in sorted(alike.items()):
        shown = ", ".join(names[:_MOST_NAMES])
        if len(names) > _MOST_NAMES:
            shown = f"{count(len(names), 'workload')}: {shown}, ..."
        yield f"  {coloured(state)}: {shown}"
        yield from (f"    {printable(reason)}" for reason in reasons)


def _diff_line(line: str) -> str:
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return f"  {click.style(printable(line), fg=colour)}"
