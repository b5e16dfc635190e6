# SPDX-License-Identifier: Apache-2.0
"""`hauberk test`: do policies do what was meant? With `--live`, on this kernel."""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from hauberk.workbench.live import packages
from hauberk.workbench.live.reading import read_scenarios
from hauberk.workbench.live.run import Result, choose, run_all
from hauberk.workbench.live.scenario import Scenario

_COLOURS = {"pass": "green", "fail": "red", "skip": "yellow"}


@click.command()
@click.option("--live", is_flag=True, required=True, help="Run scenarios against the agent, on this kernel.")
@click.option(
    "--prepare", is_flag=True, help="Fetch what the scenarios' containers are made of, and run nothing."
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only scenarios whose id or suite fits (* and ? as in file names). Again for more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON list.")
@click.argument(
    "files", nargs=-1, metavar="FILE...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def test(live: bool, prepare: bool, only: tuple[str, ...], as_json: bool, files: tuple[Path, ...]) -> None:
    """Run the scenarios of FILE...: policies, what is done under them, and what must come of it.

    The agent of this machine is used, or one is started and removed again. Containers are made of Debian's
    packages, which are fetched once, and started with crun or runc. It takes root, and a kernel with BPF LSM:
    where that is missing, `hauberk lab run` has a machine with it.

    A scenario that needs a feature which this version does not have is skipped, and says which. Exit status
    1 if any fails.

    \b
    Examples:
      hauberk test --live web.yaml
      hauberk test --live --only 'web-*' --json web.yaml | jq '.[] | select(.status == "fail")'
      hauberk lab run -- hauberk test --live web.yaml
    """
    if prepare:
        packages.prepare(_say)
        return
    if not files:
        raise click.UsageError("give at least one FILE with scenarios")
    scenarios = choose(read_scenarios(files), only)
    # Whoever ends the tests, what they have put in force has to be taken back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = _run(scenarios, _quietly if as_json else _tell)
    if as_json:
        click.echo(msgspec.json.encode(results))
    else:
        counts = Counter(result.status for result in results)
        click.echo(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    sys.exit(1 if any(result.status == "fail" for result in results) else 0)


def _run(scenarios: Sequence[Scenario], tell: Callable[[Result], None]) -> list[Result]:
    results: list[Result] = []

    def started(scenario: Scenario) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K[{len(results) + 1}/{len(scenarios)}] {scenario.id} ...", err=True, nl=False)

    for result in run_all(scenarios, started, _say):
        results.append(result)
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False)
        tell(result)
    return results


def _tell(result: Result) -> None:
    status = click.style(result.status, fg=_COLOURS[result.status])
    reason = f": {result.reason}" if result.reason else ""
    took = f" ({result.seconds:.1f} s)" if result.seconds else ""
    click.echo(f"{result.id}: {status}{reason}{took}")


def _quietly(result: Result) -> None:
    """The results are printed together in the end."""


def _say(message: str) -> None:
    click.echo(f"hauberk test: {message}", err=True)
