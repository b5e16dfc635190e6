# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy delete`: policies of this node that are to be in force no more."""

import click
import msgspec

from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import Delete, ListPolicies, PolicyRef
from hauberk.cli.asking import (
    end_with_faults,
    files_option,
    json_option,
    matches,
    parse_ref,
    read_documents,
    socket_option,
    wait_option,
)
from hauberk.cli.policy_apply import describe
from hauberk.errors import HauberkError


@click.command()
@files_option
@wait_option
@socket_option
@json_option
@click.argument("names", nargs=-1, metavar="[POLICY]...")
def delete(files: tuple[str, ...], wait: float, socket: str, as_json: bool, names: tuple[str, ...]) -> None:
    """Take policies out of force: those that are named, and those in files.

    POLICY is a policy's name, with its namespace (`NAMESPACE/NAME`) or its kind (`KIND/NAME`,
    `KIND/NAMESPACE/NAME`; ksp, csp and hsp for short) where the name alone is not unique. Nothing changes if
    one of them is not there. Policies of the watched directory are deleted with their files.

    \b
    Examples:
      hauberk policy delete web
      hauberk policy delete shop/web hsp/no-compilers
      hauberk policy delete -f policies/
    """
    if not files and not names:
        raise click.UsageError("name policies, or give files with --file")
    wanted = [parse_ref(name) for name in names]
    refs = _those_meant(wanted, socket) if wanted else ()
    try:
        policies = ask(Delete(refs, read_documents(files)), socket, wait).policies
    except AgentError as error:
        if error.faults:
            end_with_faults(error)
        raise
    if as_json:
        click.echo(msgspec.json.encode({"policies": policies}))
    else:
        for line in describe(policies):
            click.echo(line)


def _those_meant(wanted: list[PolicyRef], socket: str) -> tuple[PolicyRef, ...]:
    """The one policy that each name means. Raises HauberkError if it means none or several."""
    there = [each.ref for each in ask(ListPolicies(), socket).policies]
    meant: list[PolicyRef] = []
    for each in wanted:
        found = [ref for ref in there if matches(each, ref)]
        if not found:
            raise HauberkError(f"there is no {_said(each)}", "`hauberk policy list` shows those there are")
        if len(found) > 1:
            raise HauberkError(
                f"{_said(each)} can mean {' or '.join(map(str, found))}",
                "give its namespace, and its kind if need be: KIND/NAMESPACE/NAME",
            )
        meant += found
    return tuple(dict.fromkeys(meant))


def _said(ref: PolicyRef) -> str:
    return f"{ref.kind or 'policy'} {ref.namespace + '/' if ref.namespace else ''}{ref.name}"
