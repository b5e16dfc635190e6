# SPDX-License-Identifier: Apache-2.0
"""Capabilities, decided when the kernel would grant them."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.hooks.check import only_refused_by

CAP_SYS_CHROOT, CAP_SYS_PTRACE = 18, 19
POLICY = policy(
    capabilities={"matchCapabilities": [{"capability": "sys_chroot"}, {"capability": "sys_ptrace"}]}
)


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    with Session(arena, act, POLICY) as session:
        yield session


def test_a_capability_is_refused_by_its_hook_alone(session: Session) -> None:
    record = only_refused_by(session, "capable", "chroot /", Call.CAPABLE, error="EPERM")
    assert record.detail[0] == CAP_SYS_CHROOT


def test_what_the_kernel_refuses_itself_is_no_violation(session: Session) -> None:
    done = session.do("setuid 65534 ; chroot /")
    assert done.results == ["ok", "EPERM"]
    assert done.records == ()


def test_a_probe_is_decided_but_not_alerted(session: Session) -> None:
    """Of /proc/PID/stat the kernel shows less to who may not trace; /proc/PID/environ it refuses, with
    audit."""
    with subprocess.Popen(["setpriv", "--reuid=65534", "--clear-groups", "sleep", "60"]) as stranger:
        while os.stat(f"/proc/{stranger.pid}").st_uid != 65534:
            time.sleep(0.01)
        done = session.do(f"read /proc/{stranger.pid}/stat")
        assert done.results == ["ok"]
        assert done.records == ()
        refused = session.do(f"read /proc/{stranger.pid}/environ")
        stranger.kill()
    assert [(record.call, record.detail[0]) for record in refused.refusals] == [
        (Call.CAPABLE, CAP_SYS_PTRACE)
    ]
