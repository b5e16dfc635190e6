# SPDX-License-Identifier: Apache-2.0
"""What was measured, beside what it must reach.

A result is what `guest.py` prints, for one kernel:

    kernel                   its release
    settings.NAME            `none`, the number of Block rules, or `apparmor-` and that number, with
      .figures               instructions by operation (`micro.OPERATIONS`)
      .programs              the same of real programs; only for `none` and where it is compared
      .phases, ...           of an engine: what it took to put the rules in force
    memory, run              see `cost.py`
    change                   see `change.py`

Events are what `events.py` prints.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from bench.micro import CONNECT, OPEN_EARLY, OPEN_FULL, SOCKET, STATIC

Result: TypeAlias = Mapping[str, Any]

NONE: Final = "none"
NO_POLICY: Final = "0"
FEW: Final = "100"
MOST: Final = "10000"
APPARMOR: Final = "apparmor-"
REPEATS_WITHIN: Final = 0.005
"""What differs by less than this share of an operation is no difference: figures repeat to within it."""

_KERNEL: Final = "6.12"
"""The kernel that the targets of operations are for."""
_ADDED: Final = {
    OPEN_FULL: 1400,
    OPEN_EARLY: 700,
    SOCKET: 400,
    CONNECT: 900,
    "create+close+unlink": 3000,
    STATIC: 6000,
}
_UNTOUCHED: Final = ("pwrite 1 byte", "pread 1 byte", "stat")
_SAME: Final = 0.03
_ONE_RULE_OPEN: Final = 1700
_NO_POLICY_OPEN: Final = {"6.1": 400, "6.12": 350}
_SECONDS: Final = 5
_CHANGE_SECONDS: Final = 0.050
_MIB: Final = 1 << 20
_RULES_MIB: Final = 64
_AGENT_MIB: Final = 60
_SHARED_MIB: Final = 1
_RECORDS: Final = 100_000


class Check(NamedTuple):
    """One figure that has a target. `met` is None if it could not be measured, or if the target is another
    kernel's."""

    what: str
    figure: str
    target: str
    met: bool | None

    @property
    def mark(self) -> str:
        return {True: "met", False: "NOT MET", None: "-"}[self.met]


def series(result: Result) -> str:
    """The kernel's series, such as 6.12."""
    return ".".join(str(result["kernel"]).split(".")[:2])


def added(result: Result, setting: str, operation: str) -> int:
    """The instructions that a setting adds to an operation."""
    settings = result["settings"]
    return int(settings[setting]["figures"][operation] - settings[NONE]["figures"][operation])


def noise(result: Result, operation: str) -> float:
    """Differences below this mean nothing."""
    return float(REPEATS_WITHIN * result["settings"][NONE]["figures"][operation])


def checks(result: Result) -> list[Check]:
    """All figures of a result that have a target."""
    return [
        *_operations(result),
        *_same(result),
        _at_most("open+close, 1 rule", added(result, "1", OPEN_FULL), _ONE_RULE_OPEN),
        _at_most(
            "open+close, a workload without policies",
            added(result, NO_POLICY, OPEN_FULL),
            _NO_POLICY_OPEN[series(result)],
        ),
        *_in_force(result),
    ]


def event_checks(events: Mapping[str, Any] | None) -> list[Check]:
    """The path from records to alerts, which needs no kernel."""
    target = f"at least {_RECORDS:,} a second"
    what = "records that become written alerts, on one core"
    growth = "memory that this adds while it goes on"
    if events is None:
        return [Check(what, "not measured", target, None), Check(growth, "not measured", "none", None)]
    rate, more = float(events["alerts_per_second"]), int(events["grown_kib"]) << 10
    return [
        Check(what, f"{rate:,.0f} a second", target, rate >= _RECORDS),
        Check(growth, f"{more / _MIB:.1f} MiB", f"at most {_SHARED_MIB} MiB", more <= _SHARED_MIB * _MIB),
    ]


def _operations(result: Result) -> Iterator[Check]:
    for operation, most in _ADDED.items():
        check = _at_most(f"{operation}, 100 rules", added(result, FEW, operation), most)
        if series(result) != _KERNEL:
            check = check._replace(target=f"{check.target} on {_KERNEL}", met=None)
        yield check
    for operation in _UNTOUCHED:
        worst = max((added(result, rules, operation) for rules in rule_settings(result)), key=abs)
        met = abs(worst) <= noise(result, operation)
        yield Check(f"{operation}, any number of rules", signed(worst), "0", met)


def _same(result: Result) -> Iterator[Check]:
    """The same with 10,000 rules as with 100, beyond what repeats."""
    for operation in _ADDED:
        few, most = added(result, FEW, operation), added(result, MOST, operation)
        allowed = max(_SAME * abs(few), noise(result, operation))
        yield Check(
            f"{operation}, 10,000 rules against 100",
            f"{signed(most - few)} of {few:,}",
            f"within {_SAME:.0%} or {noise(result, operation):,.0f}",
            abs(most - few) <= allowed,
        )


def _in_force(result: Result) -> Iterator[Check]:
    setting = result["settings"][MOST]
    seconds = setting["in_force_seconds"]
    yield Check(
        "10,000 rules compiled and in force", f"{seconds:.1f} s", f"at most {_SECONDS} s", seconds <= _SECONDS
    )
    size = setting["compile_added_bytes"] + setting["table_bytes"]
    yield _memory("10,000 rules, memory for compiling and table", size, _RULES_MIB)
    change = result["change"]["slowest_force"]
    yield Check(
        "100 rules compiled until they are in force, in place of others, the slowest of several",
        f"{change * 1000:.1f} ms",
        f"at most {_CHANGE_SECONDS * 1000:.0f} ms",
        change <= _CHANGE_SECONDS,
    )
    memory = result["memory"]
    yield _memory(
        "1,000 workloads of one rule set, kernel memory more than one takes",
        memory["1000"]["total"] - memory["1"]["total"],
        _SHARED_MIB,
    )
    for rules, run in result["run"].items():
        yield _memory(f"the agent of `run`, {rules_text(rules)}, resident", run["resident_bytes"], _AGENT_MIB)


def rule_settings(result: Result) -> list[str]:
    """The settings of an engine that has rules."""
    return [name for name in result["settings"] if name not in (NONE, NO_POLICY) and name.isdigit()]


def rules_text(number: str) -> str:
    return "1 rule" if number == "1" else f"{int(number):,} rules"


def mib(size: float) -> str:
    return f"{size / _MIB:.1f}"


def signed(number: int) -> str:
    return f"{number:+,}" if number else "0"


def _at_most(what: str, figure: int, most: int) -> Check:
    return Check(what, signed(figure), f"at most {most:,}", figure <= most)


def _memory(what: str, size: int, most: int) -> Check:
    return Check(what, f"{mib(size)} MiB", f"at most {most} MiB", size <= most * _MIB)
