# SPDX-License-Identifier: Apache-2.0
"""`hauberk completion`: what a shell has to evaluate in order to complete Hauberk's commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete `hauberk`, for its start-up file.

    \b
    Examples:
      eval "$(hauberk completion bash)"                                in ~/.bashrc
      eval "$(hauberk completion zsh)"                                 in ~/.zshrc
      hauberk completion fish > ~/.config/fish/completions/hauberk.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "hauberk", "_HAUBERK_COMPLETE").source())
