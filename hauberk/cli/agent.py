# SPDX-License-Identifier: Apache-2.0
"""`hauberk agent`: the daemon that keeps all workloads of this node under their policies."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from hauberk.agent.config.load import Loaded
from hauberk.agent.config.table import BY_KEY
from hauberk.cli.settings import settings_options
from hauberk.cli.showing import show, table

_MAIN: Final = "from hauberk.cli.main import main; main()"


@click.command()
@settings_options
@click.option("--print-config", is_flag=True, help="Print each setting and where it comes from, and end.")
@click.option("--uninstall", is_flag=True, help="Remove every trace of the agent, and end.")
@click.option("--place-once", is_flag=True, help="Bind the containers that wait to start, and end.")
@click.pass_context
def agent(
    ctx: click.Context,
    reread: Callable[[], Loaded],
    print_config: bool,
    uninstall: bool,
    place_once: bool,
) -> None:
    """Keep the containers, the services and the host of this node under their policies.

    Policies are those of the watched directory and those given with `hauberk policy apply`. When the agent
    ends, what is in force stays in force; the next one goes on from there. SIGHUP has it read its settings
    and policies again.

    Settings come from a file, from the environment and from options; options win over both, the environment
    over the file. They have KubeArmor's names where they mean the same.

    With --uninstall nothing is enforced any more, and nothing of the agent is left but its settings and the
    watched directory. --place-once is what is run for a container that starts while there is no agent.

    \b
    Examples:
      hauberk agent
      hauberk agent --print-config
      hauberk agent --config edge.yaml --defaultFilePosture block
      hauberk agent --uninstall
    """
    if print_config + uninstall + place_once > 1:
        raise click.UsageError("--print-config, --uninstall and --place-once exclude each other")
    loaded = reread()
    if print_config:
        _print(loaded)
        return

    # All that follows takes time to import, which who only asks for the settings need not wait for.
    from hauberk.agent.node import main as node

    if uninstall:
        for line in node.uninstall(loaded.settings):
            click.echo(line)
    elif place_once:
        node.place_once(loaded.settings)
    else:
        command = place_command(loaded, ctx.params["config"])
        node.run(loaded.settings, lambda: reread().settings, command)


def place_command(loaded: Loaded, config: Path | None) -> list[str]:
    """What runs `hauberk agent --place-once` with these settings, whatever the environment is then.

    Values of the file are read anew.
    """
    argv = [sys.executable, "-I", "-c", _MAIN, "agent", "--place-once"]
    if config:
        argv += ["--config", str(config.absolute())]
    for row in loaded.rows():
        setting = BY_KEY[row.key]
        if row.origin in (setting.flag, *setting.variables):
            argv += [setting.flag, row.value]
    return argv


def _print(loaded: Loaded) -> None:
    rows = [(row.key, row.value or "''", row.origin) for row in loaded.rows()]
    show(table(("SETTING", "VALUE", "FROM"), rows))
