# SPDX-License-Identifier: Apache-2.0
"""`hauberk posture`: what becomes of accesses that no rule names, shown and changed while the agent runs."""

import click
import msgspec

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import Posture
from hauberk.cli.asking import WORK_SECONDS, json_option, socket_option
from hauberk.cli.showing import show, table

SECTIONS = ("file", "network", "capabilities")
POSTURES = ("allow", "audit", "block", "default")


def _settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    chosen = {}
    for value in values:
        section, _, posture = value.partition("=")
        if section not in SECTIONS or posture not in POSTURES:
            raise click.BadParameter(
                f"{value!r}: give {', '.join(SECTIONS)}, each with {', '.join(POSTURES)} (file=block)"
            )
        chosen[section] = posture
    return chosen


@click.command()
@click.option("--namespace", "-n", default="", help="Of the workloads of this namespace.")
@click.option("--workload", "-w", default="", help="Of this workload, by its name or id.")
@socket_option
@json_option
@click.argument("changes", nargs=-1, callback=_settings, metavar="[SECTION=POSTURE]...")
def posture(namespace: str, workload: str, socket: str, as_json: bool, changes: dict[str, str]) -> None:
    """Show the default postures of this node, or change them while it runs.

    In a section with Allow rules, the posture says what becomes of accesses that no rule names: `allow` them,
    `audit` them (the agent's default), or `block` them. The section `file` has processes in it too. A
    workload's own counts before its namespace's, and that before what holds for all. `default` takes back
    what was set. What is set here stays over restarts. What holds for all holds for containers; the host is
    the workload `host`.

    \b
    Examples:
      hauberk posture
      hauberk posture file=block --namespace shop
      hauberk posture file=audit network=audit --workload web
      hauberk posture file=default --namespace shop
    """
    if namespace and workload:
        raise click.UsageError("give --namespace or --workload, not both")
    if (namespace or workload) and not changes:
        raise click.UsageError("say what to change: file=block")
    scopes = ask(Posture(namespace, workload, changes), socket, WORK_SECONDS).scopes
    if as_json:
        click.echo(msgspec.json.encode({"scopes": scopes}))
        return
    rows = [(scope, *(set_.get(section, "-") for section in SECTIONS)) for scope, set_ in scopes.items()]
    show(table(("SCOPE", *(section.upper() for section in SECTIONS)), rows))
