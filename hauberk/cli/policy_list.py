# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy list` and `get`: the policies of this node."""

from collections import Counter

import click
import msgspec

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import Document, GetPolicy, ListPolicies, PolicyInfo
from hauberk.cli.asking import json_option, parse_ref, socket_option
from hauberk.cli.showing import show, table


@click.command("list")
@socket_option
@json_option
def list_(socket: str, as_json: bool) -> None:
    """List the policies of this node, for how many workloads they are in force, and where they come from.

    \b
    Examples:
      hauberk policy list
      hauberk policy list --json | jq -r '.policies[].ref.name'
    """
    policies = ask(ListPolicies(), socket).policies
    if as_json:
        click.echo(msgspec.json.encode({"policies": policies}))
    elif not policies:
        click.echo("no policies")
    else:
        rows = [
            (
                each.ref.kind,
                each.ref.namespace or "-",
                each.ref.name,
                _workloads(each),
                each.origin or "applied",
            )
            for each in policies
        ]
        show(table(("KIND", "NAMESPACE", "NAME", "WORKLOADS", "FROM"), rows))


def _workloads(each: PolicyInfo) -> str:
    states = Counter(standing.state for standing in each.workloads)
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"


@click.command()
@socket_option
@json_option
@click.argument("names", nargs=-1, required=True, metavar="POLICY...")
def get(socket: str, as_json: bool, names: tuple[str, ...]) -> None:
    """Print the text of policies, as it was written.

    POLICY is a name, with its namespace (`NAMESPACE/NAME`) or its kind (`KIND/NAMESPACE/NAME`) before it if
    only that one is meant.

    \b
    Examples:
      hauberk policy get web
      hauberk policy get ksp/shop/web > web.yaml
    """
    texts: list[Document] = []
    for ref in map(parse_ref, names):
        texts += ask(GetPolicy(ref), socket).texts
    if as_json:
        click.echo(msgspec.json.encode({"texts": texts}))
        return
    for index, each in enumerate(texts):
        if index:
            click.echo("---")
        click.echo(each.text.removesuffix("\n"))
