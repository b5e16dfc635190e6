# SPDX-License-Identifier: Apache-2.0
"""`hauberk run`: a command as a workload under policies."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from hauberk.agent.session import Outlook, Request, Session
from hauberk.cli.policy import describe
from hauberk.errors import HauberkError
from hauberk.events.pipeline import Losses, Pipeline
from hauberk.policy.load import load
from hauberk.rules.model import Posture, Postures, Section
from hauberk.sinks.jsonlines import JsonLines
from hauberk.workloads.command import CommandError

FAILED = 125
_POSTURE_KEYS = ("file", "network", "capabilities")
_SECTIONS = {section.name.lower(): section for section in Section}


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


def _visibility(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Section, ...]:
    names = [name for name in value.split(",") if name]
    for name in names:
        if name not in _SECTIONS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(_SECTIONS)}")
    return tuple(_SECTIONS[name] for name in dict.fromkeys(names))


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option(
    "--policy", "-p", "policies", multiple=True, metavar="FILE|DIR|-", help="Policies; may be given several times."
)
@click.option("--name", default="run", show_default=True, help="The workload's (container's) name.")
@click.option("--namespace", "-n", default="default", show_default=True, help="The workload's namespace.")
@click.option("--label", "-l", "labels", multiple=True, metavar="KEY=VALUE", callback=_labels, help="A label.")
@click.option(
    "--posture",
    "postures",
    default="",
    metavar="SECTION=POSTURE,...",
    callback=_postures,
    help="What becomes of accesses that no rule of a section with Allow rules names: file, network, capabilities; "
    "each allow, audit (the default) or block.",
)
@click.option(
    "--visibility",
    "visible",
    default="",
    metavar="SECTION,...",
    callback=_visibility,
    help="Report permitted accesses too: process, file, network, capabilities.",
)
@click.option("--alerts", metavar="FILE|-", help="Write alerts there, a JSON object a line.")
@click.option("--root", default="", metavar="DIR", help="Run inside DIR, in a mount namespace of its own.")
@click.option("--no-base-set", is_flag=True, help="Under posture block, do not permit reading the base set.")
@click.option("--allow-unenforced", is_flag=True, help="Run although not all of the policies can be enforced here.")
@click.option("--allow-unselected", is_flag=True, help="Run although no policy selects this workload.")
@click.option("--verbose", "-v", is_flag=True, help="Say how each policy stands, and which paths have other names.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    policies: tuple[str, ...],
    name: str,
    namespace: str,
    labels: dict[str, str],
    postures: Postures,
    visible: tuple[Section, ...],
    alerts: str | None,
    root: str,
    no_base_set: bool,
    allow_unenforced: bool,
    allow_unselected: bool,
    verbose: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND as a workload under policies, and exit with its status.

    Everything that COMMAND starts is under the policies too, until it ends, also after Hauberk has ended.
    Exit status: the command's own; 126 if it cannot be executed, 127 if it is not found, 125 if Hauberk refuses
    or fails to run it.

    \b
    Examples:
      hauberk run -p no-secrets.yaml -l app=web -- nginx -g 'daemon off;'
      hauberk run -p policies/ --alerts alerts.jsonl -- ./build.sh
      hauberk run -p strict.yaml --posture file=block -v --root /srv/app -- /bin/server
    """
    try:
        sys.exit(_run(
            Request(
                argv=command,
                policies=_load(policies),
                name=name,
                namespace=namespace,
                labels=labels,
                postures=postures,
                visible=visible,
                root=root,
                base_set=not no_base_set,
                allow_unenforced=allow_unenforced,
                allow_unselected=allow_unselected,
            ),
            alerts,
            verbose,
        ))  # fmt: skip
    except CommandError as error:
        _say(error)
        sys.exit(error.status)
    except HauberkError as error:
        _say(error)
        sys.exit(FAILED)


def _load(sources: Sequence[str]):  # type: ignore[no-untyped-def]
    loaded = load(sources)
    if loaded.faults:
        for line in describe(loaded):
            click.echo(line, err=True)
        raise HauberkError("the policies have faults")
    return loaded.policies


def _run(request: Request, alerts: str | None, verbose: bool) -> int:
    sinks = [JsonLines(alerts)] if alerts else []

    def announce(outlook: Outlook) -> None:
        for line in _outlook(outlook, verbose):
            click.echo(line, err=True)

    session = Session(request, sinks, announce)
    try:
        status = session.run()
    except BaseException:
        session.finish()
        raise
    left = session.outlived()
    if left:
        _report(session.summary_of, f"{left} confined tasks go on in the background")
        if os.fork():
            return status
        _detach()
        session.keep_watch()
    session.finish()
    for sink in sinks:
        sink.close()
    if not left:
        _report(session.summary_of)
        return status
    os._exit(0)


def _detach() -> None:
    """Leave the terminal to its user: what goes on here is nobody's foreground."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 2):
        os.dup2(null, fd)


def _outlook(outlook: Outlook, verbose: bool) -> list[str]:
    lines = []
    if outlook.unenforced:
        lines.append(f"hauberk: NOTHING IS ENFORCED: {outlook.unenforced}")
    for status in outlook.statuses:
        if verbose or status.reasons:
            reasons = f" ({'; '.join(status.reasons)})" if status.reasons else ""
            lines.append(f"hauberk: {status.policy}: {status.state}{reasons}")
    if verbose:
        lines += [
            f"hauberk: {os.fsdecode(alias.written)} is {os.fsdecode(alias.real)}" for alias in outlook.aliases
        ]
    return lines


def _report(pipeline: Pipeline | None, more: str = "") -> None:
    """The last words, for people."""
    lines = [f"hauberk: {more}"] if more else []
    if pipeline is not None:
        for row in pipeline.summary.rows():
            what = "refused" if row.action == "Block" else "audited"
            rule = f" {row.rule}" if row.rule else ""
            lines.append(
                f"hauberk: {what} {row.count} x {row.operation}, by {row.policy}{rule}; last: {row.latest.Resource}"
            )
        if pipeline.losses != Losses():
            lost = pipeline.losses
            lines.append(
                f"hauberk: LOST: {lost.violations} alerts and {lost.events} logs for which the kernel's ring had no room, "
                f"{lost.corrupt} damaged records, {lost.sinks} that could not be written"
            )
    with suppress(OSError):
        for line in lines:
            click.echo(line, err=True)


def _say(error: HauberkError) -> None:
    click.echo(f"hauberk: {error.message}", err=True)
    if error.remedy:
        click.echo(f"  {error.remedy}", err=True)
