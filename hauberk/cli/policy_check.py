# SPDX-License-Identifier: Apache-2.0
"""`hauberk policy check` and `base`: looking at policies without enforcing them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from typing import Any, Final

import click
import msgspec

from hauberk.policy.degraded import Degradation, degradations
from hauberk.policy.faults import Fault
from hauberk.policy.load import Loaded, load
from hauberk.policy.models import Policy
from hauberk.rules.base import BASE_SET
from hauberk.rules.reasons import show_target


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE|DIR|-...")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
def check(sources: tuple[str, ...], as_json: bool) -> None:
    """Check policy files, and report all of their faults at once.

    A directory stands for its *.yaml and *.yml files, `-` for standard input. Warnings, and fields that this
    version does not enforce (degraded), are reported too but are no faults.
    Exit status 0 if there are no faults, 1 if there are.

    \b
    Examples:
      hauberk policy check web.yaml
      hauberk policy check policies/
      kubectl get ksp -A -o yaml | hauberk policy check -
      hauberk policy check --json policies/ | jq .faults
    """
    loaded = load(sources)
    if as_json:
        click.echo(msgspec.json.encode(as_data(loaded), order="sorted"))
    else:
        for line in describe(loaded):
            click.echo(line)
    sys.exit(1 if loaded.faults else 0)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def base(as_json: bool) -> None:
    """Print the base set: what may be read under the posture `block` though no Allow rule names it.

    It permits reading and nothing else, and any Block overrides it. Entries marked `own` are the asking
    task's own, whatever their path.

    \b
    Examples:
      hauberk policy base
      hauberk policy base --json | jq -r '.[].target'
    """
    entries = [
        {"target": show_target(entry.target), "purpose": entry.purpose, "own": entry.own}
        for entry in BASE_SET
    ]
    if as_json:
        click.echo(msgspec.json.encode(entries))
        return
    width = max(len(str(entry["target"])) for entry in entries)
    for entry in entries:
        own = " (own)" if entry["own"] else ""
        click.echo(f"{entry['target']:<{width}}  {entry['purpose']}{own}")


def as_data(loaded: Loaded) -> dict[str, Any]:
    """What was found, as plain data."""
    return {
        "policies": [_identity(each) for each in loaded.policies],
        "faults": [dataclasses.asdict(fault) for fault in loaded.faults],
        "warnings": [dataclasses.asdict(fault) for fault in loaded.warnings],
        "degraded": [
            {**_identity(each), **dataclasses.asdict(degradation)} for each, degradation in _degraded(loaded)
        ],
    }


def _identity(each: Policy) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "namespace": each.namespace,
        "name": each.name,
        "file": each.file,
        "line": each.line,
    }


def _degraded(loaded: Loaded) -> Iterable[tuple[Policy, Degradation]]:
    for each in loaded.policies:
        for degradation in degradations(each):
            yield each, degradation


_COLOURS: Final = {"fault": "red", "warning": "yellow", "degraded": "magenta"}


def describe(loaded: Loaded) -> Iterable[str]:
    """What was found as lines for people, with colours."""
    for fault in (*loaded.faults, *loaded.warnings):
        yield from _finding(fault)
    degraded = list(_degraded(loaded))
    for each, degradation in degraded:
        place = f"{each.file}:{degradation.line}" if degradation.line else each.file
        yield f"{place}: {_word('degraded')}: {degradation.message}"
    yield ", ".join(
        (
            _count(len(loaded.policies), "policy without faults", "policies without faults"),
            _count(len(loaded.faults), "fault"),
            _count(len(loaded.warnings), "warning"),
            f"{len(degraded)} degraded",
        )
    )


def _finding(fault: Fault) -> Iterable[str]:
    field = f"{fault.field}: " if fault.field else ""
    yield f"{fault.place}: {_word(fault.severity)}: {field}{fault.message}"
    if fault.hint:
        yield f"    hint: {fault.hint}"


def _word(word: str) -> str:
    return click.style(word, fg=_COLOURS[word], bold=True)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
