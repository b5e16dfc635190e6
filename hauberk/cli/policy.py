# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy`: looking at policies, and changing those of this node."""

import click

from hauberk.cli.lazy import LazyGroup

MODULES = {
    "apply": "hauberk.cli.policy_apply",
    "base": "hauberk.cli.policy_check",
    "check": "hauberk.cli.policy_check",
    "delete": "hauberk.cli.policy_delete",
    "diff": "hauberk.cli.policy_apply",
    "get": "hauberk.cli.policy_list",
    "list": "hauberk.cli.policy_list",
}


@click.group(cls=LazyGroup, modules=MODULES)
def policy() -> None:
    """Check policies, and put them in force on this node.

    `check` and `base` need neither root nor an agent; the others ask the node's agent, which root may, and
    members of the group that its `socketGroup` names.

    \b
    Examples:
      hauberk policy check policies/        what is wrong with them
      hauberk policy diff -f policies/      what would change here
      hauberk policy apply -f policies/     put them in force
      hauberk policy list                   those in force, and for how many workloads
      hauberk policy get web                their text
      hauberk policy delete web             not in force any more
    """
