# SPDX-License-Identifier: Apache-2.0
"""How the demonstration looks: on a terminal a table that fills, else a line for each thing seen."""

import time
from collections.abc import Mapping
from typing import Any, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from demo.score import WITHOUT, Row, Score


class Screen(Protocol):
    """Where progress is shown, as a context manager."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def note(self, text: str) -> None:
        """Say something that stays."""

    def step(self, text: str) -> None:
        """Say what is being done now."""

    def seen(self, message: Mapping[str, Any]) -> None:
        """Show that the score has taken this message."""


def screen(console: Console, score: Score) -> Screen:
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(console, score)
    return PlainScreen(score)


class LiveScreen:
    """For people who watch."""

    def __init__(self, console: Console, score: Score) -> None:
        self._score = score
        self._start = time.monotonic()
        self._spinner: Spinner | None = Spinner("dots")
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._spinner = None
        self._live.stop()

    def note(self, text: str) -> None:
        self._live.console.print(Text(text, style="dim"))

    def step(self, text: str) -> None:
        if self._spinner:
            self._spinner.update(text=text)

    def seen(self, message: Mapping[str, Any]) -> None:
        pass  # the picture is drawn from the score

    def _picture(self) -> RenderableType:
        parts: list[RenderableType] = [table(self._score), Text(service_line(self._score))]
        if self._spinner:
            line = Table.grid(padding=(0, 1))
            line.add_row(self._spinner, Text(f"{time.monotonic() - self._start:.0f} s", style="dim"))
            parts.append(line)
        return Group(*parts)


class PlainScreen:
    """For files and pipes."""

    def __init__(self, score: Score) -> None:
        self._score = score

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        print(service_line(self._score), flush=True)

    def note(self, text: str) -> None:
        print(text, flush=True)

    def step(self, text: str) -> None:
        print(f"... {text}", flush=True)

    def seen(self, message: Mapping[str, Any]) -> None:
        if message["kind"] != "attack":
            return
        row = self._score.rows[message["number"]]
        outcome = without(row) if message["round"] == WITHOUT else " ".join(under(row)).rstrip()
        print(f"    {outcome}", flush=True)


def without(row: Row) -> str:
    """What came of an attack without policies."""
    return {None: "", True: "worked", False: "FAILED"}[row.worked]


def under(row: Row) -> tuple[str, str]:
    """What came of it under policies: who refused it, and by which rule."""
    if row.worked_under_policies is None:
        return "", ""
    if row.worked_under_policies:
        return "NOT REFUSED", ""
    if row.refusal is None:
        return "NO ALERT", ""
    return row.attack.policy, row.attack.rule.removeprefix("spec.")


def table(score: Score) -> Table:
    """Every attack in both rounds. Fits into 80 columns."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title_justify="left")
    for heading in ("The attacker tries to", "Without", "Refused by", "Rule"):
        shown.add_column(heading, no_wrap=True)
    for row in score.rows:
        policy, rule = under(row)
        shown.add_row(
            row.attack.title,
            Text(without(row), style="yellow" if row.worked else "bold red"),
            Text(policy, style="green" if row.proven else "bold red"),
            Text(rule, style="dim"),
        )
    return shown


def service_line(score: Score) -> str:
    asked = score.answers + len(score.missed_answers)
    return f"The service was asked {asked} times in between and answered {score.answers} times."
