# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measure in the lab, and show every figure beside its target.

    run.py [--kernel 6.12]... [--write-docs] [--from-stored]

Writes build/bench-KERNEL.json and build/bench-events.json. A target that is not met is shown and is no
failure; the status is 0 unless something could not be measured. --write-docs puts the figures into
docs/performance.md, --from-stored takes those of the last run.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import report
from bench.apparmor import parser as apparmor_parser
from bench.machine import BIN, KERNELS, ROOT, measured, say

BUILD = ROOT / "build"
DOCUMENT = ROOT / "docs" / "performance.md"
EVENTS = ROOT / "bench" / "events.py"


def stored(what: str) -> Path:
    return BUILD / f"bench-{what}.json"


def measure_events() -> None:
    """The event path, on this machine and by its clock, after the lab's machines have ended."""
    stored("events").unlink(missing_ok=True)
    if not EVENTS.exists():
        say("events: there is no bench/events.py")
        return
    say("[events]")
    done = subprocess.run(
        [BIN / "python", "-m", "bench.events"], cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    if done.returncode == 0:
        stored("events").write_bytes(done.stdout)


def read(what: str) -> dict[str, Any] | None:
    if not stored(what).exists():
        return None
    found: dict[str, Any] = json.loads(stored(what).read_text())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kernel", action="append", choices=KERNELS, help="only this one; both if not given")
    parser.add_argument(
        "--write-docs", action="store_true", help="write the figures into docs/performance.md"
    )
    parser.add_argument("--from-stored", action="store_true", help="measure nothing, take the last figures")
    arguments = parser.parse_args()
    kernels = arguments.kernel or list(KERNELS)
    BUILD.mkdir(exist_ok=True)
    if not arguments.from_stored:
        for kernel in kernels:
            stored(kernel).unlink(missing_ok=True)
        for kernel, result in measured(kernels, ["all", str(apparmor_parser(say))]).items():
            stored(kernel).write_text(json.dumps(result, indent=1))
        measure_events()
    results = [found for kernel in kernels if (found := read(kernel)) is not None]
    events = read("events")
    if results:
        print(report.text(results, events))
        if arguments.write_docs:
            DOCUMENT.write_text(report.with_figures(DOCUMENT.read_text(), report.markdown(results, events)))
    missing = [what for what in (*kernels, "events") if not stored(what).exists()]
    if missing:
        say(f"could not be measured: {', '.join(missing)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
