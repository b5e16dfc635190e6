# SPDX-License-Identifier: Apache-2.0
"""`hauberk explain`: which rule decides about an access, and why."""

import sys
from collections.abc import Iterator
from typing import Final

import click
import msgspec

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import Explain, Explained, Explanation
from hauberk.cli.asking import WORK_SECONDS, json_option, socket_option
from hauberk.cli.showing import printable
from hauberk.errors import HauberkError

MAX_ALERTS: Final = 1000
"""Most alerts of standard input."""
_MAX_BYTES: Final = 4 << 20
_COLOURS: Final = {"refused": "red", "audited": "yellow"}


@click.command()
@click.option("--workload", "-w", default="", help="The workload, by its name or id.")
@click.option("--source", default="", metavar="PATH", help="The program that does it; else any program.")
@click.option(
    "--exec", "execs", multiple=True, metavar="PATH", help="Would this program run? Again for more."
)
@click.option("--read", "reads", multiple=True, metavar="PATH", help="Would it be read? Again for more.")
@click.option("--write", "writes", multiple=True, metavar="PATH", help="Would it be written? Again for more.")
@socket_option
@json_option
@click.argument("alert", default="", metavar="[ALERT|-]")
def explain(
    workload: str,
    source: str,
    execs: tuple[str, ...],
    reads: tuple[str, ...],
    writes: tuple[str, ...],
    socket: str,
    as_json: bool,
    alert: str,
) -> None:
    """Say which rule decides about an access and why, by the policies that are in force now.

    Of an ALERT, given as its JSON object (`-`: one a line on standard input), or of accesses that a workload
    might make.

    \b
    Examples:
      tail -n 1 alerts.jsonl | hauberk explain -
      hauberk explain --workload web --exec /bin/sh --read /etc/shadow
      hauberk explain -w web --source /usr/bin/python3 --write /srv/data/x
    """
    asked_of_workload = bool(workload or source or execs or reads or writes)
    if bool(alert) == asked_of_workload:
        raise click.UsageError("give an alert, or a --workload with accesses")
    if alert:
        questions = [Explain(alert=each) for each in _alerts(alert)]
    elif not workload or not (execs or reads or writes):
        raise click.UsageError("give a --workload, and accesses with --exec, --read or --write")
    else:
        questions = [Explain("", workload, source, execs, reads, writes)]
    for question in questions:
        answer = ask(question, socket, WORK_SECONDS)
        if as_json:
            click.echo(msgspec.json.encode(answer))
        else:
            for line in _describe(answer):
                click.echo(line)


def _alerts(alert: str) -> list[str]:
    if alert != "-":
        if not alert.lstrip().startswith("{"):
            raise click.UsageError("an alert is a JSON object; `-` reads them from standard input")
        return [alert]
    data = sys.stdin.buffer.read(_MAX_BYTES + 1)
    lines = [line for line in data.decode(errors="replace").splitlines() if line.strip()]
    if len(data) > _MAX_BYTES or len(lines) > MAX_ALERTS:
        raise HauberkError(
            f"more than {MAX_ALERTS} alerts or {_MAX_BYTES >> 20} MiB are not explained at once",
            "give fewer: tail -n 10 alerts.jsonl | hauberk explain -",
        )
    if not lines:
        raise HauberkError("there is no alert on standard input")
    return lines


def _describe(answer: Explained) -> Iterator[str]:
    yield f"workload {printable(answer.workload)}"
    for each in answer.explanations:
        verdict = click.style(each.verdict, fg=_COLOURS.get(each.verdict))
        yield f"  {printable(each.access)}: {verdict}"
        if decided := _rule(each):
            yield f"    by {decided}"
        if each.reason:
            yield f"    {printable(each.reason)}"


def _rule(each: Explanation) -> str:
    return printable(" ".join(part for part in (each.policy, each.rule) if part))
