# SPDX-License-Identifier: Apache-2.0
"""Results as tables: for the terminal and for docs/performance.md."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from bench.targets import (
    APPARMOR,
    FEW,
    NO_POLICY,
    NONE,
    Check,
    Result,
    added,
    checks,
    event_checks,
    mib,
    rules_text,
    signed,
)

Row: TypeAlias = tuple[str, ...]
Table: TypeAlias = tuple[str, list[Row]]
Events: TypeAlias = Mapping[str, Any] | None

BEGIN: Final = "<!-- figures, written by bench/run.py -->"
END: Final = "<!-- end of figures -->"


def text(results: Sequence[Result], events: Events) -> str:
    """The checks and all figures, for the terminal."""
    parts = []
    for heading, tables in _sections(results, events):
        parts.append(heading)
        parts += [(f"{title}\n" if title else "") + _aligned(rows) for title, rows in tables]
    every = [check for result in results for check in checks(result)] + event_checks(events)
    unmet = sum(check.met is False for check in every)
    parts.append(f"{unmet} targets not met" if unmet else "all targets met that were measured")
    return "\n\n".join(parts) + "\n"


def markdown(results: Sequence[Result], events: Events) -> str:
    """The same, as the generated part of docs/performance.md."""
    parts = []
    for heading, tables in _sections(results, events):
        parts.append(f"## {heading}")
        parts += [(f"{title}:\n\n" if title else "") + _piped(rows) for title, rows in tables]
    return "\n\n".join(parts) + "\n"


def with_figures(document: str, figures: str) -> str:
    """`document` with its generated part replaced. Raises ValueError if it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks the line {END if begin else BEGIN}")
    return f"{before}{BEGIN}\n\n{figures}\n{END}{after}"


def _sections(results: Sequence[Result], events: Events) -> Iterable[tuple[str, list[Table]]]:
    for result in results:
        tables = [
            ("", _targets(checks(result))),
            ("Instructions that each operation takes, and that are added", _operations(result)),
            ("Times what it takes without enforcement, with 100 rules", _ratios(result)),
            ("Putting rules in force, in seconds of 10^9 instructions", _phases(result)),
            ("The whole of a run", _runs(result)),
            ("Kernel memory of an engine, by `hauberk probe --memory`, in KiB", _memory(result)),
        ]
        yield f"Linux {result['kernel']}", tables
    yield "Events", [("", _targets(event_checks(events)))]


def _targets(found: Sequence[Check]) -> list[Row]:
    return [
        ("", "measured", "target", ""),
        *((check.what, check.figure, check.target, check.mark) for check in found),
    ]


def _operations(result: Result) -> list[Row]:
    settings = [name for name in result["settings"] if name != NONE]
    return [
        ("", "no enforcement", *map(_heading, settings)),
        *(
            (name, f"{base:,}", *(signed(added(result, setting, name)) for setting in settings))
            for name, base in result["settings"][NONE]["figures"].items()
        ),
    ]


def _ratios(result: Result) -> list[Row]:
    """Operations and real programs, by what each takes in one machine."""
    settings = result["settings"]
    compared = [f"{APPARMOR}{FEW}", FEW]
    rows: list[Row] = [("", "no enforcement", *map(_heading, compared))]
    for kind in ("figures", "programs"):
        for name, base in settings[NONE][kind].items():
            ratios = (f"{settings[setting][kind][name] / base:.3f}" for setting in compared)
            rows.append((name, f"{base:,}", *ratios))
    return rows


def _phases(result: Result) -> list[Row]:
    settings = {name: each for name, each in result["settings"].items() if name.isdigit()}
    measured = list(settings.values())
    phases = [
        (f"{phase}, s", *(f"{each['phases'][phase]:.2f}" for each in measured))
        for phase in measured[0]["phases"]
    ]
    return [
        ("", *map(_heading, settings)),
        *phases,
        ("in force after, s", *(f"{each['in_force_seconds']:.2f}" for each in measured)),
        ("table, bytes", *(f"{each['table_bytes']:,}" for each in measured)),
        ("memory added while compiling, MiB", *(mib(each["compile_added_bytes"]) for each in measured)),
        ("instructions verified", *(f"{each['verified_instructions']:,}" for each in measured)),
    ]


def _runs(result: Result) -> list[Row]:
    runs = result["run"]
    return [
        ("", *map(rules_text, runs)),
        ("resident while the command runs, MiB", *(mib(run["resident_bytes"]) for run in runs.values())),
        ("largest process, at its peak, MiB", *(mib(run["largest_process_bytes"]) for run in runs.values())),
        (
            "from the start of Python to the command's first instruction, s",
            *(f"{run['begun_seconds']:.1f}" for run in runs.values()),
        ),
    ]


def _memory(result: Result) -> list[Row]:
    engines = result["memory"]
    parts = sorted(engines["1"]["maps"], key=lambda part: -engines["1"]["maps"][part])
    return [
        ("", *(f"{int(number):,} workload{'s' * (number != '1')}, 100 rules" for number in engines)),
        *((part, *(_kib(each["maps"][part]) for each in engines.values())) for part in parts),
        ("programs", *(_kib(each["program_bytes"]) for each in engines.values())),
        ("all", *(_kib(each["total"]) for each in engines.values())),
        ("tables", *(f"{each['tables']:,}" for each in engines.values())),
    ]


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f}"


def _heading(setting: str) -> str:
    if setting == NO_POLICY:
        return "no policy"
    if setting.startswith(APPARMOR):
        return f"AppArmor, {rules_text(setting.removeprefix(APPARMOR))}"
    return rules_text(setting)


def _aligned(rows: Sequence[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)),
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _piped(rows: Sequence[Row]) -> str:
    head, *body = rows
    marks = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, marks, *body))
