# SPDX-License-Identifier: Apache-2.0
"""Work in a child: its result comes back, its memory does not, and each way to fail is told."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.agent.child import ChildDefect, in_child
from hauberk.errors import HauberkError
from hauberk.kernel.signals import Interruption, SignalReader
from tests.signalling import send_to_first_thread


@pytest.fixture
def signals() -> Iterator[SignalReader]:
    with SignalReader({signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}) as reader:
        yield reader


def test_the_result_comes_back_and_the_childs_world_does_not(signals: SignalReader) -> None:
    seen: list[int] = []

    def work() -> tuple[int, bytes]:
        seen.append(1)
        return os.getpid(), bytes(1 << 20)

    pid, data = in_child(work, signals)
    assert pid != os.getpid()
    assert len(data) == 1 << 20
    assert seen == []


def test_an_error_for_the_user_stays_one(signals: SignalReader) -> None:
    def work() -> None:
        raise HauberkError("too costly", "ask for less")

    with pytest.raises(HauberkError) as caught:
        in_child(work, signals)
    assert (caught.value.message, caught.value.remedy) == ("too costly", "ask for less")


def test_a_defect_comes_with_its_traceback(signals: SignalReader) -> None:
    def work() -> None:
        raise KeyError("the key that was missing")

    with pytest.raises(ChildDefect, match="the key that was missing") as caught:
        in_child(work, signals)
    assert "in work" in str(caught.value)


def test_what_cannot_be_sent_back_is_a_defect(signals: SignalReader) -> None:
    with pytest.raises(ChildDefect, match="pickle"):
        in_child(lambda: lambda: 0, signals)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended by signal 9"),
        (lambda: os._exit(3), "ended with status 3"),
    ],
)
def test_a_child_that_dies_is_told(signals: SignalReader, end: object, told: str) -> None:
    with pytest.raises(HauberkError, match=told):
        in_child(end, signals)  # type: ignore[arg-type]


def test_an_interruption_leaves_no_child(signals: SignalReader) -> None:
    def work() -> None:
        send_to_first_thread(os.getppid(), signal.SIGUSR1)  # nobody has to heed this
        send_to_first_thread(os.getppid(), signal.SIGTERM)
        signal.pause()

    with pytest.raises(Interruption) as caught:
        in_child(work, signals)
    assert caught.value.number == signal.SIGTERM
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""


def test_what_is_ignored_interrupts_nothing(signals: SignalReader) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert in_child(lambda: send_to_first_thread(os.getppid(), signal.SIGHUP) or 7, signals) == 7
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_ends_with_the_process_that_asked(signals: SignalReader) -> None:
    receive, send = os.pipe()
    parent = os.fork()
    if parent == 0:

        def work() -> None:
            os.write(send, b"%d" % os.getpid())
            signal.pause()

        in_child(work, signals)
    os.close(send)
    assert os.read(receive, 16)  # it has begun
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert os.read(receive, 1) == b""  # nobody is left who could write
    os.close(receive)
