# SPDX-License-Identifier: Apache-2.0
"""Signals as events: who sent them is known, and nothing is delivered late."""

import os
import select
import signal
import subprocess
import sys

import pytest

from hauberk.kernel.signals import Interruption, Received, SignalReader
from tests.signalling import send_to_first_thread


def test_a_signal_is_read_with_its_sender_and_not_delivered() -> None:
    with SignalReader({signal.SIGUSR1, signal.SIGTERM}) as reader:
        assert reader.read() == []
        send_to_first_thread(os.getpid(), signal.SIGTERM)
        assert select.select([reader], [], [], 5)[0]
        assert reader.read() == [Received(signal.SIGTERM, os.getpid())]
        assert reader.read() == []


def test_what_the_kernel_sends_has_no_sender() -> None:
    # In a process of its own: this one's alarm is the timeout of its tests.
    script = """
import select, signal
from hauberk.kernel.signals import Received, SignalReader

with SignalReader({signal.SIGALRM}) as reader:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    assert select.select([reader], [], [], 60)[0]
    assert reader.read() == [Received(signal.SIGALRM, None)]
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_was_not_read_is_dropped_in_the_end_and_the_mask_is_as_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with SignalReader({signal.SIGTERM}) as reader:
        assert reader.previous == before
        send_to_first_thread(os.getpid(), signal.SIGTERM)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.SIGTERM not in signal.sigpending()


def test_only_what_asks_to_end_interrupts() -> None:
    with SignalReader({signal.SIGUSR1, signal.SIGINT}) as reader:
        send_to_first_thread(os.getpid(), signal.SIGUSR1)
        reader.heed()
        send_to_first_thread(os.getpid(), signal.SIGINT)
        with pytest.raises(Interruption) as caught:
            reader.heed()
        assert caught.value.number == signal.SIGINT
        assert caught.value.message == "interrupted by SIGINT"
