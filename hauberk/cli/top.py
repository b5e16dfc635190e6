# SPDX-License-Identifier: Apache-2.0
"""`hauberk top`: the workloads with the most violations, while one looks."""

import sys
import time
from collections.abc import Mapping

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import AgentStatus, AskStatus, WorkloadStatus
from hauberk.cli.asking import socket_option
from hauberk.cli.showing import console, printable, show, table
from hauberk.cli.status import name_of

_HEAD_LINES = 4


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Ask the agent this often.",
)
@socket_option
def top(interval: float, socket: str) -> None:
    """Show the workloads with the most violations (refused or audited accesses), until Ctrl-C.

    NEW is how many came since the line was drawn before. Where standard output is no terminal the list is
    printed once.

    \b
    Examples:
      hauberk top
      hauberk top --interval 0.5
      hauberk top | head
    """
    answer = ask(AskStatus(), socket)
    if not sys.stdout.isatty():
        show(_table(answer, {}, len(answer.workloads)))
        return
    terminal = console()
    before: dict[tuple[str, str], int] = {}
    try:
        with Live(console=terminal, screen=True, auto_refresh=False) as live:
            while True:
                rows = max(1, terminal.height - _HEAD_LINES)
                live.update(Group(_head(answer), _table(answer, before, rows)), refresh=True)
                before = {_key(each): _violations(each) for each in answer.workloads}
                time.sleep(interval)
                answer = ask(AskStatus(), socket)
    except KeyboardInterrupt:
        pass  # that is how one leaves


def _head(answer: AgentStatus) -> Text:
    lost = sum(answer.lost.values())
    total = sum(map(_violations, answer.workloads))
    text = f"{printable(answer.node)}: {len(answer.workloads)} workloads, {total} violations, {lost} lost\n"
    return Text(text, style="red" if lost or answer.findings else "")


def _table(answer: AgentStatus, before: Mapping[tuple[str, str], int], rows: int) -> Table:
    ranked = sorted(answer.workloads, key=lambda each: (-_violations(each), -each.refused, name_of(each)))
    return table(
        ("WORKLOAD", "STATE", "REFUSED", "AUDITED", "NEW", "LAST ALERT"),
        [
            (
                *(name_of(each), each.state, each.refused, each.audited),
                _violations(each) - before.get(_key(each), _violations(each)),
                each.last_alert or "-",
            )
            for each in ranked[:rows]
        ],
    )


def _violations(workload: WorkloadStatus) -> int:
    return workload.refused + workload.audited


def _key(workload: WorkloadStatus) -> tuple[str, str]:
    return workload.id, name_of(workload)
