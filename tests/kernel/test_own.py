# SPDX-License-Identifier: Apache-2.0
"""What is a task's own, its entry in /proc and its terminal, can be read under posture block; what is
another's cannot."""

import fcntl
import os
import subprocess
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kernel.arena import BLOCK, Arena
from tests.kernel.helpers.act import REFUSED, Session, policy

RULES = policy(action="Allow", file={"matchPaths": [{"path": "/srv/own-file"}]})


@dataclass(frozen=True)
class Terminals:
    own: str
    other: str


@pytest.fixture(scope="module")
def terminals() -> Iterator[Terminals]:
    pairs = [os.openpty(), os.openpty()]
    yield Terminals(*(os.ttyname(slave) for _, slave in pairs))
    for pair in pairs:
        for fd in pair:
            os.close(fd)


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path, terminals: Terminals) -> Iterator[Session]:
    Path("/srv/own-file").write_text("content")

    def on_terminal() -> None:
        os.setsid()
        fcntl.ioctl(os.open(terminals.own, os.O_RDWR), termios.TIOCSCTTY, 0)

    with Session(arena, act, RULES, postures=BLOCK, prepare=on_terminal) as session:
        yield session


@pytest.mark.parametrize(
    "path",
    [
        "/srv/own-file",
        "/proc/self/status",
        "/proc/thread-self/status",
        "/proc/self/net/dev",
        "/dev/tty",
        "/dev/null",
        "/etc/ld.so.cache",
    ],
)
def test_what_every_program_reads_can_be_opened(session: Session, path: str) -> None:
    done = session.do(f"hold {path}")
    assert done.results == ["ok"]
    assert done.records == ()


def test_the_own_entry_is_known_in_every_shape_of_task(session: Session) -> None:
    own = "hold /proc/self/status"
    for script in (
        f"fork ; {own}",
        f"thread ; {own}",
        f"reexec {session.act} ; {own}",
        f"doublefork ; {own}",
    ):
        done = session.do(script)
        assert set(done.results) == {"ok"}, done
        assert done.records == ()


def test_the_own_terminal_can_be_opened_by_name(session: Session, terminals: Terminals) -> None:
    done = session.do(f"hold {terminals.own}")
    assert done.results == ["ok"]
    assert done.records == ()


def test_what_is_another_s_is_refused(session: Session, terminals: Terminals) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        for path in (
            "/proc/1/status",
            f"/proc/{other.pid}/environ",
            f"/proc/{os.getpid()}/status",
            terminals.other,
            "/etc/hostname",
        ):
            done = session.do(f"hold {path}")
            assert done.results == [REFUSED], path
            (record,) = done.refusals
            assert record.object == path.encode()
            assert done.because(record) == "DefaultPosture"
        other.kill()


def test_the_own_may_be_read_but_not_written(session: Session, terminals: Terminals) -> None:
    for path in ("/proc/self/comm", terminals.own):
        assert session.do(f"write {path}").results == [REFUSED]


def test_another_session_s_terminal_is_not_the_own(session: Session, terminals: Terminals) -> None:
    assert session.do(f"fork ; setsid ; hold {terminals.own}").results == ["ok", "ok", REFUSED]


def test_without_the_base_set_the_own_is_refused_too(arena: Arena, act: Path) -> None:
    with Session(arena, act, RULES, postures=BLOCK, base_set=False) as session:
        done = session.do("hold /proc/self/status ; hold /srv/own-file")
    assert done.results == [REFUSED, "ok"]
