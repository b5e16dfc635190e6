# SPDX-License-Identifier: Apache-2.0
"""`hauberk report`: what a span of time was like on this node, as a page to look at or to send."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from hauberk.agent.feeder.question import Ask, Begins, Event, Lack
from hauberk.cli.asking import socket_option
from hauberk.cli.logs import conditions_of, filter_options, note
from hauberk.cli.moments import moment
from hauberk.cli.recalling import events, history_option
from hauberk.errors import HauberkError
from hauberk.sinks.recall import Span


@click.command()
@click.option(
    "--since",
    callback=moment,
    default="24h",
    show_default=True,
    metavar="WHEN",
    help="From then on: 24h (ago), 2026-11-28T10:00 (UTC).",
)
@click.option("--until", callback=moment, metavar="WHEN", help="Up to then; else up to now.")
@filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(("html", "json")),
    default="html",
    show_default=True,
    help="A page, or the numbers of it.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="-",
    metavar="FILE|-",
    help="Where to write it; else to standard output.",
)
@history_option
@socket_option
def report(
    since: int,
    until: int | None,
    form: str,
    output: str,
    history: Path | None,
    socket: str,
    **filters: Any,
) -> None:
    """Sum up what was refused, audited and reported on this node: which workloads, rules, objects and
    programs, over time, and what is missing.

    The page is one file that needs no network and runs no script. It is made from what the agent has kept
    (hauberk logs). Times are UTC; counts are accesses. A file is made with mode 0600, since it tells names of
    files and programs.

    \b
    Examples:
      hauberk report -o report.html
      hauberk report --since 7d --namespace shop -o shop.html
      hauberk report --since 1h --format json | jq .total
    """
    from hauberk.workbench.report.page import page
    from hauberk.workbench.report.summary import Summing

    if output == "-" and form == "html" and sys.stdout.isatty():
        raise click.UsageError("a page is not for a terminal: give a file with -o report.html")
    end = until or time.time_ns() // 1000
    if end <= since:
        raise click.UsageError("--until is before --since")
    summing = Summing(since / 1e6, end / 1e6)
    span = Span(kinds=("alert", "log"), since=since, until=end, where=conditions_of(filters))
    complete_since = 0.0
    for answer in events(Ask(span), socket, history, note):
        if isinstance(answer, Event):
            summing.add(msgspec.json.decode(answer.event))
        elif isinstance(answer, Lack):
            summing.miss(answer.accesses, answer.why)
        elif isinstance(answer, Begins):
            complete_since = answer.time / 1e6
    summary = summing.finish(complete_since)
    text = page(summary) if form == "html" else msgspec.json.encode(summary).decode() + "\n"
    if output == "-":
        click.echo(text, nl=False)
    else:
        _write(Path(output), text)


def _write(path: Path, text: str) -> None:
    """Write a file in place of one that is there; whole, or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HauberkError(f"writing {path}: {error.strerror}") from error
