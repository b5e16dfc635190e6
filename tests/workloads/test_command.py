# SPDX-License-Identifier: Apache-2.0
"""A command that waits to be let go: what it finds when it begins, and how its end, or its failure, is
told."""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hauberk.errors import HauberkError
from hauberk.workloads.command import Command, CommandError


def status_of(*argv: str, prepare: Callable[[], None] | None = None) -> int:
    command = Command(argv, prepare)
    command.start()
    try:
        return command.wait()
    finally:
        command.close()


def failure_of(*argv: str) -> CommandError:
    command = Command(argv)
    with pytest.raises(CommandError) as caught:
        command.start()
    command.close()
    return caught.value


@contextmanager
def disposition(number: int, handler: signal.Handlers) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_it_does_nothing_until_it_is_let_go(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = Command(["touch", str(mark)])
    assert Path(f"/proc/{command.pid}/stat").exists()
    time.sleep(0.05)
    assert not mark.exists()
    command.start()
    assert command.wait() == 0
    command.close()
    assert mark.exists()


def test_what_is_abandoned_never_begins(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = Command(["touch", str(mark)])
    command.abandon()
    assert not Path(f"/proc/{command.pid}").exists()
    assert not mark.exists()


@pytest.mark.parametrize("status", [0, 1, 125, 255])
def test_the_status_is_the_commands(status: int) -> None:
    assert status_of("sh", "-c", f"exit {status}") == status


def test_a_signal_is_told_as_a_shell_tells_it() -> None:
    command = Command(["sh", "-c", "kill -TERM $$"])
    command.start()
    assert command.wait() == 128 + signal.SIGTERM
    assert command.ended_by == signal.SIGTERM
    command.close()


@pytest.mark.parametrize(
    ("name", "mode", "content", "status", "code"),
    [
        ("missing", None, "", 127, errno.ENOENT),
        ("plain", 0o644, "x", 126, errno.EACCES),
        ("header", 0o755, "#!/no/such/interpreter\n", 127, errno.ENOENT),
        ("plain/below", None, "", 126, errno.ENOTDIR),
    ],
)
def test_what_cannot_be_executed_is_told_as_env_tells_it(
    tmp_path: Path, name: str, mode: int | None, content: str, status: int, code: int
) -> None:
    (tmp_path / "plain").touch()
    if mode is not None:
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    error = failure_of(str(tmp_path / name))
    assert error.status == status
    assert error.message == f"{tmp_path / name}: {os.strerror(code)}"


def test_a_directory_is_not_executable(tmp_path: Path) -> None:
    assert failure_of(str(tmp_path)).status == 126


def test_a_script_without_a_header_is_run_by_the_shell(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('exit "$1"\n')
    script.chmod(0o755)
    assert status_of(str(script), "9") == 9


def test_a_name_is_looked_for_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for directory, mode in (("first", 0o644), ("second", 0o755)):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "tool").write_text("#!/bin/sh\nexit 5\n")
        (tmp_path / directory / "tool").chmod(mode)
    monkeypatch.setenv("PATH", f"{tmp_path}/file:{tmp_path}/none:{tmp_path}/first:{tmp_path}/second")
    assert status_of("tool") == 5
    assert failure_of("no-such-tool").status == 127
    assert failure_of("").status == 127
    monkeypatch.setenv("PATH", str(tmp_path / "first"))
    assert failure_of("tool").status == 126


def test_it_finds_the_signals_that_this_process_was_started_with() -> None:
    def told(*argv: str) -> int:
        # the bits of SIGPIPE, SIGXFSZ, SIGTERM and SIGHUP in the mask of ignored signals
        script = "m=$((0x$(grep SigIgn /proc/self/status | cut -f2))); exit $((m >> {} & 1))"
        return sum(
            status_of(*argv, "sh", "-c", script.format(number - 1)) << at
            for at, number in enumerate((signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGHUP))
        )

    with disposition(signal.SIGHUP, signal.SIG_IGN), disposition(signal.SIGTERM, signal.SIG_DFL):
        assert told() == 0b1000
    assert told() == 0


def test_its_status_is_known_even_if_ended_children_are_ignored() -> None:
    with disposition(signal.SIGCHLD, signal.SIG_IGN):
        # For the command they still are ignored; no shell, which would change that.
        pattern = "SigIgn:\t[0-9a-f]*[13579bdf][0-9a-f]{4}$"
        command = Command(["grep", "-qE", pattern, "/proc/self/status"])
        command.start()
        assert command.wait() == 0
        command.close()
    assert status_of("grep", "-qE", pattern, "/proc/self/status") == 1


def test_it_has_the_process_group_and_descriptors_of_this_process(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = Command([sys.executable, "-c", f"import os; open({str(out)!r}, 'w').write(str(os.getpgrp()))"])
    command.start()
    assert command.wait() == 0
    command.close()
    assert int(out.read_text()) == os.getpgrp()
    script = f"ls /proc/self/fd > {out}"
    assert status_of("sh", "-c", script) == 0
    inside = set(out.read_text().split())
    # 3 is the directory that ls reads; what this process has open besides is not inherited
    inheritable = {fd for fd in os.listdir("/proc/self/fd") if _inheritable(int(fd))}
    assert inside - inheritable <= {"3"}


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def test_a_preparation_that_fails_is_told_with_its_remedy() -> None:
    def fail() -> None:
        raise HauberkError("no such root", "make one")

    with pytest.raises(CommandError) as caught:
        Command(["true"], fail)
    assert (caught.value.message, caught.value.remedy) == ("no such root", "make one")
    assert caught.value.status == 125


def test_a_preparation_changes_only_the_child(tmp_path: Path) -> None:
    before = Path.cwd()
    assert status_of("sh", "-c", f'test "$PWD" = {tmp_path}', prepare=lambda: os.chdir(tmp_path)) == 0
    assert Path.cwd() == before


def test_one_that_was_killed_while_it_waited_has_a_status() -> None:
    command = Command(["true"])
    os.kill(command.pid, signal.SIGKILL)
    os.waitid(os.P_PIDFD, command.pidfd, os.WEXITED | os.WNOWAIT)
    command.start()
    assert command.wait() == 128 + signal.SIGKILL
    command.close()


def test_signals_are_sent_until_it_has_ended() -> None:
    command = Command(["sleep", "100"])
    command.start()
    command.send(signal.SIGUSR1)
    assert command.wait() == 128 + signal.SIGUSR1
    command.send(signal.SIGUSR1)  # nobody is hit who got its number since
    command.close()
