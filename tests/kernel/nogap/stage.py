# SPDX-License-Identifier: Apache-2.0
"""Tasks that try forbidden opens without end, two policies that take turns, and keepers that are killed.

The tasks note of each try which generation was in force before and after it, so that its outcome can be held
against the policies that could have decided it.
"""

import mmap
import os
import subprocess
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.abi import HEADS, TableFlag
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.normalise import rule_set
from hauberk.workloads.mounts import Mount, mounts_of
from tests.kernel.arena import AUDIT
from tests.kernel.helpers.act import policy

TASKS = 3
OPENED, EACCES = 0, 13
TARGETS = ("forbidden", "allowed", "only-a", "only-b")
FILES_ONLY = needless(TableFlag.FILE | TableFlag.PROCESS)
"""Programs that files alone do not need: fewer load quicker."""
MOST_GENERATIONS = 1 << 16


def policies(place: Path) -> dict[str, str]:
    """Two policies. Both refuse `forbidden`, both permit `allowed`, and of the others each refuses one."""
    return {
        name: policy(
            name=f"policy-{name}",
            file={"matchPaths": [{"path": f"{place}/{target}"} for target in ("forbidden", f"only-{name}")]},
        )
        for name in "ab"
    }


class Tables:
    """The tables of the two policies, each compiled once for each place in the arena."""

    def __init__(self, place: Path) -> None:
        self._mounts: list[Mount] = mounts_of(os.getpid())
        self.meanings = {
            name: Meaning(rule_set(load_text(text, "<test>").policies, AUDIT))
            for name, text in policies(place).items()
        }
        self._known: dict[tuple[str, int], Table] = {}

    def compiler(self, name: str) -> Callable[[int], Table]:
        def compiled(base: int) -> Table:
            if (name, base) not in self._known:
                self._known[name, base] = TableCompiler(self.meanings[name], base).compile(self._mounts)
            return self._known[name, base]

        return compiled


class Attack:
    """The trying tasks, as workload 0 of an engine, and what they have noted."""

    def __init__(self, directory: Path, *, tries: int) -> None:
        self.place = directory / "place"
        self.place.mkdir()
        for name in TARGETS:
            (self.place / name).write_text(name)
        self.tables = Tables(self.place)
        self._program = directory / "attacker"
        source = Path(__file__).with_name("attacker.c")
        flags = ["-O1", "-Wall", "-Werror", "-static"]
        subprocess.run(["cc", *flags, "-o", str(self._program), str(source)], check=True)
        # Half as many again: the others are tried too, and the keepers may take longer than the tries.
        self._records = _shared(TASKS * (2 * tries // TASKS + 4096) * 8)
        self._counts = _shared(4096)
        self.plan = mmap.mmap(-1, MOST_GENERATIONS)
        """For each generation which policy it is, written by whoever puts it in force."""
        self.progress = mmap.mmap(-1, 4096)
        """Of the keepers: adoptions and changes so far, as 64-bit numbers."""

    def load(self, name: str) -> Engine:
        engine = Engine.load(name, table_bytes=1 << 18, disabled=FILES_ONLY)
        self.change(engine, "a")
        return engine

    def change(self, engine: Engine, name: str) -> None:
        """Put one of the policies in force."""
        table = engine.compile(0, self.tables.compiler(name))
        self.plan[engine._state.generation + 1] = ord(name)
        engine.install(0, table, self.tables.meanings[name].rules)

    def alternate(self, engine: Engine) -> None:
        """Put the policy in force that is not."""
        now = engine._heads.load_u64(0) >> 32
        self.change(engine, "b" if self.plan[now] == ord("a") else "a")

    @contextmanager
    def under_way(self, engine: Engine) -> Iterator[None]:
        """While entered, the tasks try."""
        heads = engine.map(HEADS).fd
        descriptors = heads, self._records[1], self._counts[1]
        names = [str(self.place / name) for name in TARGETS]
        argv = [str(self._program), *map(str, descriptors), str(TASKS), *names]
        with ExitStack() as ending:
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=descriptors)
            ending.enter_context(process)
            ending.callback(process.kill)
            assert process.stdin is not None
            pidfd = os.pidfd_open(process.pid)
            ending.callback(os.close, pidfd)
            # It has to be past its exec, which would be decided otherwise.
            comm = Path(f"/proc/{process.pid}/comm")
            until(lambda: comm.read_text() == "attacker\n", "the attacker")
            engine.confine(0, pidfd)
            process.stdin.write(b"+")
            process.stdin.close()
            try:
                yield
            finally:
                self._counts[0][:8] = (1).to_bytes(8, "little")
                assert process.wait(timeout=120) == 0

    @property
    def tries(self) -> int:
        """How many records there are."""
        words = memoryview(self._counts[0]).cast("Q")
        return sum(words[1 : 1 + TASKS])

    def outcomes(self) -> Mapping[tuple[str, str, int], int]:
        """How often each target had each outcome, under which policies (`a`, `b` or `ab`, where both could
        have decided)."""
        words = memoryview(self._counts[0]).cast("Q")
        records = memoryview(self._records[0]).cast("Q")
        room = len(records) // TASKS
        found: Counter[int] = Counter()
        for task in range(TASKS):
            found.update(records[task * room : task * room + words[1 + task]])
        told: Counter[tuple[str, str, int]] = Counter()
        for word, count in found.items():
            before, later = word & 0xFFFFFFFF, word >> 32 & 0xFFFF
            under = "".join(sorted({chr(self.plan[g]) for g in range(before, before + later + 1)}))
            told[TARGETS[word >> 48 & 0xFF], under.strip("\0"), word >> 56] += count
        return told


def judge(outcomes: Mapping[tuple[str, str, int], int]) -> list[str]:
    """What is not as one of the policies that could have decided says."""
    wrong = []
    for (target, under, outcome), count in outcomes.items():
        refusing = {"forbidden": "ab", "allowed": ""}.get(target, target[-1])
        expected = {EACCES if name in refusing else OPENED for name in under}
        if outcome not in expected:
            wrong.append(f"{target} under {under}: {count} x {os.strerror(outcome) if outcome else 'opened'}")
    return wrong


def keeper(work: Callable[[], None], trouble: Path) -> int:
    """A process that does some work until it is killed; its id. What it raises is written to `trouble`."""
    pid = os.fork()
    if pid == 0:
        _keep(work, trouble)
    return pid


def _keep(work: Callable[[], None], trouble: Path) -> NoReturn:
    try:
        # Of one processor, the trying tasks would leave it little.
        os.nice(-10)
        work()
    except BaseException:
        trouble.write_text(traceback.format_exc())
    finally:
        os._exit(1)


def until(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} has not come about"
        time.sleep(0.002)


def _shared(size: int) -> tuple[mmap.mmap, int]:
    fd = os.memfd_create("shared")
    os.truncate(fd, size)
    return mmap.mmap(fd, size), fd
