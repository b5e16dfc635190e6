# SPDX-License-Identifier: Apache-2.0
"""Labels by place: who gets which, when, and for how long.

Tasks are shells that change their place as runtimes and systemd do, by cgroup.procs and unshare(1). Each workload
is known by the one file that its rules refuse.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import Engine, abi
from hauberk.enforcers.bpf_lsm.hosting import Labelled
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT, tasks_of
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.enforcers.protocol import EnforcerError
from hauberk.events.record import Call
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.normalise import rule_set
from hauberk.workloads.mounts import mounts_of
from tests.kernel.arena import AUDIT, drain
from tests.kernel.helpers.act import policy
from tests.kernel.run.hauberk import until

HOST, EXEMPT, BLUE, GREEN, SERVICE, OTHER = 0, 1, 3, 4, 5, 6
NAMES = {HOST: "host", BLUE: "blue", GREEN: "green", SERVICE: "service", OTHER: "other"}
"""The exempt have no rules."""
MAX_TASKS = 512
SERVICE_UNIT, OTHER_UNIT, EXEMPT_UNIT = (
    "hauberk-test.service",
    "hauberk-other.service",
    "hauberk-exempt.slice",
)
LOOP = 'echo begun; while read -r line; do eval "$line"; done'
"""What a task does, which reads no further than the end of a line, so that what it becomes finds the rest."""
PF_KTHREAD = 0x200000
REFUSED = 126
"""How dash exits when it may not execute something."""


class Task:
    """A shell that does as it is told."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LOOP": LOOP},
        )
        assert self._answer() == "begun"

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def goes(self, cgroup: Path) -> "Task":
        """Moves to a cgroup."""
        assert self._ask(f"echo $$ >{cgroup}/cgroup.procs && echo there") == "there"
        return self

    def executes(self) -> "Task":
        """Becomes a new program."""
        return self._becomes("/bin/sh")

    def enters(self) -> "Task":
        """The same, in a mount namespace of its own."""
        return self._becomes("unshare -m /bin/sh")

    def _becomes(self, command: str) -> "Task":
        assert self._ask(f'exec {command} -c "$LOOP"') == "begun"
        return self

    def runs(self, command: str) -> int:
        """The status of a command that it starts."""
        return int(self._ask(f"{command} >/dev/null 2>&1; echo $?"))

    @property
    def workloads(self) -> set[str]:
        """Whose files it may not read."""
        each = f"( {{ true; }} <{self._stage.file('$name')} ) 2>/dev/null || printf '%s ' $name"
        return set(self._ask(f"for name in {' '.join(NAMES.values())}; do {each}; done; echo").split())

    def ends(self) -> None:
        with self._process:
            self._process.kill()


class Stage:
    """An engine with a table for each workload, a hierarchy of cgroups, and the tasks of one test."""

    def __init__(self, directory: Path, ending: ExitStack) -> None:
        self._directory = directory
        self._ending = ending
        self._tasks: list[Task] = []
        self._made: list[Path] = []
        for name in NAMES.values():
            self.file(name).write_text(name)
        mounts = directory / "cgroup"
        mounts.mkdir()
        subprocess.run(["mount", "-t", "cgroup2", "none", str(mounts)], check=True)
        ending.callback(subprocess.run, ["umount", str(mounts)], check=True)
        self.root = mounts / f"hauberk-{os.getpid()}"
        self.root.mkdir()
        ending.callback(self.root.rmdir)
        self.name = f"test-place-{os.getpid()}"
        self.engine = Engine.load(
            self.name,
            table_bytes=1 << 20,
            max_tasks=MAX_TASKS,
            disabled=needless(abi.TableFlag.FILE | abi.TableFlag.PROCESS | abi.TableFlag.BLOCKS),
        )
        for number in NAMES:
            self.rule(number)

    def file(self, name: str) -> Path:
        return self._directory / name

    def rule(self, number: int, *, programs: tuple[str, ...] = (), source: str = "") -> None:
        """Refuse a workload its file, if it is opened by `source`, and these programs."""
        path: dict[str, object] = {"path": str(self.file(NAMES[number]))}
        if source:
            path["fromSource"] = [{"path": source}]
        sections = {"file": {"matchPaths": [path]}}
        if programs:
            sections["process"] = {"matchPaths": [{"path": each} for each in programs]}
        loaded = load_text(policy(NAMES[number], **sections), "<test>")
        assert not loaded.faults
        meaning = Meaning(rule_set(loaded.policies, AUDIT))
        mounts = mounts_of(os.getpid())
        table = self.engine.compile(number, lambda base: TableCompiler(meaning, base).compile(mounts))
        self.engine.install(number, table, meaning.rules)

    def cgroup(self, *names: str) -> Path:
        """A new cgroup below the test's, with those above it."""
        path = self.root
        for name in names:
            path = path / name
            if not path.is_dir():
                path.mkdir()
                self._made.append(path)
        return path

    def container(self, name: str, workload: int) -> Path:
        path = self.cgroup(name)
        self.engine.hosting.place(path.stat().st_ino, workload)
        return path

    def unit(self, name: str, workload: int) -> Path:
        self.engine.hosting.name_unit(name, workload)
        return self.cgroup(name)

    def task(self) -> Task:
        self._tasks.append(Task(self))
        return self._tasks[-1]

    def readopt(self) -> None:
        self.engine.close()
        self.engine = Engine.adopt(self.name)

    def comes_to(self, workload: int, tasks: int) -> bool:
        """Whether a workload has so many tasks, when the kernel has freed those that have ended."""
        until(lambda: self.engine.tasks(workload) == tasks, f"workload {workload} having {tasks} tasks")
        return True

    def clear(self) -> None:
        for task in self._tasks:
            task.ends()
        self._tasks.clear()
        for workload in {*NAMES, EXEMPT} - {HOST}:
            self.comes_to(workload, 0)
        for path in reversed(self._made):
            until(lambda path=path: not (path / "cgroup.procs").read_text(), "an empty cgroup")
            path.rmdir()
        self._made.clear()
        hosting = self.engine.hosting
        hosting.hold_host(False)
        for cgroup in hosting.places():
            hosting.unplace(cgroup)
        for unit in hosting.units():
            hosting.unname_unit(unit)
        drain(self.engine.violations)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as ending:
        stage = Stage(tmp_path_factory.mktemp("place"), ending)
        try:
            yield stage
        finally:
            stage.engine.remove()


@pytest.fixture
def stage(whole: Stage) -> Iterator[Stage]:
    yield whole
    whole.clear()


def test_no_place_gives_no_label(stage: Stage) -> None:
    task = stage.task().goes(stage.cgroup("blue")).enters()
    assert task.workloads == set()
    assert stage.engine.hosting.label_running() == Labelled(0, 0)


def test_a_container_s_task_is_known_by_its_cgroup_and_not_in_the_host_s_mount_namespace(
    stage: Stage,
) -> None:
    task = stage.task().goes(stage.container("blue", BLUE))
    assert task.workloads == set()
    assert task.executes().workloads == set()
    assert task.enters().workloads == {"blue"}
    assert stage.comes_to(BLUE, 1)


def test_what_is_below_a_container_is_the_container_s_unless_it_is_another_s(stage: Stage) -> None:
    stage.container("blue", BLUE)
    inner = stage.cgroup("blue", "a", "inner")
    stage.engine.hosting.place(inner.stat().st_ino, GREEN)
    below, inside = stage.task().goes(stage.cgroup("blue", "a")), stage.task().goes(inner)
    assert (below.enters().workloads, inside.enters().workloads) == ({"blue"}, {"green"})


def test_a_container_s_label_stays_wherever_the_task_goes(stage: Stage) -> None:
    green, unit = stage.container("green", GREEN), stage.unit(SERVICE_UNIT, SERVICE)
    stage.engine.hosting.hold_host(True)
    task = stage.task().goes(stage.container("blue", BLUE)).enters()
    for cgroup in (green, unit, stage.root):
        assert task.goes(cgroup).executes().workloads == {"blue"}
    assert task.enters().workloads == {"blue"}
    stage.engine.hosting.hold_host(False)
    task.goes(green)
    assert stage.engine.hosting.label_running() == Labelled(0, 0)
    assert task.workloads == {"blue"}


def test_the_very_exec_is_decided_under_the_label_that_it_gives(stage: Stage) -> None:
    stage.rule(BLUE, programs=("/usr/bin/env",))
    task = stage.task().goes(stage.container("blue", BLUE))
    assert task.runs("unshare -m env") == REFUSED
    assert task.runs("env") == 0
    stage.rule(BLUE)


def test_a_service_is_known_by_its_unit_s_name_at_any_level_and_its_label_stays_on_the_host(
    stage: Stage,
) -> None:
    stage.engine.hosting.hold_host(True)
    stage.unit(SERVICE_UNIT, SERVICE)
    task = stage.task().goes(stage.cgroup(SERVICE_UNIT, "worker"))
    assert task.workloads == {"host"}
    assert task.executes().workloads == {"service"}
    for cgroup in (stage.unit(OTHER_UNIT, OTHER), stage.root):
        assert task.goes(cgroup).executes().workloads == {"service"}
    assert task.enters().workloads == {"service"}
    assert task.goes(stage.container("blue", BLUE)).executes().workloads == {"blue"}


def test_the_nearest_unit_counts_and_a_longer_name_is_another_one(stage: Stage) -> None:
    longest = "s" * 63
    stage.unit(SERVICE_UNIT, SERVICE)
    stage.engine.hosting.name_unit(longest, OTHER)
    for names, expected in (
        ((SERVICE_UNIT, longest), "other"),
        ((longest, SERVICE_UNIT), "service"),
        ((longest + "s",), None),
        ((SERVICE_UNIT + "d",), None),
    ):
        task = stage.task().goes(stage.cgroup(*names)).executes()
        assert task.workloads == ({expected} if expected else set())


def test_a_user_s_own_cgroup_is_no_unit_whatever_its_name(stage: Stage) -> None:
    stage.engine.hosting.name_unit(SERVICE_UNIT, SERVICE)
    delegated, named = stage.cgroup("delegated"), stage.cgroup("delegated", SERVICE_UNIT)
    os.chown(delegated, 1000, 1000)
    assert stage.task().goes(named).executes().workloads == set()
    os.chown(delegated, 0, 0)
    assert stage.task().goes(named).executes().workloads == {"service"}


def test_the_host_is_what_no_place_speaks_of_while_it_is_held(stage: Stage) -> None:
    hosting = stage.engine.hosting
    running = stage.task()
    hosting.hold_host(True)
    assert hosting.host_held
    task = stage.task()
    assert (running.workloads, task.workloads) == (set(), {"host"})
    hosting.hold_host(False)
    assert not hosting.host_held
    assert (stage.task().workloads, task.executes().workloads) == (set(), {"host"})
    # in the container's cgroup, and not in its mounts: a runtime
    assert task.goes(stage.container("blue", BLUE)).executes().workloads == {"host"}
    assert task.enters().workloads == {"blue"}


def test_the_host_s_task_becomes_a_unit_s(stage: Stage) -> None:
    stage.engine.hosting.hold_host(True)
    task = stage.task()
    assert task.goes(stage.unit(SERVICE_UNIT, SERVICE)).workloads == {"host"}
    assert task.executes().workloads == {"service"}
    assert stage.comes_to(HOST, 0)
    assert stage.comes_to(SERVICE, 1)


def test_the_exempt_stay_exempt_and_may_become_a_container_s(stage: Stage) -> None:
    stage.engine.hosting.hold_host(True)
    unit = stage.unit(EXEMPT_UNIT, EXEMPT)
    with subprocess.Popen(["/bin/sh", "-c", f"echo $$ >{unit}/cgroup.procs; exec sleep 1000"]) as sleeping:
        assert stage.comes_to(EXEMPT, 1)
        sleeping.kill()
    stage.engine.hosting.hold_host(False)
    task = stage.task().goes(unit).executes()
    stage.engine.hosting.hold_host(True)
    assert task.goes(stage.unit(SERVICE_UNIT, SERVICE)).executes().workloads == set()
    assert stage.comes_to(EXEMPT, 1)
    assert task.goes(stage.container("blue", BLUE)).enters().workloads == {"blue"}
    assert stage.comes_to(EXEMPT, 0)


def test_nothing_is_executed_where_no_place_can_be_told(stage: Stage) -> None:
    stage.container("blue", BLUE)
    task = stage.task().goes(stage.cgroup("blue", *["d"] * 130))
    before = stage.engine.counters()["no_label"]
    assert task.runs("/bin/true") == REFUSED
    assert stage.engine.counters()["no_label"] == before + 1


def test_an_exec_for_whose_label_there_is_no_room_is_refused_and_counted(stage: Stage) -> None:
    labels, before = stage.engine.map("labels"), stage.engine.counters()["no_label"]
    task = stage.task().goes(stage.unit(SERVICE_UNIT, SERVICE))
    with full(stage.engine):
        assert task.runs("/bin/true") == REFUSED
        assert stage.engine.counters()["no_label"] == before + 1
        assert stage.engine.hosting.label_running().failed == 1
    assert not list(labels.keys())
    assert task.executes().workloads == {"service"}


@contextmanager
def full(engine: Engine) -> Iterator[None]:
    """No room for another label."""
    labels = engine.map("labels")
    keys = [number.to_bytes(8, "little") for number in range(1, MAX_TASKS + 1)]
    for key in keys:
        labels.update(key, bytes(labels.value_size))
    yield
    for key in keys:
        labels.delete(key)


def test_running_tasks_are_labelled_by_their_places_once(stage: Stage) -> None:
    inside = stage.task().goes(stage.cgroup("blue")).enters()
    outside = stage.task().goes(stage.cgroup("blue"))
    service = stage.task().goes(stage.cgroup(SERVICE_UNIT))
    stage.container("blue", BLUE)
    stage.unit(SERVICE_UNIT, SERVICE)
    assert stage.engine.hosting.label_running() == Labelled(2, 0)
    assert (inside.workloads, outside.workloads, service.workloads) == ({"blue"}, set(), {"service"})
    assert stage.engine.hosting.label_running() == Labelled(0, 0)
    assert stage.comes_to(BLUE, 1)
    assert stage.comes_to(SERVICE, 1)


def test_running_tasks_of_the_host_become_a_container_s_or_a_unit_s(stage: Stage) -> None:
    stage.engine.hosting.hold_host(True)
    inside = stage.task().goes(stage.cgroup("blue")).enters()
    service = stage.task().goes(stage.cgroup(SERVICE_UNIT))
    outside = stage.task()
    stage.engine.hosting.hold_host(False)
    stage.container("blue", BLUE)
    stage.unit(SERVICE_UNIT, SERVICE)
    assert stage.engine.hosting.label_running() == Labelled(2, 0)
    assert (inside.workloads, service.workloads, outside.workloads) == ({"blue"}, {"service"}, {"host"})
    assert all(stage.comes_to(each, 1) for each in (HOST, BLUE, SERVICE))
    assert tasks_of(PIN_ROOT / stage.name) == 3


def test_the_class_of_a_running_program_is_found_when_it_is_labelled(stage: Stage) -> None:
    """By another workload's table it had another number."""
    stage.rule(BLUE, source="/usr/bin/dash")
    stage.engine.hosting.hold_host(True)
    task = stage.task().goes(stage.cgroup("blue")).enters()
    stage.engine.hosting.hold_host(False)
    assert task.workloads == {"host"}
    stage.container("blue", BLUE)
    stage.engine.hosting.label_running()
    assert task.workloads == {"blue"}
    assert task.runs(f"cat {stage.file('blue')}") == 0
    stage.rule(BLUE)


def test_a_workload_whose_last_task_becomes_another_s_has_ended(stage: Stage) -> None:
    task = stage.task().goes(stage.unit(SERVICE_UNIT, SERVICE)).executes()
    drain(stage.engine.violations)
    task.goes(stage.container("blue", BLUE)).enters()
    assert stage.comes_to(SERVICE, 0)
    ended = [record for record in drain(stage.engine.violations) if record.call == Call.ENDED]
    assert {record.workload for record in ended} == {SERVICE}


def test_the_host_may_stop_hauberk_and_a_container_may_not(stage: Stage) -> None:
    stage.engine.hosting.hold_host(True)
    task = stage.task()
    assert task.runs(f"kill -CONT {os.getpid()}") == 0
    task.goes(stage.container("blue", BLUE)).enters()
    assert task.runs(f"kill -CONT {os.getpid()}") != 0


def test_what_places_say_and_labels_are_adopted_with_the_engine(stage: Stage) -> None:
    stage.engine.hosting.hold_host(True)
    cgroup = stage.container("blue", BLUE)
    task = stage.task().goes(cgroup).enters()
    stage.unit(SERVICE_UNIT, SERVICE)
    for change in (stage.readopt, lambda: stage.engine.renew()):
        change()
        hosting = stage.engine.hosting
        assert hosting.places() == {cgroup.stat().st_ino: BLUE}
        assert hosting.units() == {SERVICE_UNIT: SERVICE}
        assert hosting.host_held
        assert task.executes().workloads == {"blue"}
        assert stage.task().goes(cgroup).enters().workloads == {"blue"}
        assert stage.task().workloads == {"host"}


def test_a_lifted_workload_has_no_rules_and_keeps_its_label(stage: Stage) -> None:
    task = stage.task().goes(stage.container("blue", BLUE)).enters()
    assert "blue" in {rule.policy.name for rule in stage.engine.rules_of(BLUE)}
    for change in (lambda: None, stage.readopt):
        stage.engine.lift(BLUE)
        change()
        assert stage.engine.findings == []
        assert stage.engine.rules_of(BLUE) == ()
        assert task.executes().workloads == set()
        assert stage.comes_to(BLUE, 1)
        stage.rule(BLUE)
        assert task.workloads == {"blue"}


def test_a_workload_is_forgotten_when_no_task_is_left(stage: Stage) -> None:
    task = stage.task().goes(stage.container("blue", BLUE)).enters()
    assert stage.comes_to(BLUE, 1)
    with pytest.raises(EnforcerError, match="run: 1"):
        stage.engine.drop(BLUE)
    assert task.workloads == {"blue"}
    task.ends()
    assert stage.comes_to(BLUE, 0)
    placed = len(stage.engine._tables.placed)
    stage.engine.drop(BLUE)
    assert stage.engine.rules_of(BLUE) == ()
    stage.engine.reclaim()
    assert len(stage.engine._tables.placed) == placed - 1
    stage.readopt()
    assert stage.engine.findings == []
    stage.rule(BLUE)


def test_a_name_that_no_unit_can_have_is_refused(stage: Stage) -> None:
    for name in ("", "a/b", "u" * 64):
        with pytest.raises(EnforcerError, match="not the name of a unit"):
            stage.engine.hosting.name_unit(name, SERVICE)
    with pytest.raises(EnforcerError, match="not the number of a workload"):
        stage.engine.hosting.place(1, abi.MAX_WORKLOADS)


def threads() -> Iterator[int]:
    """Of each thread in user space that has not ended, its process."""
    for path in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, _, _, _, _, flags, *_ = path.read_text().rpartition(")")[2].split()
            if state not in "ZX" and not int(flags) & PF_KTHREAD:
                yield int(path.parts[2])


# The last one: what else runs on the machine keeps the host's label for as long as the engine is there.
def test_pid_1_and_keepers_and_kernel_threads_are_left_alone(stage: Stage) -> None:
    task = stage.task()
    stage.engine.hosting.hold_host(True)
    others = [process for process in threads() if process not in (1, os.getpid())]
    assert stage.engine.hosting.label_running() == Labelled(len(others), 0)
    assert (task.workloads, stage.file("host").read_text()) == ({"host"}, "host")
