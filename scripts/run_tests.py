# SPDX-License-Identifier: Apache-2.0
"""All the tests: checks of the sources, then tests in the lab's machines and on this one, two runs at a time.

    run_tests.py [--quick | --containers]

--quick leaves out everything that boots a machine; --containers runs only what needs real container runtimes,
and only then are all of them there: else it is Podman with crun, on one kernel.

Nothing stops at the first failure, because one run should tell all. The last line has the totals of all runs,
in pytest's words; the status is 0 only if every check passed, every run ended by itself and no test failed. A
lost virtual machine is reported as such and not as a failed test. What runs after LIMIT_SECONDS is ended and
reported too, so that there is a report before whoever waits for one gives up.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LAB_REPORTS = ROOT / "build" / "lab"
LOST_VM = 125

PYTEST = (str(BIN / "python"), "-m", "pytest", "-p", "no:cacheprovider")
CONTAINER_TESTS = ("tests/kernel/runtimes",)
KERNEL_TESTS = ("tests/kernel", "tests/kernel_unit", "--ignore=tests/kernel/runtimes")

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
    memory: str = "2G"


# preempt=full breaks what relies on per-CPU data staying its own, on 6.1 most. So the tests that race for it
# (the attacks too) run there with it, as in a privileged container, and on 6.12 without it, in the machine's
# own root. HAUBERK_FULL=1 runs everything everywhere.
RACES = ("tests/kernel", "--ignore=tests/kernel/runtimes", "-m", "preempt")
SHORT = (
    Machine("6.12", "6.12", select=(*KERNEL_TESTS, "-k", "not privileged]")),
    Machine("6.1", "6.1", select=(*KERNEL_TESTS, "--ignore=tests/kernel/agent", "-m", "not preempt")),
    Machine("6.1-preempt", "6.1", "preempt=full", (*RACES, "-k", "not plain]")),
)
FULL = (
    Machine("6.12", "6.12"),
    Machine("6.1", "6.1"),
    Machine("6.1-preempt", "6.1", "preempt=full", RACES),
    Machine("6.12-preempt", "6.12", "preempt=full", RACES),
)
# Programs, images and containers of all runtimes lie in the guest's memory.
PODMAN = Machine(
    "6.12-podman",
    "6.12",
    "",
    ("tests/kernel/runtimes/test_agent.py", "-k", "podman-crun or degraded_or_lost"),
    "3G",
)
CONTAINERS = tuple(Machine(f"{each}-containers", each, "", CONTAINER_TESTS, "3G") for each in ("6.12", "6.1"))
AT_A_TIME = 2
"""Runs side by side: a machine of the lab has one processor."""
LIMIT_SECONDS = 24 * 60 * 60 if os.environ.get("HAUBERK_FULL") == "1" else 72 * 60
"""For everything. CI has 90 minutes, for the set-up and `make bench-check` too."""
LAST_WORDS_SECONDS = 30
START = time.monotonic()


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


@contextmanager
def limited(process: subprocess.Popen[bytes], name: str, outcome: Outcome) -> Iterator[None]:
    """Ends a process if time runs out: as Ctrl-C does, so that it can still tell, and then for good."""

    def end() -> None:
        outcome.faults.append(f"{name}: had not ended {LIMIT_SECONDS // 60} minutes after the start of all")
        process.send_signal(signal.SIGINT)
        try:
            process.wait(LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    timer = Timer(max(0, START + LIMIT_SECONDS - time.monotonic()), end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run_here(outcome: Outcome, extra: Iterable[str]) -> None:
    with tempfile.TemporaryDirectory() as reports:
        report = Path(reports, "here.xml")
        command = [*PYTEST, "-q", "--ignore=tests/kernel", f"--junit-xml={report}", *extra]
        with (
            subprocess.Popen(command, cwd=ROOT) as process,
            limited(process, "tests on this machine", outcome),
        ):
            status = process.wait()
        outcome.add_report("tests on this machine", report, status)


def run_all_here(outcome: Outcome) -> None:
    """Everything on this machine. Where KubeArmor's client cannot be built, its tests are skipped."""
    subprocess.run([str(BIN / "python"), "scripts/build_karmor.py"], cwd=ROOT, check=False)
    run_here(outcome, [])


def run_all(outcome: Outcome) -> None:
    """Everything, but of the container runtimes only one."""
    first, *rest = FULL if os.environ.get("HAUBERK_FULL") == "1" else SHORT
    if fetch_runtimes(outcome):
        rest.append(PODMAN)
    # The longest first.
    run_side_by_side(outcome, [first, None, *rest])


def run_containers(outcome: Outcome) -> None:
    """What needs container runtimes."""
    if fetch_runtimes(outcome):
        run_side_by_side(outcome, CONTAINERS)


def fetch_runtimes(outcome: Outcome) -> bool:
    """Whether the packages of the container runtimes are there; they are fetched if need be."""
    fetch = [str(BIN / "python"), "-m", "tests.runtimes.packages"]
    if subprocess.run(fetch, cwd=ROOT, check=False).returncode:
        outcome.faults.append("the packages of the runtimes could not be fetched")
        return False
    return True


def run_side_by_side(outcome: Outcome, machines: Sequence[Machine | None]) -> None:
    """AT_A_TIME runs at once; lines of the lab come with their machine's name. None is this machine."""
    shutil.rmtree(LAB_REPORTS, ignore_errors=True)
    LAB_REPORTS.mkdir(parents=True)
    heading(f"tests on {', '.join(machine.name if machine else 'this machine' for machine in machines)}")
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        runs = [
            pool.submit(boot, outcome, machine) if machine else pool.submit(run_all_here, outcome)
            for machine in machines
        ]
        for run in runs:
            run.result()


def boot(outcome: Outcome, machine: Machine) -> None:
    report = LAB_REPORTS / f"{machine.name}.xml"
    command = [str(BIN / "hauberk"), "lab", "run", "--kernel", machine.kernel, "--memory", machine.memory]
    command += ["--append", machine.append] if machine.append else []
    command += ["--writable", str(LAB_REPORTS), "--", *PYTEST, "-v", f"--junit-xml={report}", *machine.select]
    with (
        (LAB_REPORTS / f"{machine.name}.log").open("w") as log,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
        limited(process, f"tests on {machine.name}", outcome),
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
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="leave out everything that boots a machine")
    which.add_argument("--containers", action="store_true", help="only what needs container runtimes")
    chosen = parser.parse_args()
    os.chdir(ROOT)
    outcome = Outcome()
    if chosen.containers:
        run_containers(outcome)
    else:
        run_checks(outcome)
        if chosen.quick:
            heading("tests on this machine")
            run_here(outcome, ["-m", "not lab"])
        else:
            run_all(outcome)
    print()
    for fault in outcome.faults:
        print(f"FAULT {fault}")
    print(outcome.line(time.monotonic() - START), flush=True)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
