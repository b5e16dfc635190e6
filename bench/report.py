# SPDX-License-Identifier: Apache-2.0
"""What was measured, beside what it must reach: for the terminal and for docs/performance.md.

A result is what `micro.py` prints, for one kernel. Figures of operations are instructions that a setting adds
to the same operation without an engine, in the same boot.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

Result: TypeAlias = Mapping[str, Any]

FULL: Final = "open+close, whole path in the automaton"
STATIC: Final = "vfork+exec+exit+wait, static"
BEGIN: Final = "<!-- figures, written by bench/run.py -->"
END: Final = "<!-- end of figures -->"

_NONE: Final = "none"
_NO_POLICY: Final = "0"
_MOST: Final = "10000"
_OPEN: Final = 1700
_SAME: Final = 0.03
_EXEC: Final = 8000
_NO_POLICY_OPEN: Final = {"6.1": 400, "6.12": 350}
_SECONDS: Final = 5
_MIB: Final = 1 << 20
_RULES_MIB: Final = 64
_AGENT_MIB: Final = 60
_REPEATS_WITHIN: Final = 0.005
"""Two rounds that agree to within this share of an operation are taken for the same (`micro.c`)."""


class Check(NamedTuple):
    """One figure that has a target."""

    what: str
    figure: str
    target: str
    met: bool


def series(result: Result) -> str:
    """The kernel's series, such as 6.12."""
    return ".".join(str(result["kernel"]).split(".")[:2])


def added(result: Result, setting: str, operation: str) -> int:
    """The instructions that a setting adds to an operation."""
    settings = result["settings"]
    return int(settings[setting]["figures"][operation] - settings[_NONE]["figures"][operation])


def checks(result: Result) -> list[Check]:
    """All figures of a result that have a target."""
    found = []
    for rules in _numbers(result):
        figure = added(result, rules, FULL)
        found.append(
            Check(f"open+close, {_rules(rules)}", _signed(figure), f"at most {_OPEN:,}", figure <= _OPEN)
        )
    one, most = added(result, "1", FULL), added(result, _MOST, FULL)
    apart = abs(most - one) / max(abs(one), 1)
    found.append(
        Check(
            "open+close, 10,000 rules against 1", f"{apart:.1%} apart", f"within {_SAME:.0%}", apart <= _SAME
        )
    )
    for operation in ("pwrite 1 byte", "pread 1 byte"):
        worst = max((added(result, rules, operation) for rules in _numbers(result)), key=abs)
        noise = _REPEATS_WITHIN * result["settings"][_NONE]["figures"][operation]
        found.append(Check(f"{operation}, any number of rules", _signed(worst), "0", abs(worst) <= noise))
    worst = max(added(result, rules, STATIC) for rules in _numbers(result))
    found.append(
        Check(
            "exec of a static program, any number of rules",
            _signed(worst),
            f"at most {_EXEC:,}",
            worst <= _EXEC,
        )
    )
    figure, most_added = added(result, _NO_POLICY, FULL), _NO_POLICY_OPEN[series(result)]
    found.append(
        Check(
            "open+close, a workload without policies",
            _signed(figure),
            f"at most {most_added}",
            figure <= most_added,
        )
    )
    setting = result["settings"][_MOST]
    seconds = setting["in_force_seconds"]
    found.append(
        Check(
            "10,000 rules compiled and in force",
            f"{seconds:.1f} s",
            f"at most {_SECONDS} s",
            seconds <= _SECONDS,
        )
    )
    size = setting["compile_added_bytes"] + setting["table_bytes"]
    found.append(_memory("10,000 rules, memory for compiling and table", size, _RULES_MIB))
    for rules, run in result["run"].items():
        found.append(
            _memory(f"the agent of `run`, {_rules(rules)}, resident", run["resident_bytes"], _AGENT_MIB)
        )
    return found


def text(results: Sequence[Result]) -> str:
    """The checks and all figures, for the terminal."""
    parts = []
    for result in results:
        rows = [(check.what, check.figure, check.target, _mark(check)) for check in checks(result)]
        parts.append(f"Linux {result['kernel']}\n" + _aligned([("", "measured", "target", ""), *rows]))
        for title, table in _tables(result):
            parts.append(f"{title}\n" + _aligned(table))
    unmet = sum(not check.met for result in results for check in checks(result))
    parts.append(f"{unmet} targets not met" if unmet else "all targets met")
    return "\n\n".join(parts) + "\n"


def markdown(results: Sequence[Result]) -> str:
    """The same, as the generated part of docs/performance.md."""
    parts = []
    for result in results:
        rows = [(check.what, check.figure, check.target, _mark(check)) for check in checks(result)]
        parts.append(f"## Linux {result['kernel']}\n\n" + _piped([("", "measured", "target", ""), *rows]))
        for title, table in _tables(result):
            parts.append(f"{title}:\n\n" + _piped(table))
    return "\n\n".join(parts) + "\n"


def with_figures(document: str, figures: str) -> str:
    """`document` with its generated part replaced. Raises ValueError if it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks the line {END if begin else BEGIN}")
    return f"{before}{BEGIN}\n\n{figures}\n{END}{after}"


def _tables(result: Result) -> list[tuple[str, list[tuple[str, ...]]]]:
    settings = [name for name in result["settings"] if name != _NONE]
    heads = ["no policy" if name == _NO_POLICY else _rules(name) for name in settings]
    operations = [
        (name, f"{base:,}", *(_signed(added(result, setting, name)) for setting in settings))
        for name, base in result["settings"][_NONE]["figures"].items()
    ]
    measured = [result["settings"][name] for name in settings]
    phases = [
        (phase, *(f"{each['phases'][phase]:.2f}" for each in measured)) for phase in measured[0]["phases"]
    ]
    setup = [
        ("", *heads),
        *((f"{phase}, s", *values) for phase, *values in phases),
        ("in force after, s", *(f"{each['in_force_seconds']:.2f}" for each in measured)),
        ("table, bytes", *(f"{each['table_bytes']:,}" for each in measured)),
        ("memory added while compiling, MiB", *(_mib(each["compile_added_bytes"]) for each in measured)),
        ("instructions verified", *(f"{each['verified_instructions']:,}" for each in measured)),
    ]
    run = [
        ("", *(_rules(rules) for rules in result["run"])),
        (
            "resident while the command runs, MiB",
            *(_mib(each["resident_bytes"]) for each in result["run"].values()),
        ),
        (
            "largest process, at its peak, MiB",
            *(_mib(each["largest_process_bytes"]) for each in result["run"].values()),
        ),
        (
            "from the start of Python to the command's first instruction, s",
            *(f"{each['begun_seconds']:.1f}" for each in result["run"].values()),
        ),
    ]
    return [
        (
            "Instructions that each operation takes, and that are added",
            [("", "no engine", *heads), *operations],
        ),
        ("Putting rules in force, in seconds of 10^9 instructions", setup),
        ("The whole of a run", run),
    ]


def _numbers(result: Result) -> list[str]:
    return [name for name in result["settings"] if name not in (_NONE, _NO_POLICY)]


def _rules(number: str) -> str:
    return "1 rule" if number == "1" else f"{int(number):,} rules"


def _memory(what: str, size: int, most: int) -> Check:
    return Check(what, f"{_mib(size)} MiB", f"at most {most} MiB", size <= most * _MIB)


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "0"


def _mark(check: Check) -> str:
    return "met" if check.met else "NOT MET"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)),
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _piped(rows: Sequence[tuple[str, ...]]) -> str:
    head, *body = rows
    marks = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, marks, *body))
