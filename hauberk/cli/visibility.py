# SPDX-License-Identifier: Apache-2.0
"""`hauberk visibility`: what is reported though it is permitted, shown and changed while the agent runs."""

import click
import msgspec

from hauberk.agent.config.kinds import SECTIONS
from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import Visibility
from hauberk.cli.asking import WORK_SECONDS, json_option, socket_option
from hauberk.cli.showing import show, table


def _sections(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    if names == ("none",):
        return ()
    if names != ("default",) and (not names or set(names) - SECTIONS.keys()):
        raise click.BadParameter(f"{value!r}: give {', '.join(SECTIONS)}, or none, or default")
    return names


@click.command()
@click.option("--namespace", "-n", default="", help="Of the workloads of this namespace.")
@click.option("--workload", "-w", default="", help="Of this workload, by its name or id.")
@socket_option
@json_option
@click.argument("sections", required=False, callback=_sections, metavar="[SECTION,...|none|default]")
def visibility(
    namespace: str, workload: str, socket: str, as_json: bool, sections: tuple[str, ...] | None
) -> None:
    """Show what is reported though it is permitted, or change it while the agent runs.

    Alerts come in any case. Logs come of what is visible: `process` (programs that are run, and processes
    that end), `file`, `network`, `capabilities` (and mounts, tracing, changes of user, BPF), `dns` (queries
    with their names). A workload's own setting counts before its namespace's, and that before what holds for
    all. `none` is nothing; `default` takes back what was set. What is set here stays over restarts. What
    holds for all holds for containers; the host is the workload `host`.

    \b
    Examples:
      hauberk visibility
      hauberk visibility process,network,dns --namespace shop
      hauberk visibility none --workload noisy
      hauberk visibility default --namespace shop
    """
    if namespace and workload:
        raise click.UsageError("give --namespace or --workload, not both")
    if (namespace or workload) and sections is None:
        raise click.UsageError("say what is to be visible: process,network")
    scopes = ask(Visibility(namespace, workload, sections), socket, WORK_SECONDS).scopes
    if as_json:
        click.echo(msgspec.json.encode({"scopes": scopes}))
        return
    show(table(("SCOPE", "VISIBLE"), [(scope, ",".join(found) or "none") for scope, found in scopes.items()]))
