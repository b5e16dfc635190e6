# SPDX-License-Identifier: Apache-2.0
"""`hauberk adopt`: a run whose Hauberk was killed is looked after again, and can have other policies."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from hauberk.agent.adoption import Adoption, find
from hauberk.agent.plan import Ended
from hauberk.agent.status import ended_data, outlook_data, write_status
from hauberk.cli.ending import die_by
from hauberk.cli.options import alerts_option, status_option
from hauberk.cli.run import describe_end, describe_outlook, tell
from hauberk.errors import HauberkError
from hauberk.kernel.signals import Interruption, SignalReader
from hauberk.sinks.jsonlines import JsonLines

LEAVING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})


@click.command()
@click.option(
    *("--policy", "-p", "policies"),
    multiple=True,
    type=click.Path(),
    metavar="FILE|DIR|-",
    help="Policies in place of those in force: files, directories, or standard input. Again for more.",
)
@alerts_option
@status_option
@click.option("--upgrade", is_flag=True, help="Replace the programs in the kernel by this version's.")
@click.option("--allow-unenforced", is_flag=True, help="Change policies although not all can be enforced.")
@click.option("--allow-unselected", is_flag=True, help="Change policies although none selects the workload.")
@click.option("--verbose", "-v", is_flag=True, help="Say how each policy stands, and which paths are links.")
@click.argument("name", default="")
def adopt(
    policies: tuple[str, ...],
    alerts: str | None,
    status_file: Path | None,
    upgrade: bool,
    allow_unenforced: bool,
    allow_unselected: bool,
    verbose: bool,
    name: str,
) -> None:
    """Look after a run whose Hauberk was killed, until its last process ends.

    What the run's policies forbid is refused all the while; this passes on its alerts again, those that
    have been waiting in the kernel first. NAME is the run's (as listed) or its workload's; it can be left out
    if there is only one.

    With --policy the running command gets other policies, in one step: each access is decided by the old ones
    or by the new ones. They are chosen by the labels that it was started with.

    Ctrl-C leaves the run as it is; it can be adopted again.

    \b
    Examples:
      hauberk adopt --alerts alerts.jsonl              the only run that nobody looks after
      hauberk adopt -p stricter.yaml --alerts - web    other policies for the workload `web`
      hauberk adopt --upgrade run-4711-9f2c01ab        this version's programs for that run
    """
    sinks = [JsonLines(alerts)] if alerts else []
    status_file = status_file and status_file.absolute()
    with SignalReader(LEAVING) as signals:
        adoption = Adoption(find(name), sinks, signals)
        try:
            if upgrade:
                adoption.upgrade()
            if policies:
                adoption.change(
                    policies, allow_unenforced=allow_unenforced, allow_unselected=allow_unselected
                )
            if status_file:
                write_status(status_file, outlook_data(adoption.outlook))
            tell(f"{click.style('DEGRADED: ', fg='red', bold=True)}{each}" for each in adoption.findings)
            if not adoption.is_current:
                tell(iter(("its programs are another version's: --upgrade replaces them",)))
            tell(describe_outlook(adoption.outlook, verbose))
            ended = adoption.watch()
        except Interruption as interruption:
            _leave(adoption, sinks, status_file)
            adoption.close()
            die_by(interruption.number)
        except HauberkError:
            adoption.close()
            raise
    for sink in sinks:
        sink.close()
    tell(describe_end(adoption, ended))
    if status_file:
        write_status(status_file, ended_data(adoption, ended))


def _leave(adoption: Adoption, sinks: list[JsonLines], status_file: Path | None) -> None:
    ended = Ended(0, 0, adoption.left)
    for sink in sinks:
        sink.close()
    with suppress(HauberkError):
        if status_file:
            write_status(status_file, ended_data(adoption, ended))
    tell(describe_end(adoption, ended))
