# SPDX-License-Identifier: Apache-2.0
"""Options that commands have in common: where alerts go, and the status."""

from pathlib import Path

import click

alerts_option = click.option(
    "--alerts",
    type=click.Path(),
    metavar="FILE|-",
    help="Append alerts there, a JSON object a line; - is standard output.",
)
status_option = click.option(
    "--status",
    "status_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write there how each policy stands, and in the end what was refused and lost, as a JSON object.",
)
