# SPDX-License-Identifier: Apache-2.0
"""`make bench-check`: has enforcement become dearer than it was when `bench/baseline.toml` was recorded?

    check.py [--kernel 6.12]... [--record]

Compared is what 100 rules add to an operation, in the same machine, so that another build of the kernel
changes nothing. It may grow by 5 % of itself, or by what does not repeat of the whole operation if that is
more: both are at most 5 % of the operation with enforcement. Status 1 if anything grew more, or could not
be measured. --record takes today's figures as the baseline.
"""

import argparse
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from bench.machine import KERNELS, measured, say
from bench.micro import CONNECT, MMAP_EXEC, MMAP_READ, SOCKET, STATIC
from bench.targets import FEW, NONE, REPEATS_WITHIN, Result, added, series

BASELINE: Final = Path(__file__).with_name("baseline.toml")
GROWTH: Final = 0.05
VARIES: Final = {SOCKET: 0.05, CONNECT: 0.05, MMAP_READ: 0.05, MMAP_EXEC: 0.05, STATIC: 0.01}
"""By which share of itself an operation that mostly allocates differs from boot to boot, by how the kernel's
memory lies."""


class Recorded(NamedTuple):
    """An operation as it was: what it takes without enforcement, and what 100 rules add."""

    alone: int
    added: int

    def tolerance(self, name: str) -> float:
        """By how much the added part of this operation may grow."""
        varies = VARIES.get(name, REPEATS_WITHIN)
        return max(GROWTH * abs(self.added), varies * (self.alone + self.added))


Baseline = Mapping[str, Mapping[str, Recorded]]
"""By kernel series and operation."""


def recorded(result: Result) -> dict[str, Recorded]:
    """A result as a baseline has it."""
    alone = result["settings"][NONE]["figures"]
    return {name: Recorded(int(alone[name]), added(result, FEW, name)) for name in alone}


def compare(before: Mapping[str, Recorded], now: Mapping[str, Recorded]) -> tuple[list[str], list[str]]:
    """A line for each operation, and what is wrong."""
    lines, faults = [], []
    for name in sorted({*before, *now}):
        if name not in now or name not in before:
            faults.append(f"{name}: {'not measured' if name in before else 'not in the baseline: --record'}")
            continue
        was, found = before[name], now[name]
        growth, tolerance = found.added - was.added, was.tolerance(name)
        mark = ""
        if growth > tolerance:
            mark = "  DEARER"
            faults.append(
                f"{name}: adds {found.added:,} instructions where it added {was.added:,}; "
                f"{growth:,} more, and {tolerance:,.0f} would have passed"
            )
        elif growth < -tolerance:
            mark = "  cheaper: --record it"
        lines.append(f"  {name:42}{was.added:>8,}{found.added:>8,}  within {tolerance:,.0f}{mark}")
    return lines, faults


def read(text: str) -> Baseline:
    return {
        kernel: {name: Recorded(*figures) for name, figures in operations.items()}
        for kernel, operations in tomllib.loads(text).items()
    }


def write(baseline: Baseline) -> str:
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        "# Written by `python -m bench.check --record`.",
        "# Instructions that each operation takes without enforcement, and that 100 rules add.",
    ]
    for kernel, operations in baseline.items():
        lines += ["", f'["{kernel}"]']
        lines += [f'"{name}" = [{alone}, {more}]' for name, (alone, more) in operations.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kernel", action="append", choices=KERNELS, help="only this one; both if not given")
    parser.add_argument("--record", action="store_true", help="take today's figures as the baseline")
    arguments = parser.parse_args()
    kernels = arguments.kernel or list(KERNELS)
    results = measured(kernels, ["quick"])
    baseline = dict(read(BASELINE.read_text())) if BASELINE.exists() else {}
    faults = [f"{kernel}: could not be measured" for kernel in kernels if kernel not in results]
    for kernel in kernels:
        if kernel not in results:
            continue
        now = recorded(results[kernel])
        if arguments.record:
            baseline[series(results[kernel])] = now
            continue
        lines, found = compare(baseline.get(kernel, {}), now)
        print(f"Linux {results[kernel]['kernel']}: instructions that 100 rules add, recorded and now")
        print("\n".join(lines))
        faults += [f"{kernel}: {fault}" for fault in found]
    if arguments.record and not faults:
        BASELINE.write_text(write(dict(sorted(baseline.items(), key=lambda each: KERNELS.index(each[0])))))
    for fault in faults:
        say(f"FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
