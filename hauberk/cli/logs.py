# SPDX-License-Identifier: Apache-2.0
"""`hauberk logs`: what was refused, audited and reported on this node, and what is being so."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from hauberk.agent.feeder.question import Answer, Ask, Begins, Done, Event, Lack, Live
from hauberk.cli import groups, lines
from hauberk.cli.asking import socket_option
from hauberk.cli.ending import die_by
from hauberk.cli.moments import moment, moment_or_number, shown
from hauberk.cli.recalling import events, history_option
from hauberk.cli.showing import show, table
from hauberk.events.telling import clean, nested
from hauberk.events.where import Term, Where, parse_term
from hauberk.sinks.recall import Kind, Span

LAST: Final = 100
"""Events that are shown if nothing says how many."""
LAST_BEFORE_FOLLOWING: Final = 10
KINDS: Final[dict[str, tuple[Kind, ...]]] = {
    "alerts": ("alert",),
    "logs": ("log",),
    "both": ("alert", "log"),
}
_FILTERS: Final = (
    ("namespace", "NamespaceName", "Namespace of the workload."),
    ("workload", "ContainerName PodName", "Name of the container, service or pod."),
    ("policy", "PolicyName", "Name of the policy."),
    ("operation", "Operation", "Process, File, Network, Capabilities, ..."),
    ("action", "Action", "Block or Audit."),
    ("process", "ProcessName Source", "Path of the program."),
    ("resource", "Resource", "The object: a path, a socket, a capability."),
)
"""Options, the fields of which one has to match, and what they are."""


def filter_options(command: Any) -> Any:
    """The options that say which events."""
    command = click.option(
        "--where",
        "conditions",
        multiple=True,
        metavar="CONDITION",
        help="FIELD=VALUE, FIELD!=VALUE or FIELD~GLOB, with any field of an alert: Hauberk.Call=open. "
        "Again for more, all of which have to hold.",
    )(command)
    for name, _, meaning in reversed(_FILTERS):
        names = (f"--{name}", "--container") if name == "workload" else (f"--{name}",)
        command = click.option(*names, name, multiple=True, metavar="GLOB", help=meaning)(command)
    return command


def conditions_of(filters: dict[str, Any]) -> Where:
    """What the options of `filter_options` ask for. Raises HauberkError."""
    clauses: list[tuple[Term, ...]] = [(parse_term(text),) for text in filters.pop("conditions")]
    for name, fields, _ in _FILTERS:
        globs = filters.pop(name)
        if globs:
            clauses.append(tuple(_term(field, glob) for field in fields.split() for glob in globs))
    return tuple(clauses)


def _term(field: str, glob: str) -> Term:
    return Term(field, "~" if set(glob) & set("*?[") else "=", glob)


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option(
    "--since",
    callback=moment_or_number,
    metavar="WHEN",
    help="From then on: 1h (ago), 2026-11-28T10:00 (UTC), or behind the event of this number.",
)
@click.option("--until", callback=moment, metavar="WHEN", help="Up to then.")
@click.option("--limit", "-n", type=click.IntRange(1, 1_000_000), help="Only the newest ones, so many.")
@click.option(
    "--kind", type=click.Choice(tuple(KINDS)), default="alerts", show_default=True, help="Which events."
)
@filter_options
@click.option(
    "--output",
    "-o",
    type=click.Choice(("line", "table", "json", "jsonl")),
    help="How they are printed; line, or with --aggregate table, if it is not said.",
)
@click.option("--aggregate", is_flag=True, help="Count what is the same, instead of telling each.")
@click.option("--tree", is_flag=True, help="Show where each process came from.")
@history_option
@socket_option
def logs(
    follow: bool,
    since: int | str | None,
    until: int | None,
    limit: int | None,
    kind: str,
    output: str | None,
    aggregate: bool,
    tree: bool,
    history: Path | None,
    socket: str,
    **filters: Any,
) -> None:
    """Show what was refused or audited on this node (alerts), or permitted and visible (logs).

    The agent keeps the last ones, over restarts; without --since or --limit the newest 100 are shown, with
    --follow 10. Where no agent runs, what was kept is read from its file. Times are UTC. Options that take a
    GLOB (* is anything) can be given again: any of them has to match.

    An event's number stands in JSON as Hauberk.Number; --since NUMBER goes on behind it.

    \b
    Examples:
      hauberk logs -f
      hauberk logs --since 1h --namespace shop --resource '/etc/*'
      hauberk logs --since 1d --aggregate
      hauberk logs --kind both --where Hauberk.Call=connect -o jsonl | jq .Resource
      hauberk logs -n 1 --tree
      hauberk logs -n 1 -o jsonl | hauberk explain -
    """
    if follow and (aggregate or until is not None or output in ("table", "json") or history):
        raise click.UsageError("--follow goes without --until, --aggregate, --history, -o table and -o json")
    if tree and (aggregate or output not in (None, "line")):
        raise click.UsageError("--tree goes with -o line only, and not with --aggregate")
    if limit is None and since is None and until is None and not aggregate:
        limit = LAST_BEFORE_FOLLOWING if follow else LAST
    span = Span(
        kinds=KINDS[kind],
        after=int(since) if isinstance(since, str) else 0,
        since=since if isinstance(since, int) else 0,
        until=until or 0,
        where=conditions_of(filters),
        limit=limit or 0,
    )
    answers = _noted(events(Ask(span, follow), socket, history, note), span)
    try:
        if aggregate:
            _print_groups(answers, output or "table")
        elif output == "table":
            show(table(lines.HEADINGS, [lines.row(event) for event in _events(answers)]))
        elif output == "json":
            _print_json(map(lines.json_line, _events(answers)))
        else:
            _print_lines(answers, as_json=output == "jsonl", tree=tree)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        die_by(signal.SIGPIPE)


def note(text: str) -> None:
    """Tell something on standard error."""
    click.echo(f"hauberk: {clean(text)}", err=True)


def _noted(answers: Iterable[Answer], span: Span) -> Iterator[Answer]:
    """Tell on standard error what is not there; the rest is passed on."""
    for answer in answers:
        if isinstance(answer, Begins):
            if not span.limit and not span.after and span.since < answer.time:
                note(f"older events are not kept any more; the oldest is of {shown(answer.time)}")
        elif isinstance(answer, Done):
            if answer.unreadable:
                note(f"{answer.unreadable} events in the history cannot be read")
        else:
            yield answer


def _events(answers: Iterable[Answer]) -> Iterator[dict[str, Any]]:
    """The events, with their numbers; what is missing is told on standard error."""
    for answer in answers:
        if isinstance(answer, Event):
            yield _numbered(answer)
        elif isinstance(answer, Lack):
            note(_missing(answer))


def _numbered(answer: Event) -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(answer.event)
    event["Hauberk"] = {**nested(event, "Hauberk"), "Number": answer.number}
    return event


def _missing(lack: Lack) -> str:
    return f"{f'{lack.accesses} accesses' if lack.accesses else 'events'} are missing here: {lack.why}"


def _print_lines(answers: Iterable[Answer], *, as_json: bool, tree: bool) -> None:
    write, flush = sys.stdout.write, sys.stdout.flush
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    live = False
    for answer in answers:
        if isinstance(answer, Live):
            live = True
        elif isinstance(answer, Lack):
            text = _missing(answer)
            gap = {"Type": "SystemEvent", "Message": text}
            write(f"{lines.json_line(gap) if as_json else f'-- {clean(text)} --'}\n")
        elif isinstance(answer, Event):
            event = _numbered(answer)
            texts = [lines.json_line(event) if as_json else lines.line(event)]
            if tree:
                texts += lines.tree(event)
            for text in texts:
                write(f"{text if coloured else click.unstyle(text)}\n")
        if live:
            flush()


def _print_groups(answers: Iterable[Answer], output: str) -> None:
    found = groups.Groups()
    for event in _events(answers):
        found.add(event)
    if output == "table":
        show(table(groups.HEADINGS, [group.row() for group in found]))
        return
    if output == "line":
        for group in found:
            click.echo(group.line())
        return
    texts = (lines.json_line(msgspec.structs.asdict(group)) for group in found)
    if output == "json":
        _print_json(texts)
    else:
        for text in texts:
            click.echo(text)


def _print_json(texts: Iterable[str]) -> None:
    """A list, an element a line."""
    write = sys.stdout.write
    begin = "[\n"
    for text in texts:
        write(begin + text)
        begin = ",\n"
    write("[]\n" if begin == "[\n" else "\n]\n")
