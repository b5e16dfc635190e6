# SPDX-License-Identifier: Apache-2.0
"""What it takes to put rules in force, in time and memory, and what they take once they are."""

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from unittest.mock import patch

from bench.policy import policy
from hauberk.agent.child import in_child
from hauberk.agent.own import guarded_for
from hauberk.agent.plan import Outlook, Prepared
from hauberk.agent.rulesets import look_for_links
from hauberk.enforcers.bpf_lsm import Engine, loading
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.enforcers.bpf_lsm.memory import memory_of
from hauberk.enforcers.bpf_lsm.placing import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.tables import compile_table
from hauberk.kernel.loader import object_image
from hauberk.kernel.namespaces import enter_root
from hauberk.kernel.signals import SignalReader
from hauberk.policy.load import load, load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture, Postures
from hauberk.rules.normalise import rule_set
from hauberk.workloads.command import Command
from hauberk.workloads.homes import homes_of
from hauberk.workloads.mounts import mounts_of
from hauberk.workloads.rootfs import resolver

AUDIT = Postures(file=Posture.AUDIT, network=Posture.AUDIT, capabilities=Posture.AUDIT)
MORE_TABLES = 4 << 20
"""Room in an engine for a table besides those that are measured."""
SHARING = 1000


def compiled(file: str, pid: int) -> tuple[Prepared, dict[str, float], int]:
    """Rules and table of a policy file, as a child process of a session makes them.

    Also the seconds by phase, and the memory that it took, in bytes.
    """
    before, begin = peak_rss(), time.monotonic()
    gc.disable()
    policies = load([file]).policies if file else ()
    read = time.monotonic()
    root = os.fsencode(f"/proc/{pid}/root")
    guarded = guarded_for(pid, os.getppid(), ()) if file else ()
    rules = rule_set(policies, AUDIT, resolve=resolver(root), guarded=guarded)
    del policies
    normalised = time.monotonic()
    meaning = Meaning(rules)
    table = compile_table(meaning, FIRST_TABLE, mounts_of(pid), homes_of(pid))
    links, _ = look_for_links(rules.rules, root)
    phases = {
        "read policies": read - begin,
        "normalise": normalised - read,
        "compile": time.monotonic() - normalised,
    }
    return Prepared(Outlook(()), rules.rules, table, linked=links), phases, peak_rss() - before


@contextmanager
def enforced(root: Path, rules: int) -> Iterator[tuple[Engine, dict[str, object]]]:
    """An engine whose workload 0 is under so many rules, and what it took to put these in force."""
    wait_for_the_last()
    # It lies on the file system of the machine around. While that is waited for, the clock of a machine that
    # counts instructions runs ahead, by up to some seconds.
    image = object_image()
    with (
        tempfile.TemporaryDirectory() as directory,
        patch.object(loading, object_image.__name__, lambda: image),
    ):
        file = Path(directory, "policy.yaml")
        file.write_text(policy(rules) if rules else "")
        begin = time.monotonic()
        waiting = Command(["/bin/micro"], partial(enter_root, str(root)))
        work = partial(compiled, str(file) if rules else "", waiting.pid)
        with SignalReader(()) as signals:
            prepared, phases, added = in_child(work, signals)
        handed_over = time.monotonic()
        table = prepared.table
        assert table
        disabled = needless(table.flags) if rules else ()
        engine = Engine.load(
            f"bench-{os.getpid()}", table_bytes=len(table.image) + MORE_TABLES, disabled=disabled
        )
        try:
            loaded = time.monotonic()
            engine.install(0, table)
            seconds = time.monotonic() - begin
            phases["processes"] = handed_over - begin - sum(phases.values())
            phases["load programs"] = loaded - handed_over
            phases["install"] = seconds - (loaded - begin)
            yield (
                engine,
                {
                    "phases": phases,
                    "in_force_seconds": seconds,
                    "table_bytes": len(table.image),
                    "compile_added_bytes": added,
                    "verified_instructions": sum(engine.verified_instructions().values()),
                },
            )
        finally:
            waiting.abandon()
            engine.remove()


def shared(engine: Engine, root: Path, rules: int) -> dict[str, dict[str, object]]:
    """Kernel memory of an engine with one workload, and with a thousand that have the same rules."""
    place = PIN_ROOT / f"bench-{os.getpid()}"
    waiting = Command(["/bin/micro"], partial(enter_root, str(root)))
    meaning = Meaning(rule_set(load_text(policy(rules, "shared"), "<bench>").policies, AUDIT))
    found = {}
    try:
        engine.apply(0, meaning, waiting.pid)
        for workloads in (1, SHARING):
            for workload in range(1, workloads):
                engine.apply(workload, meaning, waiting.pid)
            memory = memory_of(place)
            assert memory is not None
            found[str(workloads)] = {**asdict(memory), "total": memory.total}
    finally:
        waiting.abandon()
    return found


def ran(root: Path, rules: int) -> dict[str, float]:
    """What a whole `hauberk run` takes: memory, and time to the command's first instruction."""
    hauberk = str(Path(sys.executable).with_name("hauberk"))
    wait_for_the_last()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "policy.yaml")
        file.write_text(policy(rules))
        command = [hauberk, "run", "--policy", str(file), "--root", str(root), "--", "/bin/micro", "begun"]
        begin = time.monotonic_ns()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            begun = int(process.stdout.readline() or 0)
            status = Path(f"/proc/{process.pid}/status").read_text().split() if begun else []
            process.stdin.close()
            _, ended, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(ended)
    if process.returncode or not begun:
        raise SystemExit(f"hauberk run with {rules} rules: status {process.returncode}")
    return {
        "resident_bytes": int(status[status.index("VmRSS:") + 1]) * 1024,
        "largest_process_bytes": usage.ru_maxrss * 1024,
        "begun_seconds": (begun - begin) / 1e9,
    }


def wait_for_the_last() -> None:
    """Returns when the kernel has freed the programs of the engine before this one.

    It detaches them one by one when nobody waits for it, and whoever loads programs for the same hooks
    meanwhile waits for that: several seconds that are not a part of loading.
    """
    while b"[bpf]\n" in Path("/proc/kallsyms").read_bytes():
        time.sleep(0.5)


def peak_rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
