# SPDX-License-Identifier: Apache-2.0
"""Containers that come and go fast: of none is anything left, in the kernel and in the agent.

They are made up as in test_many, by a program that does nothing else. HAUBERK_FULL=1 has fifty a second for a
minute, or as many as the machine can make; else a few seconds of that.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.kernel.pins import Pinned
from tests.kernel.agent.agent import CGROUPS, Agent, descriptors
from tests.kernel.agent.test_many import MOST_RESIDENT, RECORDS, containers, policy, resident
from tests.kernel.helpers import SHARE
from tests.kernel.run.hauberk import until

A_SECOND = 50
COME = A_SECOND * 60 // SHARE
GROWTH = 8 << 20
"""Bytes by which the agent may have grown: what Python's allocator keeps, and not what piles up."""

CHURN = f"""
import ctypes, json, os, signal, sys, time

RECORDS, CGROUPS = {str(RECORDS)!r}, {str(CGROUPS / "churn")!r}
count, a_second = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None)
os.makedirs(CGROUPS, exist_ok=True)


def begin(number):
    cgroup = f"{{CGROUPS}}/{{number}}"
    os.mkdir(cgroup)
    out, into = os.pipe()
    pid = os.fork()
    if not pid:
        with open(f"{{cgroup}}/cgroup.procs", "w") as file:
            file.write("0")
        libc.unshare(0x20000)  # CLONE_NEWNS
        os.write(into, b"+")
        signal.pause()
    os.close(into)
    assert os.read(out, 1) == b"+"
    os.close(out)
    with open(f"/proc/{{pid}}/stat") as file:
        started = int(file.read().rpartition(")")[2].split()[19])
    state = {{
        "id": f"churn-{{number}}",
        "init_process_pid": pid,
        "init_process_start": started,
        "config": {{"rootfs": "/", "labels": ["app=made-up", "bundle=/run/made-up"]}},
        "cgroup_paths": {{"": cgroup}},
    }}
    os.mkdir(f"{{RECORDS}}/churn-{{number}}")
    with open(f"{{RECORDS}}/churn-{{number}}/new", "w") as file:
        json.dump(state, file)
    os.rename(f"{{RECORDS}}/churn-{{number}}/new", f"{{RECORDS}}/churn-{{number}}/state.json")
    return pid


def end(number, pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.unlink(f"{{RECORDS}}/churn-{{number}}/state.json")
    os.rmdir(f"{{RECORDS}}/churn-{{number}}")
    os.rmdir(f"{{CGROUPS}}/{{number}}")


there, began = {{}}, time.monotonic()
for number in range(count):
    time.sleep(max(0, began + number / a_second - time.monotonic()))
    there[number] = begin(number)
    if number >= 20:
        end(number - 20, there.pop(number - 20))
took = time.monotonic() - began
for number, pid in there.items():
    end(number, pid)
print(f"{{count}} containers, {{count / took:.1f}} a second")
"""


def held_in_kernel() -> dict[str, int]:
    """How many elements the engine's maps of tasks and of places have."""
    with Pinned.adopt(PIN_ROOT / "node") as pinned:
        return {name: len(list(pinned.map(name).keys())) for name in ("labels", "places")}


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def churn(count: int) -> str:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", CHURN, str(count), str(A_SECOND)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.timeout(1800)
def test_containers_that_come_and_go_fast_leave_nothing(
    agent: Agent, capsys: pytest.CaptureFixture[str]
) -> None:
    RECORDS.mkdir(exist_ok=True)
    agent.apply(policy("churn", 3))
    assert agent.process
    pid = agent.process.pid

    def rest() -> tuple[dict[str, int], int, int]:
        until(lambda: containers(agent) == 0, "no containers in the status")
        until(lambda: held_in_kernel()["labels"] == 0, "no label")
        return held_in_kernel(), descriptors(pid), len(agent.status().workloads)

    churn(100)
    before, size, spent = rest(), resident(pid), processor_seconds(pid)
    said = churn(COME)
    after, grown = rest(), resident(pid) - size
    with capsys.disabled():
        print(
            f"\n{said}; the agent took {processor_seconds(pid) - spent:.1f} s of the processor, "
            f"{resident(pid) / (1 << 20):.1f} MiB resident, {grown / (1 << 20):+.1f} MiB"
        )
    assert after == before
    assert grown < GROWTH
    assert resident(pid) < MOST_RESIDENT
    status = agent.status()
    assert (status.findings, status.lost) == ((), {})
