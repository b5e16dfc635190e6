# SPDX-License-Identifier: Apache-2.0
"""Work in a child: its result comes back, its memory does not, and each way to fail is told."""

import os
import signal
from pathlib import Path

import pytest

from hauberk.agent.child import ChildDefect, in_child
from hauberk.errors import HauberkError


def test_the_result_comes_back_and_the_childs_world_does_not() -> None:
    seen: list[int] = []

    def work() -> tuple[int, bytes]:
        seen.append(1)
        return os.getpid(), bytes(1 << 20)

    pid, data = in_child(work)
    assert pid != os.getpid()
    assert len(data) == 1 << 20
    assert seen == []


def test_an_error_for_the_user_stays_one() -> None:
    def work() -> None:
        raise HauberkError("too costly", "ask for less")

    with pytest.raises(HauberkError) as caught:
        in_child(work)
    assert (caught.value.message, caught.value.remedy) == ("too costly", "ask for less")


def test_a_defect_comes_with_its_traceback() -> None:
    def work() -> None:
        raise KeyError("the key that was missing")

    with pytest.raises(ChildDefect, match="the key that was missing") as caught:
        in_child(work)
    assert "in work" in str(caught.value)


def test_what_cannot_be_sent_back_is_a_defect() -> None:
    with pytest.raises(ChildDefect, match="pickle"):
        in_child(lambda: lambda: 0)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended by signal 9"),
        (lambda: os._exit(3), "ended with status 3"),
    ],
)
def test_a_child_that_dies_is_told(end: object, told: str) -> None:
    with pytest.raises(HauberkError, match=told):
        in_child(end)  # type: ignore[arg-type]


def test_an_interruption_leaves_no_child() -> None:
    class Interruption(BaseException):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise Interruption

    def work() -> None:
        os.kill(os.getppid(), signal.SIGUSR1)
        signal.pause()

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interruption):
            in_child(work)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""
