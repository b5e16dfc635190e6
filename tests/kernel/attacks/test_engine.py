# SPDX-License-Identifier: Apache-2.0
"""The attacks on Hauberk itself: they work against any process of root, and not from under `hauberk run`.

Free, an attack is made by a task without a label, against a process that stands in for Hauberk's and the pins
of an engine that nobody uses. Bound, it is made by the command of a real run, against that run.
"""

import os
import secrets
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT, sweep
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.events.alert import Alert, parse_event
from hauberk.workloads.command import Command
from tests.attacks.building import build
from tests.attacks.catalogue import Attack, attacks
from tests.kernel.attacks.judging import cases, judge
from tests.kernel.attacks.stage import PATH, Attempt, own_root, root_file_system
from tests.kernel.run.hauberk import HAUBERK, block, until

pytestmark = pytest.mark.preempt

CATALOGUE = [attack for attack in attacks() if attack.on_engine]


class Runner:
    """`act serve`, with pipes to it."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders, self._answers, self._waiting = orders, answers, b""

    def do(self, script: str) -> list[str]:
        os.write(self._orders, script.encode() + b"\n")
        end = time.monotonic() + 120
        while b"\n.\n" not in b"\n" + self._waiting:
            assert time.monotonic() < end, f"no answer; so far {self._waiting!r}"
            if select.select([self._answers], [], [], 1)[0]:
                part = os.read(self._answers, 1 << 16)
                assert part, "the workload has ended"
                self._waiting += part
        lines, _, self._waiting = self._waiting.partition(b".\n")
        return [line.partition(" ")[2] for line in lines.decode().splitlines()]


@dataclass
class Range:
    """Where the attacks of one place are made: by whom, and against what."""

    runner: Runner
    agent: int
    pins: Path
    root: str
    alerts: Path | None
    read: int = 0

    def attempt(self, attack: Attack, program: str) -> Attempt:
        directory = f"/srv/attacks/{secrets.token_hex(4)}"
        Path(f"{self.root}{directory}").mkdir(parents=True)
        output = f"{directory}/output"
        words = {"O": directory, "AGENT": self.agent, "PINS": self.pins, "PATH": PATH}
        script = [f"setenv {name} {value}" for name, value in words.items()]
        shell = "/bin/sh " if attack.file.suffix == ".sh" else ""
        if attack.unshared and self.alerts is None:
            script.append("unshare mount")
        status = self.runner.do(" ; ".join([*script, f"run {output} {shell}{program}"]))[-1]
        said = Path(f"{self.root}{output}").read_text(errors="replace")
        won = "won\n" in said if attack.wins == "said" else ended(self.agent)
        return Attempt(won, status, said, tuple(self._new_alerts()))

    def _new_alerts(self) -> Iterator[Alert]:
        if self.alerts is None:
            return
        time.sleep(0.5)  # until Hauberk has written what it read
        lines = self.alerts.read_bytes().splitlines()
        for line in lines[self.read :]:
            event = parse_event(line)
            if isinstance(event, Alert):
                yield event
        self.read = len(lines)


def runs(process: int) -> bool:
    """Is there such a process, and is it neither dead nor stopped?"""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZXTt"
    return False


def ended(process: int) -> bool:
    """Has it stopped running? What is dying gets a moment for it."""
    for _ in range(10):
        if not runs(process):
            return True
        time.sleep(0.1)
    return False


class Field:
    """The ranges, made as they are needed, and anew when an attack has broken one."""

    def __init__(self, act: Path, tmp: Path, ending: ExitStack) -> None:
        self._act, self._tmp, self._ending = act, tmp, ending
        self._built = build(CATALOGUE)
        self._ranges: dict[tuple[str, bool], Range] = {}
        needed = needless(TableFlag(0))  # few programs load quickly
        self._engine = Engine.load("victim", disabled=needed)
        ending.callback(self._engine.remove)

    def attempt(self, attack: Attack, place: str, *, free: bool) -> Attempt:
        found = self._ranges.get((place, free))
        if found is None or not runs(found.agent):
            found = self._ranges[place, free] = self._free(place) if free else self._bound(place)
        return found.attempt(attack, str(self._built.get(attack.name, attack.file)))

    def _free(self, place: str) -> Range:
        agent = self._ending.enter_context(subprocess.Popen(["sleep", "1000"]))
        self._ending.callback(agent.kill)
        orders, send = os.pipe()
        receive, answers = os.pipe()

        def prepare() -> None:
            os.dup2(orders, 0)
            os.dup2(answers, 1)
            os.close(send)
            if place == "privileged":
                own_root(self._act.parent)()

        command = Command([str(self._act), "serve"], prepare)
        command.start()
        self._ending.callback(command.abandon)
        root = f"/proc/{command.pid}/root"
        return Range(Runner(send, receive), agent.pid, PIN_ROOT / "victim", root, None)

    def _bound(self, place: str) -> Range:
        name = secrets.token_hex(4)
        policy, alerts = self._tmp / f"{name}.yaml", self._tmp / f"{name}.jsonl"
        policy.write_text(block("/srv/kept"))
        before = set(PIN_ROOT.glob("run-*"))
        run = [HAUBERK, "run", "-p", str(policy), "--alerts", str(alerts)]
        act = ["--", str(self._act), "serve"]
        if place == "privileged":
            root, script = root_file_system(self._act.parent)
            inner = f'{script}\nexec "$@"'
            run = ["unshare", "-m", "sh", "-ec", inner, "sh", *run, "--root", str(root)]
        process = self._ending.enter_context(
            subprocess.Popen([*run, *act], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        runner = Runner(process.stdin.fileno(), process.stdout.fileno())
        runner.do("stat /")
        (pins,) = set(PIN_ROOT.glob("run-*")) - before
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return Range(runner, process.pid, pins, f"/proc/{child}/root", alerts)


@pytest.fixture(scope="module")
def field(act: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with ExitStack() as ending:
        yield Field(act, tmp_path_factory.mktemp("runs"), ending)

    def swept() -> bool:
        sweep()
        return not list(PIN_ROOT.glob("run-*"))

    # Of the runs whose Hauberk an attack did end, the commands have ended by now.
    until(swept, "the end of killed runs")


# What would succeed on the whole machine is not let loose.
@pytest.mark.parametrize(("attack", "place"), list(cases(CATALOGUE, lambda attack: not attack.unshared)))
def test_an_attack_on_hauberk_works_on_other_processes_and_not_from_under_a_policy(
    field: Field, attack: Attack, place: str
) -> None:
    judge(field, attack, place)
