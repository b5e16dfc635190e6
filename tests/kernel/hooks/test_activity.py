# SPDX-License-Identifier: Apache-2.0
"""What is only reported, where it is to be seen: ends of processes, and what no rule speaks of."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hauberk.events.alert import Alert, Log
from hauberk.rules.model import Seen
from tests.kernel.arena import Arena, Ran, shell
from tests.kernel.helpers.act import policy


def script(arena: Arena, text: str, *visible: Seen) -> Ran:
    ran = arena.run("", [sys.executable, "-I", "-S", "-c", text], visible=visible)
    assert ran.status == 0, ran.output
    return ran


def told(ran: Ran, call: str) -> list[Alert | Log]:
    return [each for each in ran.alerts() if each.Hauberk.Call == call]


@contextmanager
def stranger() -> Iterator[int]:
    """A process that belongs to no workload; its number."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_each_process_that_ends_says_how(arena: Arena) -> None:
    ran = arena.run(
        "", shell("/bin/sh -c 'exit 3'; /bin/sh -c 'kill -9 $$'; exit 0"), visible=(Seen.PROCESS,)
    )
    ends = [(each.Resource.rpartition("/")[2], each.EventData) for each in told(ran, "exit")]
    assert [words.get("Status") or f"signal {words['Signal']}" for _, words in ends] == ["3", "signal 9", "0"]
    assert {name for name, _ in ends} == {os.path.realpath("/bin/sh").rpartition("/")[2]}


def test_each_exec_says_what_came_of_it(arena: Arena, tmp_path: Path) -> None:
    damaged, orphan, good = tmp_path / "damaged", tmp_path / "orphan", tmp_path / "good"
    damaged.write_bytes(b"\x7fELF and nothing else" + bytes(200))
    orphan.write_text("#!/no/such/interpreter\n")
    good.write_text("#!/bin/true\n")
    for each in (damaged, orphan, good):
        each.chmod(0o755)
    ran = script(
        arena,
        "import os, threading\n"
        "def fail(path):\n"
        "    try: os.execv(path, [path])\n"
        "    except OSError as error: return error.strerror\n"
        f"for path in ({str(damaged)!r}, {str(orphan)!r}, {str(damaged)!r}): print(fail(path))\n"
        # the thread takes over its process, and with it its first thread's number
        "if not os.fork():\n"
        f"    threading.Thread(target=fail, args=({str(good)!r},)).start()\n"
        "    threading.Event().wait()\n"
        "os.wait()\n",
        Seen.PROCESS,
    )
    told_of = {str(damaged), str(orphan), str(good)}
    assert [(each.Resource, each.Result) for each in told(ran, "exec") if each.Resource in told_of] == [
        (str(damaged), "Exec format error"),
        (str(orphan), "No such file or directory"),
        (str(damaged), "Exec format error"),
        (str(good), "Passed"),
    ]
    assert ran.output.split("\n")[:3] == [
        "Exec format error",
        "No such file or directory",
        "Exec format error",
    ]
    assert not any(each.Hauberk.Reason for each in told(ran, "exec"))


def test_a_script_whose_interpreter_is_refused_does_not_pass(arena: Arena, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/true\n")
    path.chmod(0o755)
    rule = policy(process={"matchPaths": [{"path": os.path.realpath("/bin/true")}]})
    ran = arena.run(
        rule,
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import os\ntry: os.execv({str(path)!r}, ['x'])\nexcept OSError: pass",
        ],
        visible=(Seen.PROCESS,),
    )
    results = {each.ProcessName: each.Result for each in told(ran, "exec")}
    assert results[str(path)] == results[os.path.realpath("/bin/true")] == "Permission denied"


def test_of_a_process_with_threads_one_end_is_told(arena: Arena) -> None:
    ran = script(
        arena,
        "import os, threading, time\n"
        "for _ in range(8): threading.Thread(target=time.sleep, args=(5,), daemon=True).start()\n"
        "os._exit(0)\n",
        Seen.PROCESS,
    )
    assert [each.EventData["Status"] for each in told(ran, "exit")] == ["0"]


@pytest.mark.skipif(not os.path.exists("/proc/self/loginuid"), reason="needs a kernel with CONFIG_AUDIT")
def test_what_a_login_began_names_the_login(arena: Arena) -> None:
    ran = script(
        arena,
        "import os\n"
        "with open('/proc/self/loginuid', 'w') as file: file.write('4242')\n"
        "os.setresuid(5, 5, 5)\n"
        "with open('/proc/self/sessionid') as file: print(file.read())\n",
        Seen.CAPABILITIES,
    )
    (user,) = told(ran, "setuid")
    assert (user.Hauberk.LoginUID, user.Hauberk.SessionID) == (4242, int(ran.output))


def test_changes_of_user_and_group_are_told(arena: Arena) -> None:
    ran = script(arena, "import os; os.setresgid(7, 8, 9); os.setresuid(5, 6, 7)", Seen.CAPABILITIES)
    (group,), (user,) = told(ran, "setgid"), told(ran, "setuid")
    assert (group.EventData["Groupid"], group.EventData["Egid"], group.EventData["Oldgroupid"]) == (
        "7", "8", "0",
    )  # fmt: skip
    assert (user.EventData["Userid"], user.EventData["Euid"], user.EventData["Olduserid"]) == ("5", "6", "0")
    assert (user.Operation, user.Type) == ("Syscall", "ContainerLog")


def test_mounts_and_unmounts_are_told(arena: Arena, tmp_path: object) -> None:
    ran = arena.run(
        "",
        shell(f"mount -t tmpfs 'a disk' {tmp_path} && umount {tmp_path}"),
        visible=(Seen.CAPABILITIES,),
        prepare=lambda: os.unshare(os.CLONE_NEWNS) if hasattr(os, "unshare") else None,
    )
    assert ran.status == 0, ran.output
    mounts, (unmount,) = told(ran, "mount"), told(ran, "umount")
    assert str(tmp_path) in [each.Resource for each in mounts]
    assert unmount.Resource == str(tmp_path)
    named = [each.EventData for each in mounts if "Source" in each.EventData]
    assert not named or (named[0]["Source"], named[0]["Filesystem"]) == ("a\\x20disk", "tmpfs")


def test_signals_to_other_workloads_are_told_and_those_within_are_not(arena: Arena) -> None:
    with stranger() as pid:
        ran = script(
            arena,
            f"import os, signal\nsignal.signal(10, signal.SIG_IGN)\nos.kill(os.getpid(), 10)\nos.kill({pid}, 10)",
            Seen.CAPABILITIES,
        )
    (kill,) = told(ran, "kill")
    assert (kill.EventData["Signal"], kill.EventData["Pid"]) == ("10", str(pid))
    assert kill.Resource == os.path.realpath("/bin/sleep")


def test_tracing_within_the_workload_is_told(arena: Arena) -> None:
    ran = script(
        arena,
        "import ctypes, os, signal, time\n"
        "child = os.fork()\n"
        "if not child:\n    time.sleep(60)\n"
        "libc = ctypes.CDLL(None)\n"
        "assert libc.ptrace(16, child, None, None) == 0\n"
        "os.kill(child, 9)\n",
        Seen.CAPABILITIES,
    )
    (trace,) = told(ran, "ptrace")
    assert trace.Operation == "Process"
    assert trace.Resource == os.path.realpath(sys.executable)


def test_calls_of_bpf_are_told_by_name_but_for_those_on_elements(arena: Arena) -> None:
    ran = script(
        arena,
        "import ctypes, struct\n"
        "libc = ctypes.CDLL(None)\n"
        "attr = struct.pack('IIII', 2, 4, 4, 1) + bytes(112)\n"
        "fd = libc.syscall(321, 0, attr, len(attr))\n"
        "assert fd >= 0\n"
        "key = ctypes.create_string_buffer(4)\n"
        "value = ctypes.create_string_buffer(4)\n"
        "attr = struct.pack('IIQQQ', fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0)\n"
        "assert libc.syscall(321, 1, attr, len(attr)) == 0\n",
        Seen.CAPABILITIES,
    )
    assert [each.EventData["Cmd"] for each in told(ran, "bpf")] == ["BPF_MAP_CREATE"]


def test_files_that_are_made_renamed_and_removed_are_told(arena: Arena, tmp_path: object) -> None:
    ran = script(
        arena,
        f"import os\nos.chdir({str(tmp_path)!r})\n"
        "os.close(os.open('a', os.O_CREAT | os.O_WRONLY, 0o640))\n"
        "os.mkdir('d', 0o700)\nos.rename('a', 'b')\nos.chmod('b', 0o600)\nos.chown('b', 3, -1)\nos.unlink('b')\n",
        Seen.FILE,
    )
    events = [e for e in ran.alerts() if e.Resource.startswith(str(tmp_path)) and e.Hauberk.Call != "open"]
    assert [(e.Hauberk.Call, e.Resource.rpartition("/")[2]) for e in events] == [
        ("mknod", "a"), ("mkdir", "d"), ("rename", "a"), ("rename", "b"), ("chmod", "b"), ("chown", "b"), ("unlink", "b"),
    ]  # fmt: skip
    mknod, mkdir, rename, _, chmod, chown, _ = events
    assert [e.EventData["Mode"] for e in (mknod, mkdir, chmod)] == ["0100640", "0700", "0600"]
    assert rename.Hauberk.Other == f"{tmp_path}/b"
    assert (chown.EventData["Userid"], chown.EventData["Group"]) == ("3", "-1")


@pytest.mark.parametrize("visible", [(), (Seen.NETWORK,)])
def test_what_is_not_to_be_seen_is_not_told(arena: Arena, visible: tuple[Seen, ...]) -> None:
    ran = script(arena, "import os; os.setresuid(5, 5, 5); os.open('/etc/hostname', 0)", *visible)
    assert ran.records == ()
