# SPDX-License-Identifier: Apache-2.0
"""A closed workload on a real kernel: nothing starts and nothing opens, wherever it has gone."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from hauberk.agent.compiler.closed import CLOSED_POLICY
from hauberk.agent.compiler.service import Service
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.placing import FIRST_TABLE
from hauberk.events.record import Call, Record, decode_each
from hauberk.kernel.ring import records
from hauberk.rules.model import POSTURE, Rule
from hauberk.workloads.command import Command, CommandError

CLOSED = 2
# In a mount namespace of its own, with a program on a file system that the table cannot know.
ELSEWHERE = """
mount -t tmpfs none /mnt && cp /bin/true /mnt/true && exec 3</etc/passwd && echo ready && read -r line
/mnt/true && echo ran
read -r line </etc/passwd && echo opened
echo made >/mnt/new && echo written
read -r line <&3 && echo read on
"""
FROM_MEMORY = """
import os, shutil, sys
memory = os.memfd_create("x")
with open("/bin/true", "rb") as program:
    os.write(memory, program.read())
print("ready", flush=True)
sys.stdin.readline()
try:
    os.execve(memory, ["true"], {})
except PermissionError:
    print("refused", flush=True)
"""


@pytest.fixture(scope="module")
def closed() -> Iterator[tuple[Engine, tuple[Rule, ...]]]:
    found = Service(os.getpid(), ()).closed(FIRST_TABLE)
    assert found.table is not None
    with Engine.load(f"test-closed-{os.getpid()}", table_bytes=1 << 20) as engine:
        engine.install(CLOSED, found.table, found.rules)
        yield engine, found.rules
        engine.remove()


def refusals(engine: Engine) -> list[Record]:
    found = decode_each(records(engine.violations.drain()))
    return [each for each in found if isinstance(each, Record) and each.workload == CLOSED]


def test_no_command_starts_and_the_alert_says_why(closed: tuple[Engine, tuple[Rule, ...]]) -> None:
    engine, rules = closed
    command = Command(["/bin/true"])
    engine.confine(CLOSED, command.pidfd)
    with pytest.raises(CommandError, match="Permission denied"):
        command.start()
    command.close()
    first = refusals(engine)[0]
    assert (first.call, rules[first.rule].policy) == (Call.EXEC, CLOSED_POLICY)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["unshare", "--mount", "sh", "-c", ELSEWHERE], "ready\nread on\n"),
        (["python3", "-c", FROM_MEMORY], "ready\nrefused\n"),
    ],
)
def test_what_runs_already_gets_no_further(
    closed: tuple[Engine, tuple[Rule, ...]], argv: list[str], told: str
) -> None:
    engine, _ = closed
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        pidfd = os.pidfd_open(process.pid)
        engine.confine(CLOSED, pidfd)
        os.close(pidfd)
        process.stdin.write("go\n")
        process.stdin.close()
        assert f"ready\n{process.stdout.read()}" == told
    found = refusals(engine)
    assert found
    assert all(each.rule < 3 or each.rule == POSTURE for each in found)
