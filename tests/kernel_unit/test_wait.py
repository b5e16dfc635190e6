# SPDX-License-Identifier: Apache-2.0
"""Waiting for programs: whoever has waited finds none of those still running that ran before."""

import os
import time
from collections.abc import Callable

from hauberk.kernel.libbpf import BpfObject, wait_for_programs

Load = Callable[..., BpfObject]
BEGUN, ENDED = 1, 2


def test_a_program_that_has_begun_has_ended_after_the_wait(load: Load) -> None:
    """Caught in the middle where there is a second processor, or where programs are preempted (preempt=full);
    elsewhere nobody can look before it has ended."""
    obj = load()
    with obj.map("arena").mmap() as arena:
        for _ in range(3):
            arena.store_u64(16, 0)
            pid = os.fork()
            if pid == 0:
                try:
                    obj.program("take_long").test_run(data=bytes(64))
                finally:
                    os._exit(0)
            deadline = time.monotonic() + 60
            while not arena.load_u64(16):
                assert time.monotonic() < deadline
            caught = arena.load_u64(16) == BEGUN
            wait_for_programs()
            assert arena.load_u64(16) == ENDED
            os.waitpid(pid, 0)
            if caught:
                break
        print("caught in the middle" if caught else "never seen in the middle")
