# SPDX-License-Identifier: Apache-2.0
"""All the tests, in order of cost: checks of the sources, tests on this machine, tests in the lab.

    run_tests.py [--quick]        --quick leaves out everything that boots a machine

Nothing stops at the first failure, because one run should tell all. The last line has the totals of all runs,
in pytest's words; the status is 0 only if every check passed, every run ended by itself and no test failed. A
lost virtual machine is reported as such and not as a failed test.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LAB_REPORTS = ROOT / "build" / "lab"
LOST_VM = 125

PYTEST = (str(BIN / "python"), "-m", "pytest", "-p", "no:cacheprovider")
KERNEL_TESTS = ("tests/kernel", "tests/kernel_unit")

CHECKS: tuple[tuple[str, Sequence[str]], ...] = (
    ("ruff", ("ruff", "check", "--quiet", ".")),
    ("ruff format", ("ruff", "format", "--quiet", "--check", "--diff", ".")),
    ("mypy --strict", ("mypy",)),
    ("import-linter", ("lint-imports",)),
    ("clang-format", ("clang-format", "--dry-run", "--Werror")),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """One boot of the lab and what is run there."""

    name: str
    kernel: str
    append: str = ""
    select: tuple[str, ...] = KERNEL_TESTS


# preempt=full breaks what relies on per-CPU data staying its own; the tests that race for it are marked.
BOOTS: tuple[tuple[Machine, ...], ...] = (
    (Machine("6.1", "6.1"), Machine("6.12", "6.12")),
    (
        Machine("6.1-preempt", "6.1", "preempt=full", ("tests/kernel", "-m", "preempt")),
        Machine("6.12-preempt", "6.12", "preempt=full", ("tests/kernel", "-m", "preempt")),
    ),
)


@dataclass(slots=True)
class Outcome:
    """What is told at the end."""

    totals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add_report(self, name: str, report: Path, status: int) -> None:
        """Adds a run of pytest; without its report the run did not end by itself."""
        if not report.exists():
            self.faults.append(f"{name}: no report was written (status {status})")
            return
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            counts = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
            self.totals["failed"] += counts["failures"]
            self.totals["errors"] += counts["errors"]
            self.totals["skipped"] += counts["skipped"]
            self.totals["passed"] += (
                counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
            )
        if status == 1:
            self.faults.append(f"{name}: tests failed")
        elif status != 0:
            self.faults.append(f"{name}: pytest ended with status {status}")

    def line(self, seconds: float) -> str:
        shown = [
            f"{self.totals[key]} {key}"
            for key in ("failed", "passed", "skipped", "errors")
            if self.totals[key]
        ]
        return f"{', '.join(shown) or 'no tests ran'} in {seconds:.0f}s"


def heading(text: str) -> None:
    print(f"==> {text}", flush=True)


def run_checks(outcome: Outcome) -> None:
    for name, (tool, *arguments) in CHECKS:
        heading(name)
        if tool == "clang-format":
            arguments += c_files()
        done = subprocess.run(
            [str(BIN / tool), *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stdout + done.stderr, flush=True)
            outcome.faults.append(f"{name} found faults")


def c_files() -> list[str]:
    folders = (ROOT / "hauberk", ROOT / "tests")
    return sorted(str(path) for folder in folders for path in folder.rglob("*.[ch]"))


def run_here(outcome: Outcome, extra: Iterable[str]) -> None:
    heading("tests on this machine")
    with tempfile.TemporaryDirectory() as reports:
        report = Path(reports, "here.xml")
        command = [*PYTEST, "-q", "--ignore=tests/kernel", f"--junit-xml={report}", *extra]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        outcome.add_report("tests on this machine", report, status)


def run_in_lab(outcome: Outcome, machines: Sequence[Machine]) -> None:
    """Boots the machines side by side; their lines come as they are written, each with its machine's name."""
    heading(f"tests in the lab: {', '.join(machine.name for machine in machines)}")
    threads = [threading.Thread(target=boot, args=(outcome, machine)) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def boot(outcome: Outcome, machine: Machine) -> None:
    report = LAB_REPORTS / f"{machine.name}.xml"
    command = [str(BIN / "hauberk"), "lab", "run", "--kernel", machine.kernel]
    command += ["--append", machine.append] if machine.append else []
    command += ["--writable", str(LAB_REPORTS), "--", *PYTEST, "-v", f"--junit-xml={report}", *machine.select]
    with (
        (LAB_REPORTS / f"{machine.name}.log").open("w") as log,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        assert process.stdout
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            log.write(line + "\n")
            print(f"[{machine.name}] {line}", flush=True)
        status = process.wait()
    if status == LOST_VM:
        outcome.faults.append(
            f"{machine.name}: the virtual machine was lost; this says nothing about the tests"
        )
    else:
        outcome.add_report(f"tests on {machine.name}", report, status)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="leave out everything that boots a machine")
    quick = parser.parse_args().quick
    start = time.monotonic()
    os.chdir(ROOT)
    outcome = Outcome()
    run_checks(outcome)
    run_here(outcome, ["-m", "not lab"] if quick else [])
    if not quick:
        shutil.rmtree(LAB_REPORTS, ignore_errors=True)
        LAB_REPORTS.mkdir(parents=True)
        for machines in BOOTS:
            run_in_lab(outcome, machines)
    print()
    for fault in outcome.faults:
        print(f"FAULT {fault}")
    print(outcome.line(time.monotonic() - start), flush=True)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
