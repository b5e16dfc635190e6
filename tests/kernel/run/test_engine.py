# SPDX-License-Identifier: Apache-2.0
"""Engines that cannot be had, wholly or in part: nothing stays behind, and what has no room is refused and
counted."""

import sys
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT, Lease
from hauberk.enforcers.bpf_lsm.placing import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.enforcers.protocol import EnforcerError
from hauberk.kernel.errors import AttachError, PinError
from hauberk.kernel.libbpf import Link, Program
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture, Postures
from hauberk.rules.normalise import rule_set
from hauberk.workloads.command import Command
from hauberk.workloads.mounts import mounts_of
from tests.kernel.run.hauberk import kernel_ids, pinned, until

LITTLE = needless(TableFlag(0))
"""Few programs load quickly."""


@pytest.mark.parametrize("error", [AttachError("no more", 7), KeyboardInterrupt()])
def test_an_engine_that_fails_half_way_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = kernel_ids()
    whole = Program.attach
    attached = 0

    def attach(self: Program) -> Link:
        nonlocal attached
        if attached == 2:
            raise error
        attached += 1
        return whole(self)

    monkeypatch.setattr(Program, "attach", attach)
    expected = EnforcerError if isinstance(error, AttachError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        Engine.load("run-half", disabled=LITTLE)
    assert attached == 2
    assert not (PIN_ROOT / "run-half").exists()
    assert pinned() == []
    if isinstance(error, AttachError):
        assert "the kernel takes at most 38 programs on one hook" in str(caught.value)
    until(lambda: kernel_ids()["links"] <= before["links"], "the links detached")


def test_a_name_is_taken_once() -> None:
    lease = Lease.take("run-twice")
    with pytest.raises(PinError, match="File exists"):
        Lease.take("run-twice")
    lease.remove()
    assert pinned() == []


def test_beyond_the_limit_of_tasks_forks_fail_and_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = """
import errno, os, signal, sys
made, failure = [], 0
while not failure and len(made) < 50:
    try:
        made.append(os.fork())
    except OSError as error:
        failure = error.errno
    else:
        if made[-1] == 0:
            signal.pause()
print(len(made), failure == errno.EAGAIN, file=open(sys.argv[1], "w"))
for pid in made:
    os.kill(pid, signal.SIGKILL)
    os.wait()
"""
    audit = Postures(file=Posture.AUDIT, network=Posture.AUDIT, capabilities=Posture.AUDIT)
    engine = Engine.load("run-few", max_tasks=6, disabled=LITTLE)
    try:
        # not by a shim that forks: a task counts until the kernel has freed it
        command = Command([sys.executable, "-c", script, str(out)])
        rules = rule_set([], audit)
        engine.install(0, TableCompiler(Meaning(rules), FIRST_TABLE).compile(mounts_of(command.pid)))
        engine.confine(0, command.pidfd)
        assert engine.tasks(0) == 1
        command.start()
        assert command.wait() == 0
        command.close()
        assert out.read_text() == "5 True\n"
        assert engine.counters()["no_label"] == 1
        assert engine.counters()["lost_violations"] == 0
    finally:
        engine.remove()
