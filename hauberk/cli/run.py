# SPDX-License-Identifier: Apache-2.0
"""`hauberk run`: a command as a workload under policies."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import click

from hauberk.agent.plan import Ended, Kept, Outlook, Request, UnenforcedError
from hauberk.agent.session import PASSED_ON, Session
from hauberk.agent.status import ended_data, outlook_data, write_status
from hauberk.cli.ending import die_by, say
from hauberk.cli.options import alerts_option, status_option
from hauberk.enforcers.bpf_lsm.engine import MAX_TASKS
from hauberk.events.pipeline import Losses
from hauberk.kernel.signals import SignalReader
from hauberk.rules.model import Posture, Postures, Seen
from hauberk.sinks.jsonlines import JsonLines
from hauberk.workloads.command import CommandError

_POSTURE_KEYS: Final = ("file", "network", "capabilities")
_SECTIONS: Final = {each.name.lower(): each for each in Seen}


def _labels(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    labels = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{value!r} is not of the form KEY=VALUE")
        labels[key] = text
    return labels


def _postures(ctx: click.Context, param: click.Parameter, value: str) -> Postures:
    chosen = dict.fromkeys(_POSTURE_KEYS, Posture.AUDIT)
    for item in filter(None, value.split(",")):
        key, _, posture = item.partition("=")
        if key not in chosen or posture not in set(Posture):
            raise click.BadParameter(
                f"{item!r}: give {', '.join(_POSTURE_KEYS)}, each with {', '.join(Posture)} (file=block)"
            )
        chosen[key] = Posture(posture)
    return Postures(**chosen)


def _visibility(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Seen, ...]:
    names = [name for name in value.split(",") if name]
    for name in names:
        if name not in _SECTIONS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(_SECTIONS)}")
    return tuple(_SECTIONS[name] for name in dict.fromkeys(names))


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    *("--policy", "-p", "policies"),
    multiple=True,
    type=click.Path(),
    metavar="FILE|DIR|-",
    help="Policies: a file, the *.yaml and *.yml files of a directory, or standard input. Again for more.",
)
@click.option("--name", default="run", show_default=True, help="The workload's (container's) name.")
@click.option("--namespace", "-n", default="default", show_default=True, help="The workload's namespace.")
@click.option(
    *("--label", "-l", "labels"),
    multiple=True,
    metavar="KEY=VALUE",
    callback=_labels,
    help="A label of the workload. Again for more.",
)
@click.option(
    *("--posture", "postures"),
    default="",
    metavar="SECTION=POSTURE,...",
    callback=_postures,
    help="What becomes of accesses that no rule names, in a section with Allow rules: file, network, "
    "capabilities; each allow, audit (the default) or block.",
)
@click.option(
    *("--visibility", "visible"),
    default="",
    metavar="SECTION,...",
    callback=_visibility,
    help="Report what is permitted too: process, file, network, capabilities, dns.",
)
@alerts_option
@status_option
@click.option(
    "--root",
    default=None,
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Run inside DIR, in a mount namespace of its own; the paths of rules are those inside.",
)
@click.option("--no-base-set", is_flag=True, help="Under posture block, do not permit reading the base set.")
@click.option("--allow-unenforced", is_flag=True, help="Run although not everything can be enforced here.")
@click.option("--allow-unselected", is_flag=True, help="Run although no policy selects this workload.")
@click.option(
    "--strict",
    is_flag=True,
    help="Do not run if a policy holds but for what was there before, such as links nobody looked for.",
)
@click.option("--verbose", "-v", is_flag=True, help="Say how each policy stands, and which paths are links.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    policies: tuple[str, ...],
    name: str,
    namespace: str,
    labels: dict[str, str],
    postures: Postures,
    visible: tuple[Seen, ...],
    alerts: str | None,
    status_file: Path | None,
    root: str | None,
    no_base_set: bool,
    allow_unenforced: bool,
    allow_unselected: bool,
    strict: bool,
    verbose: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND as a workload under policies, and exit with its status.

    Everything that COMMAND starts is under the policies too, until it ends, also after Hauberk has ended.

    COMMAND has the terminal, the standard streams and the process group that Hauberk was given. Signals
    sent to Hauberk are passed on, and a COMMAND that is stopped from the terminal stops Hauberk with it.

    Exit status: COMMAND's own (a signal that ends it ends Hauberk too); 126 if it cannot be executed, 127 if
    it is not found, 125 if Hauberk refuses or fails to run it.

    \b
    Examples:
      hauberk run -p no-secrets.yaml -l app=web -- nginx -g 'daemon off;'
      hauberk run -p policies/ --alerts alerts.jsonl -- ./build.sh
      hauberk run -p strict.yaml --posture file=block -v --root /srv/app -- /bin/server
      hauberk run --allow-unselected --visibility process --alerts - -- ./unknown.sh
    """
    if not policies and not allow_unselected:
        raise click.UsageError("give a --policy, or --allow-unselected to run the command under none")
    request = Request(
        argv=command,
        policies=policies,
        name=name,
        namespace=namespace,
        labels=labels,
        postures=postures,
        visible=visible,
        root=root or "",
        base_set=not no_base_set,
        allow_unenforced=allow_unenforced,
        allow_unselected=allow_unselected,
        strict=strict,
        own_files=[str(file) for file in (alerts, status_file) if file and file != "-"],
    )
    try:
        ended = _run(request, alerts, status_file and status_file.absolute(), verbose)
    except CommandError as error:
        say(error)
        sys.exit(error.status)
    if ended.signal:
        die_by(ended.signal)
    sys.exit(ended.status)


def _run(request: Request, alerts: str | None, status_file: Path | None, verbose: bool) -> Ended:
    sinks = [JsonLines(alerts)] if alerts else []
    with SignalReader(PASSED_ON) as signals:
        try:
            session = Session(request, sinks, signals)
        except UnenforcedError as error:
            if status_file:
                write_status(status_file, outlook_data(error.outlook))
            raise
        try:
            if status_file:
                write_status(status_file, outlook_data(session.outlook))
            tell(describe_outlook(session.outlook, verbose))
        except BaseException:
            session.close()
            raise
        ended = session.run()
    if not ended.left:
        for sink in sinks:
            sink.close()
    tell(describe_end(session, ended))

    def write_end(left: int) -> None:
        if status_file:
            write_status(status_file, ended_data(session, replace(ended, left=left)))

    write_end(ended.left)
    if ended.left:
        session.watch_in_background(partial(write_end, 0))
    return ended


def tell(lines: Iterator[str]) -> None:
    """Lines for people."""
    # The terminal may be gone, and the command has ended or will: its status is what counts.
    with suppress(OSError):
        for line in lines:
            click.echo(f"hauberk: {line}", err=True)


def describe_outlook(outlook: Outlook, verbose: bool) -> Iterator[str]:
    """What is to be known before the command starts, in lines for people."""
    if outlook.obstacle:
        yield click.style("NOTHING IS ENFORCED: ", fg="red", bold=True) + outlook.obstacle
    if verbose:
        yield from (f"warning: {warning}" for warning in outlook.warnings)
    for status in outlook.statuses:
        why = () if outlook.obstacle else (*status.reasons, *status.caveats)
        if verbose or why:
            reasons = f" ({'; '.join(why)})" if why else ""
            yield f"{status.policy}: {status.state}{reasons}"
    if verbose:
        yield from (f"{os.fsdecode(a.written)} is {os.fsdecode(a.real)}" for a in outlook.aliases)


def describe_end(session: Kept, ended: Ended) -> Iterator[str]:
    """The last words: what was refused and audited, what was lost, and what goes on."""
    if session.pipeline is not None:
        for row in session.pipeline.summary.rows():
            what = click.style("refused", fg="red") if row.action == "Block" else "audited"
            rule = f" {row.rule}" if row.rule else ""
            yield f"{what} {row.count} x {row.operation}, by {row.policy}{rule}; last: {row.latest.Resource}"
        yield from describe_losses(session.pipeline.losses, session.counters)
    if ended.left:
        yield f"{ended.left} confined tasks go on in the background"


def describe_losses(losses: Losses, counters: dict[str, int]) -> Iterator[str]:
    """What did not reach its reader, and what was refused for want of room, each with its cause."""
    lost = {
        "alerts, for which the kernel's ring had no room": losses.violations,
        "logs, for which the kernel's ring had no room": losses.events,
        "damaged records": losses.corrupt,
        "alerts or logs, which could not be written": losses.sinks,
    }
    for what, count in lost.items():
        if count:
            yield click.style("LOST: ", fg="red", bold=True) + f"{count} {what}"
    refused = {
        "no_label": f"new tasks, because {MAX_TASKS} were confined already",
        "no_scratch": "accesses, because too many were being decided at once",
        "raced": "accesses, because the directories above kept moving",
    }
    for name, what in refused.items():
        if counters.get(name):
            yield f"refused {counters[name]} {what}"
