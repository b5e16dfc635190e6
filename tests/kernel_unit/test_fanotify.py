# SPDX-License-Identifier: Apache-2.0
"""Permission to execute: who is asked for waits, and the errors say what they mean."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from select import select

import pytest

from hauberk.kernel.errors import KernelError
from hauberk.kernel.fanotify import Asked, ExecPermissions


@pytest.fixture
def group() -> Iterator[ExecPermissions]:
    try:
        group = ExecPermissions()
    except KernelError as error:
        pytest.skip(f"{error.message}: {error.remedy}")
    with group:
        yield group


@pytest.fixture
def program(tmp_path: Path) -> Path:
    shutil.copy("/bin/true", tmp_path / "program")
    return tmp_path / "program"


def execute(program: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sh", "-c", f"exec {program}"], stderr=subprocess.DEVNULL)


def asked(group: ExecPermissions) -> Asked:
    assert select([group], [], [], 60)[0]
    (found,) = group.read()
    return found


@pytest.mark.parametrize(("allow", "status"), [(True, 0), (False, 126)])
def test_the_answer_decides(group: ExecPermissions, program: Path, allow: bool, status: int) -> None:
    group.mark(program)
    assert group.read() == []
    with execute(program) as process:
        found = asked(group)
        assert (found.pid, found.program) == (process.pid, str(program))
        assert process.poll() is None
        group.answer(found, allow)
        assert process.wait() == status
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(found.fd)


def test_unmarked_files_are_not_asked_for(group: ExecPermissions, program: Path) -> None:
    group.mark(program)
    group.unmark(program)
    with execute(program) as process:
        assert process.wait() == 0
    group.mark(program)
    group.unmark_all()
    with execute(program) as process:
        assert process.wait() == 0
    assert group.read() == []


def test_who_waits_goes_on_when_the_group_is_closed(group: ExecPermissions, program: Path) -> None:
    group.mark(program)
    with execute(program) as process:
        os.close(asked(group).fd)
        group.close()
        assert process.wait() == 0


def test_the_answer_for_one_that_was_killed_is_no_error(group: ExecPermissions, program: Path) -> None:
    group.mark(program)
    with execute(program) as process:
        found = asked(group)
        process.kill()
        process.wait()
        group.answer(found, True)


def test_one_that_cannot_be_read_is_refused_and_told(group: ExecPermissions, program: Path) -> None:
    group.mark(program)
    with execute(program) as process:
        assert select([group], [], [], 60)[0]
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            with pytest.raises(KernelError, match="Too many open files"):
                group.read()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert process.wait() == 126


def test_what_is_not_there_cannot_be_marked(group: ExecPermissions, program: Path) -> None:
    for change in (group.mark, group.unmark):
        with pytest.raises(KernelError) as caught:
            change(program.with_name("none"))
        assert caught.value.errno == errno.ENOENT


def test_without_privileges_it_says_what_it_takes() -> None:
    if os.geteuid():
        with pytest.raises(KernelError, match="Operation not permitted") as caught:
            ExecPermissions()
        assert "root" in caught.value.remedy
        return
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            ExecPermissions()
        except KernelError as error:
            os._exit(0 if "root" in error.remedy else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
