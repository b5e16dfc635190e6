# SPDX-License-Identifier: Apache-2.0
"""What a confined task may not do whatever its policies say: each refused by one program, and possible without
it.

`sb_umount` is left to the attack that unmounts the pins (tests/attacks/engine/unmount-pins.sh): here it would
succeed.
"""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from hauberk.kernel.errors import KernelError
from hauberk.rules.model import SELF_PROTECTION
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy, without
from tests.kernel.hooks.check import only_refused_by

ACT = Path("/srv/guard-act.py")
# Exits with 0 if it was not refused; what the kernel says of the worthless module is no refusal.
ACTS = f"""\
import ctypes, errno, os, resource, signal, sys

what, whom = sys.argv[1], int(sys.argv[2])
WATCHED = b"/srv/guard-watched"
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0 and ctypes.get_errno() != errno.ENOEXEC:
        raise OSError(ctypes.get_errno(), what)


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result


def watch(events):
    group = check(libc.fanotify_init(4, os.O_RDONLY))  # FAN_CLASS_CONTENT
    check(libc.fanotify_mark(group, 1, ctypes.c_uint64(events), -100, WATCHED))


def open_by_id(command):
    call({{"x86_64": 321, "aarch64": 280}}[os.uname().machine], command, (ctypes.c_uint32 * 4)(whom), 16)


def load(finit):
    machine = os.uname().machine
    if finit:
        call({{"x86_64": 313, "aarch64": 273}}[machine], os.open({str(ACT)!r}, os.O_RDONLY), b"", 0)
    else:
        call({{"x86_64": 175, "aarch64": 105}}[machine], b"no module".ljust(4096), 4096, b"")


acts = {{
    "kill": lambda: os.kill(whom, signal.SIGCONT),
    "trace": lambda: os.open(f"/proc/{{whom}}/mem", os.O_RDONLY),
    "limit": lambda: resource.prlimit(whom, resource.RLIMIT_CORE, (0, 0)),
    "schedule": lambda: os.sched_setaffinity(whom, os.sched_getaffinity(0)),
    "nice": lambda: os.setpriority(os.PRIO_PROCESS, whom, 1),
    "map": lambda: open_by_id(14),
    "program": lambda: open_by_id(13),
    "kernel-core": lambda: os.open("/proc/kcore", os.O_RDONLY),
    "module-file": lambda: load(True),
    "module": lambda: load(False),
    "ask-before-opens": lambda: watch(0x10000),
    "ask-before-reads": lambda: watch(0x20000),
    "ask-before-runs": lambda: watch(0x40000),
    "hear-of-opens": lambda: watch(0x20),
    "inotify": lambda: check(libc.inotify_add_watch(libc.inotify_init(), WATCHED, 0x20)),
}}
try:
    acts[what]()
except PermissionError:
    sys.exit(1)
"""
REFUSED = "status 1"


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    ACT.write_text(ACTS)
    with Session(arena, act, policy(file={"matchPaths": [{"path": "/srv/nothing"}]})) as session:
        yield session


@pytest.fixture
def keeper(arena: Arena) -> Iterator[int]:
    """A process that is protected as one that looks after an engine is."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        arena.engine.keep(process.pid)
        yield process.pid
        process.kill()


@pytest.fixture
def watched() -> None:
    Path("/srv/guard-watched").touch()


def script(what: str, whom: int) -> str:
    return f"run /srv/guard-out {sys.executable} {ACT} {what} {whom}"


@pytest.mark.parametrize(
    ("program", "what", "call"),
    [
        ("task_kill", "kill", Call.KILL),
        ("ptrace_access_check", "trace", Call.PTRACE),
        ("task_setrlimit", "limit", Call.KILL),
        ("task_setscheduler", "schedule", Call.KILL),
        ("task_setnice", "nice", Call.KILL),
    ],
)
def test_a_keeper_is_left_alone(session: Session, keeper: int, program: str, what: str, call: Call) -> None:
    only_refused_by(session, program, script(what, keeper), call, because=SELF_PROTECTION, error=REFUSED)


@pytest.fixture
def cgroups(keeper: int) -> Iterator[Path]:
    """A cgroup with the keeper in one below it, and nobody in another."""
    top = Path("/sys/fs/cgroup/guard")
    for name in ("inner", "other"):
        (top / name).mkdir(parents=True)
    (top / "inner/cgroup.procs").write_text(str(keeper))
    yield top
    Path("/sys/fs/cgroup/cgroup.procs").write_text(str(keeper))
    for each in (top / "inner", top / "other", top):
        each.rmdir()


def test_the_cgroups_that_a_keeper_is_in_are_left_alone(session: Session, cgroups: Path) -> None:
    for file in ("inner/cgroup.freeze", "inner/cgroup.procs", "cgroup.kill"):
        path = str(cgroups / file)
        only_refused_by(session, "file_open", f"write {path}", Call.OPEN, path, because=SELF_PROTECTION)
    done = session.do(
        f"read {cgroups}/inner/cgroup.procs ; write {cgroups}/other/cgroup.freeze ; write {cgroups}/other/cgroup.procs"
    )
    assert set(done.results) == {"ok"}, done
    assert not done.refusals


def test_a_process_that_has_gone_cannot_be_kept(arena: Arena) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(KernelError) as caught:
        arena.engine.keep(process.pid)
    assert caught.value.errno == errno.ESRCH


def test_a_map_and_a_program_of_an_engine_cannot_be_opened(session: Session) -> None:
    pinned = session.arena.engine._pinned
    for program, what, whom in (
        ("bpf_map_fd", "map", pinned.maps["arena"].id),
        ("bpf_prog_fd", "program", pinned.programs["file_open"].id),
    ):
        only_refused_by(
            session, program, script(what, whom), Call.BPF, because=SELF_PROTECTION, error=REFUSED
        )


def test_the_kernel_s_memory_is_not_read(session: Session) -> None:
    act = script("kernel-core", 0)
    only_refused_by(session, "locked_down", act, Call.KERNEL, because=SELF_PROTECTION, error=REFUSED)


@pytest.mark.parametrize(
    ("program", "what"), [("kernel_read_file", "module-file"), ("kernel_load_data", "module")]
)
def test_no_module_is_loaded(session: Session, program: str, what: str) -> None:
    with without(session.arena, "locked_down"):  # which refuses those without a signature, as this one
        only_refused_by(
            session, program, script(what, 0), Call.KERNEL, because=SELF_PROTECTION, error=REFUSED
        )


@pytest.mark.parametrize("what", ["ask-before-opens", "ask-before-reads", "ask-before-runs"])
def test_nobody_has_others_wait_for_his_leave(session: Session, watched: None, what: str) -> None:
    only_refused_by(
        session, "path_notify", script(what, 0), Call.WATCH, because=SELF_PROTECTION, error=REFUSED
    )


@pytest.mark.parametrize("what", ["hear-of-opens", "inotify"])
def test_to_be_told_of_what_others_do_is_nobody_s_harm(session: Session, watched: None, what: str) -> None:
    done = session.do(script(what, 0))
    assert done.results == ["ok"]
    assert not done.refusals


def test_a_descriptor_does_not_signal_a_keeper(session: Session, keeper: int) -> None:
    """Nobody is told that the kernel did not send it, so only the record shows it."""
    ACT.with_name("guard-signal.py").write_text(
        "import fcntl, os, signal, sys\n"
        "out, into = os.pipe()\n"
        "fcntl.fcntl(out, fcntl.F_SETOWN, int(sys.argv[1]))\n"
        "fcntl.fcntl(out, fcntl.F_SETSIG, signal.SIGCONT)\n"
        "fcntl.fcntl(out, fcntl.F_SETFL, os.O_ASYNC)\n"
        "os.write(into, b'x')\n"
    )
    signals = f"run /srv/guard-out {sys.executable} {ACT.with_name('guard-signal.py')} {keeper}"
    done = session.do(signals)
    assert done.results == ["ok"]
    told = {(record.call, done.because(record)) for record in done.refusals}
    assert told == {(Call.KILL, SELF_PROTECTION)}
    with without(session.arena, "file_send_sigiotask"):
        done = session.do(signals)
    assert done.results == ["ok"]
    assert not done.refusals
