# SPDX-License-Identifier: Apache-2.0
"""The `hauberk` command. Each command lives in a file of its own and is imported when it is called.

So `hauberk version` does not pay for pydantic, and `hauberk lab` works where the kernel's door is shut.
"""

import importlib
import sys

import click

from hauberk import __version__
from hauberk.errors import HauberkError

COMMANDS = ("lab", "policy", "probe", "run")
"""Commands by name: `hauberk.cli.NAME` has a click command NAME."""


class Commands(click.Group):
    """A group whose commands are modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*COMMANDS, *super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command = getattr(importlib.import_module(f"hauberk.cli.{cmd_name}"), cmd_name)
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def hauberk() -> None:
    """Make the kernel refuse what a policy forbids."""


@hauberk.command()
def version() -> None:
    """Print the version."""
    click.echo(f"hauberk {__version__}")


def main() -> None:
    """The entry point. What Hauberk raises on purpose is told with its remedy; the rest is a defect."""
    try:
        hauberk(prog_name="hauberk")
    except HauberkError as error:
        click.echo(f"hauberk: {error.message}", err=True)
        if error.remedy:
            click.echo(f"  {error.remedy}", err=True)
        sys.exit(125)
