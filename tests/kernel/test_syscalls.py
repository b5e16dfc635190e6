# SPDX-License-Identifier: Apache-2.0
"""System calls that rules name are told of the workload that the rules bind, whoever else makes them; and
while no rule names one nothing is attached anywhere."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.calls import DIRECTORY
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.enforcers.bpf_lsm.plans import functions_for, lacking
from hauberk.events.alert import Alert
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.record import Call
from hauberk.events.translate import Translator
from hauberk.policy.load import load_text
from hauberk.policy.syscalls import NAMES, NUMBERS
from hauberk.rules.meaning import Meaning
from hauberk.rules.normalise import rule_set
from tests.kernel.arena import AUDIT, Arena, Ran
from tests.kernel.helpers.act import policy

PLACE = "/srv/syscalls"

PRELUDE = """
import os
def no(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass
"""
CALL_32 = r"""
#include <string.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
	char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int result;
	strcpy(low, argv[1]);
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(10), "b"((long)low) : "memory");
	return result == -38 ? 77 : result != 0;
}
"""


@pytest.fixture(autouse=True)
def place() -> Iterator[Path]:
    path = Path(PLACE)
    subprocess.run(["rm", "-rf", PLACE], check=True)
    (path / "sub/below").mkdir(parents=True)
    yield path
    subprocess.run(["rm", "-rf", PLACE], check=True)


def rules(*, match_syscalls: object = (), match_paths: object = ()) -> str:
    section = {"matchSyscalls": list(match_syscalls), "matchPaths": list(match_paths)}  # type: ignore[call-overload]
    return policy("calls", "Audit", syscalls=section)


def python(arena: Arena, policies: str, *statements: str) -> Ran:
    script = "\n".join(
        ("import os", "def no(f, *a, **k):", "  try: f(*a, **k)", "  except OSError: pass", *statements)
    )
    ran = arena.run(policies, [sys.executable, "-c", script])
    assert ran.status == 0, ran.output
    return ran


def alerts(ran: Ran) -> list[Alert]:
    """What users are told, in order: without calls that no rule is about."""
    translator = Translator(Clock())
    translator.add_workload(ran.workload, WorkloadIdentity(namespace="default", container_name="test"))
    found = []
    for record in ran.records:
        translator.add_rules(ran.workload, record.generation, ran.rules.rules)
        resolved = translator.resolve(record)
        if resolved is not None:
            event = translator.translate(resolved)
            assert isinstance(event, Alert)
            found.append(event)
    return found


def told(ran: Ran) -> list[tuple[str, str, str]]:
    return [
        (each.Data.partition(" ")[0].partition("=")[2], each.Resource, each.Result) for each in alerts(ran)
    ]


def test_a_named_call_is_told_with_its_policy_its_path_and_its_result(arena: Arena, place: Path) -> None:
    ran = python(
        arena,
        rules(match_syscalls=[{"syscall": ["unlink"]}]),
        f"open('{PLACE}/x', 'w').close()",
        f"os.unlink('{PLACE}//sub/../x')",
        f"no(os.unlink, '{PLACE}/x')",
        f"no(os.rmdir, '{PLACE}/none')",
    )
    assert told(ran) == [
        ("SYS_UNLINK", f"{PLACE}/x", "Passed"),
        ("SYS_UNLINK", f"{PLACE}/x", "No such file or directory"),
    ]
    first = alerts(ran)[0]
    assert (first.PolicyName, first.Action, first.Operation) == ("calls", "Audit", "Syscall")
    assert first.ProcessName == os.path.realpath(sys.executable)
    assert not (place / "x").exists()


def test_calls_of_others_are_not_told(arena: Arena) -> None:
    policies = rules(match_syscalls=[{"syscall": ["mkdir"]}])
    watched = arena.run(
        policies, ["sh", "-c", f"mkdir {PLACE}/a"], prepare=lambda: os.mkdir(f"{PLACE}/before")
    )
    assert [path for _, path, _ in told(watched)] == [f"{PLACE}/a"]
    # its rules, and what is attached for them, are still there
    other = arena.run(
        policy("files", "Audit", file={"matchPaths": [{"path": "/nonesuch"}]}), ["mkdir", f"{PLACE}/b"]
    )
    os.mkdir(f"{PLACE}/c")
    assert arena.engine.calls.attached()
    assert other.status == 0
    assert other.records == ()
    assert [record for record in arena.drain() if record.call != Call.ENDED] == []


def test_a_path_is_told_from_where_the_call_starts(arena: Arena) -> None:
    names = ["unlink", "unlinkat", "rename", "renameat", "rmdir", "chdir", "fchmod"]
    ran = python(
        arena,
        rules(match_paths=[{"syscall": names, "path": f"{PLACE}/sub/", "recursive": True}]),
        f"os.chdir('{PLACE}')",
        "for name in ('sub/a', 'sub/b', 'sub/below/c', 'd'): open(name, 'w').close()",
        "os.unlink('d')",
        "os.unlink('sub/a')",
        "fd = os.open('sub', os.O_RDONLY)",
        "os.unlink('b', dir_fd=fd)",
        "os.chdir('sub/below')",
        "os.rename('../below/c', '../../e')",
        "os.fchmod(fd, 0o700)",
    )
    assert [(call, path) for call, path, _ in told(ran)] == [
        ("SYS_UNLINK", f"{PLACE}/sub/a"),
        ("SYS_UNLINKAT", f"{PLACE}/sub/b"),
        ("SYS_CHDIR", f"{PLACE}/sub/below"),
        ("SYS_RENAME", f"{PLACE}/sub/below/c"),
        ("SYS_FCHMOD", f"{PLACE}/sub"),
    ]
    assert alerts(ran)[3].Hauberk.Other == f"{PLACE}/e"


def test_only_listed_programs_are_told(arena: Arena) -> None:
    mkdir = os.path.realpath("/bin/mkdir")
    for source, hit in [
        ({"path": "/bin/mkdir"}, True),
        ({"dir": "/bin/"}, True),
        ({"dir": "/usr/", "recursive": True}, True),
        ({"path": "/bin/rm"}, False),
        ({"dir": "/usr/"}, mkdir.count("/") == 2),
    ]:
        policies = rules(match_syscalls=[{"syscall": ["mkdir"], "fromSource": [source]}])
        ran = arena.run(policies, ["sh", "-c", f"mkdir {PLACE}/a; rmdir {PLACE}/a"])
        assert [each.ProcessName for each in alerts(ran)] == ([mkdir] if hit else []), source


def test_calls_that_take_no_path(arena: Arena) -> None:
    names = ["setuid", "setgid", "ptrace", "mount", "umount2", "fork", "vfork", "getppid"]
    ran = python(
        arena,
        rules(match_syscalls=[{"syscall": names}]),
        "import ctypes",
        "libc = ctypes.CDLL(None)",
        "os.getppid()",
        "libc.ptrace(16, 0x7ffffff0, 0, 0)",
        f"libc.mount(b'none', b'{PLACE}', b'tmpfs', 0, None)",
        f"libc.umount2(b'{PLACE}', 2)",
        "os.setgid(65534)",
        "os.setuid(65534)",
        "no(os.setuid, 0)",
    )
    found = [(each.Data, each.Resource, each.Result) for each in alerts(ran)]
    assert found == [
        ("syscall=SYS_GETPPID", "", "Passed"),
        (f"syscall=SYS_PTRACE request=16 pid={0x7FFFFFF0}", "", "No such process"),
        ("syscall=SYS_MOUNT mountflag=0x0", PLACE, "Passed"),
        ("syscall=SYS_UMOUNT2 flag=0x2", PLACE, "Passed"),
        ("syscall=SYS_SETGID groupid=65534", "", "Passed"),
        ("syscall=SYS_SETUID userid=65534", "", "Passed"),
        ("syscall=SYS_SETUID userid=0", "", "Operation not permitted"),
    ]


def test_calls_that_do_not_return_are_told_as_they_begin(arena: Arena) -> None:
    ran = arena.run(
        rules(match_syscalls=[{"syscall": ["execve", "exit_group"]}]), ["sh", "-c", "exec /bin/true"]
    )
    shell, true = os.path.realpath("/bin/sh"), os.path.realpath("/bin/true")
    found = [(each.Data, each.Resource, each.ProcessName, each.Result) for each in alerts(ran)]
    assert found[-2:] == [
        ("syscall=SYS_EXECVE", "/bin/true", shell, "Attempted"),
        ("syscall=SYS_EXIT_GROUP status=0", "", true, "Attempted"),
    ]


def test_paths_in_another_root_are_told_from_the_workloads(arena: Arena, place: Path) -> None:
    policies = rules(match_paths=[{"syscall": ["rmdir", "chroot"], "path": f"{PLACE}/", "recursive": True}])
    ran = python(arena, policies, f"os.chroot('{PLACE}/sub')", "os.rmdir('/below')")
    assert [(call, path) for call, path, _ in told(ran)] == [
        ("SYS_CHROOT", f"{PLACE}/sub"),
        ("SYS_RMDIR", f"{PLACE}/sub/below"),
    ]


def test_a_path_that_cannot_be_read_is_told(arena: Arena) -> None:
    ran = python(
        arena,
        rules(match_paths=[{"syscall": ["unlink"], "path": "/nonesuch"}]),
        "import ctypes",
        "ctypes.CDLL(None).unlink(ctypes.c_void_p(8))",
    )
    (only,) = alerts(ran)
    assert (only.Resource, only.Result) == ("", "Bad address")
    assert "could not be read" in only.Hauberk.Reason


def test_32_bit_calls_are_told(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "call.c").write_text(CALL_32)
    subprocess.run(["cc", "-w", "-o", str(tmp_path / "call"), str(tmp_path / "call.c")], check=True)
    Path(PLACE, "x").touch()
    ran = arena.run(rules(match_syscalls=[{"syscall": ["unlink"]}]), [str(tmp_path / "call"), f"{PLACE}/x"])
    if ran.status == 77:
        pytest.skip("this kernel has no 32-bit system calls")
    assert told(ran) == [("SYS_UNLINK", f"{PLACE}/x", "Passed")]


def test_repeats_are_counted_and_not_lost(arena: Arena) -> None:
    ran = python(
        arena,
        rules(match_syscalls=[{"syscall": ["rmdir"]}]),
        f"for i in range(500): no(os.rmdir, '{PLACE}/none')",
    )
    assert len(told(ran)) == 500
    assert arena.engine.counters()["lost_violations"] == 0


def test_nothing_is_attached_once_no_rule_names_a_call(arena: Arena) -> None:
    engine = arena.engine
    directory = PIN_ROOT / engine._lease.path.name / DIRECTORY
    for workload in list(engine.workloads):
        engine.lift(workload)
    assert (engine.calls.attached(), directory.exists()) == ([], False)
    unlink = rules(match_syscalls=[{"syscall": ["unlink"]}])
    both = rules(match_syscalls=[{"syscall": ["unlink", "rmdir"]}])
    one, two = (arena.run(text, ["true"]).workload for text in (unlink, both))
    expected = {each.name for each in functions_for([NUMBERS["unlink"], NUMBERS["rmdir"]])}
    assert set(engine.calls.attached()) == expected
    engine.lift(two)
    left = {each.name for each in functions_for([NUMBERS["unlink"]])}
    assert set(engine.calls.attached()) == left
    engine.lift(one)
    assert (engine.calls.attached(), directory.exists()) == ([], False)


def test_an_adopted_engine_goes_on_and_mends_what_is_gone() -> None:
    name = f"test-syscalls-{os.getpid()}-{time.monotonic_ns()}"
    meaning = Meaning(
        rule_set(load_text(rules(match_syscalls=[{"syscall": ["unlink"]}]), "<test>").policies, AUDIT)
    )
    engine = Engine.load(name, table_bytes=1 << 20)
    try:
        engine.apply(0, meaning, os.getpid())
        before = engine.calls.attached()
        assert before
        engine.close()
        engine = Engine.adopt(name)
        assert (engine.calls.attached(), engine.findings) == (before, [])
        engine.renew()
        assert engine.calls.attached() == before
        engine.close()
        (PIN_ROOT / name / DIRECTORY / "links" / before[0]).unlink()
        engine = Engine.adopt(name)
        assert engine.calls.attached() == before
        assert [before[0] in finding for finding in engine.findings] == [True]
    finally:
        engine.remove()
    assert not (PIN_ROOT / name).exists()


def test_every_call_that_the_kernel_has_can_be_named(arena: Arena) -> None:
    ran = arena.run(rules(match_syscalls=[{"syscall": sorted(NAMES)}]), ["true"], timeout=300)
    assert ran.status == 0
    calls = {each.Data.partition(" ")[0] for each in alerts(ran)}
    assert {"syscall=SYS_EXECVE", "syscall=SYS_MMAP", "syscall=SYS_EXIT_GROUP"} <= calls
    gone = lacking(NAMES)
    assert len(gone) < 30, gone
    arena.engine.lift(ran.workload)
    assert arena.engine.calls.attached() == []
    # Too many links that go at once would block a queue of the kernel for good. What is stuck there cannot be
    # killed, so it is not waited for.
    attached = subprocess.Popen(
        [sys.executable, "-c", "from hauberk.kernel import features; features.probe()"]
    )
    assert attached.wait(timeout=300) == 0
