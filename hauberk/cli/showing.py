# SPDX-License-Identifier: Apache-2.0
"""Tables for people: as wide as the terminal, and for other programs as wide as their content.

Names that are shown were chosen by others, containers among them, and cannot move the cursor.
"""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from hauberk.policy.words import shorten

COLOURS: Final = {
    "enforced": "green",
    "degraded": "yellow",
    "rejected": "red",
    "closed": "red",
    "none": "bright_black",
}
"""Of states."""
_LONGEST: Final = 500
_UNBOUNDED: Final = 10_000


def printable(text: str) -> str:
    """A text that does nothing to a terminal, on one line."""
    return shorten(text, _LONGEST)


def coloured(state: str) -> str:
    """A state in its colour, for click.echo."""
    return click.style(state, fg=COLOURS.get(state))


def table(headings: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Table:
    """A table whose numbers stand at the right, and whose states are coloured."""
    rows = list(rows)
    made = Table(box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        is_number = bool(rows) and all(isinstance(row[index], int) for row in rows)
        made.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def show(what: RenderableType) -> None:
    """Print it."""
    if sys.stdout.isatty():
        console().print(what)
        return
    text = io.StringIO()
    Console(file=text, width=_UNBOUNDED, color_system=None, highlight=False).print(what)
    for line in text.getvalue().splitlines():
        click.echo(line.rstrip())


def console() -> Console:
    """The terminal; without any colour, bold included, if NO_COLOR is set."""
    return Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _cell(value: str | int) -> Text:
    text = printable(str(value))
    return Text(text, style=COLOURS.get(text, ""))
