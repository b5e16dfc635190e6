# SPDX-License-Identifier: Apache-2.0
"""Many workloads and many rules in one engine: what is shared takes nothing, what finds no room is told."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hauberk.enforcers.bpf_lsm import Engine, abi
from hauberk.enforcers.bpf_lsm.engine import (
    EVENT_RING,
    MAX_TASKS,
    SMALLEST_ARENA,
    VIOLATION_RING,
)
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.enforcers.bpf_lsm.memory import EngineMemory, engines, memory_of
from hauberk.enforcers.bpf_lsm.placing import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.enforcers.protocol import EnforcerError
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.normalise import rule_set
from hauberk.workloads.command import Command
from hauberk.workloads.mounts import mounts_of
from tests.kernel.arena import AUDIT, shell
from tests.kernel.helpers import SHARE

MIB = 1 << 20
NEEDLESS = needless(abi.TableFlag.FILE | abi.TableFlag.PROCESS | abi.TableFlag.BLOCKS)


def policy(name: str, rules: int) -> str:
    """Blocks on so many files that no other policy names."""
    paths = "\n".join(f"    - path: /srv/{name}/data/file-{number:05}" for number in range(rules))
    return f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: {name}, namespace: default}}
spec:
  selector: {{}}
  file:
    matchPaths:
{paths}
  action: Block
"""


def meaning(text: str) -> Meaning:
    read = load_text(text, "<test>")
    assert not read.faults
    return Meaning(rule_set(read.policies, AUDIT))


def memory(name: str) -> EngineMemory:
    found = memory_of(PIN_ROOT / name)
    assert found is not None
    return found


def can_write(engine: Engine, workload: int, path: str) -> bool:
    """Whether a task of a workload can make a file."""
    command = Command(shell(f"mkdir -p $(dirname {path}); : >{path}"), lambda: os.close(2))
    engine.confine(workload, command.pidfd)
    command.start()
    status = command.wait()
    command.close()
    return status == 0


def again(table: Table, number: int) -> Table:
    """A table of the same size and mounts elsewhere, as other rules would have; no task ever walks it."""
    away = number * aligned(len(table.image))
    mounts = []
    for key, value in table.mounts:
        _, dev, inode = abi.MOUNT_KEY.unpack(key)
        mounts.append((abi.MOUNT_KEY.pack(table.offset + away, dev, inode), value))
    return replace(
        table,
        base=table.base + away,
        offset=table.offset + away,
        mounts=tuple(mounts),
        key=number.to_bytes(4, "little"),
    )


def aligned(size: int) -> int:
    return (size + abi.TABLE_ALIGNMENT - 1) & ~(abi.TABLE_ALIGNMENT - 1)


@pytest.fixture
def name() -> str:
    return f"test-memory-{os.getpid()}"


@pytest.fixture
def waiting() -> Iterator[Command]:
    command = Command(["/bin/true"])
    yield command
    command.abandon()


@contextmanager
def loaded(name: str, **options: int) -> Iterator[Engine]:
    engine = Engine.load(name, disabled=NEEDLESS, **options)
    try:
        yield engine
    finally:
        engine.remove()


def test_a_thousand_workloads_of_one_rule_set_take_at_most_a_mebibyte_more_than_one(
    name: str, waiting: Command
) -> None:
    rules = meaning(policy("shared", 100))
    with loaded(name, table_bytes=4 * MIB) as engine:
        engine.apply(0, rules, waiting.pid)
        one = memory(name)
        for workload in range(1, 1000):
            engine.apply(workload, rules, waiting.pid)
        many = memory(name)
        assert (one.workloads, one.tables) == (1, 1)
        assert (many.workloads, many.tables) == (1000, 1)
        assert many.table_bytes == one.table_bytes > 0
        assert one.total <= many.total <= one.total + MIB
        # The measure sees what is not shared.
        engine.apply(0, meaning(policy("other", 100)), waiting.pid)
        other = memory(name)
        assert other.tables == 2
        assert other.table_bytes > many.table_bytes


def test_the_account_has_every_part_of_an_engine(name: str) -> None:
    with loaded(name) as engine:
        found = memory(name)
        assert found in engines()
        assert (found.workloads, found.tables, found.tasks) == (0, 0, 0)
        assert found.programs > 10
        assert found.program_bytes > 50_000
        for part, least in (
            ("arena", SMALLEST_ARENA),
            ("violations", VIOLATION_RING),
            ("events", EVENT_RING),
        ):
            assert least <= found.maps[part] <= 2 * least
        # 32 rooms for a walk, with the dentries of a path and the strings of a record
        assert found.maps["_bss"] > 32 * (4096 * 8 + 32768)
        assert found.maps["labels"] > MAX_TASKS * engine.map("labels").value_size


def test_a_table_that_several_use_decides_for_each_and_stays_when_one_leaves(
    name: str, waiting: Command
) -> None:
    with loaded(name, table_bytes=MIB) as engine:
        for workload in (0, 1):
            engine.apply(workload, meaning(policy("shared", 3)), waiting.pid)
        assert memory(name).tables == 1
        assert not can_write(engine, 0, "/srv/shared/data/file-00001")
        engine.apply(0, meaning(policy("other", 3)), waiting.pid)
        assert memory(name).tables == 2
        assert can_write(engine, 0, "/srv/shared/data/file-00002")
        assert not can_write(engine, 1, "/srv/shared/data/file-00001")


def test_workloads_with_distinct_rules_are_in_force_together(name: str, waiting: Command) -> None:
    # 5,000 workloads and 50,000 rules, or a tenth; more than one rule set to 100 workloads compiles longer.
    sets, rules_each, workloads_each = 50 // SHARE, 1000, 100
    mounts = mounts_of(waiting.pid)
    base = FIRST_TABLE
    with loaded(name, table_bytes=32 * MIB) as engine:
        for number in range(sets):
            table = TableCompiler(meaning(policy(f"set-{number:02}", rules_each)), base).compile(mounts)
            for workload in range(number * workloads_each, (number + 1) * workloads_each):
                engine.install(workload, table)
            base += aligned(len(table.image))
        found = memory(name)
        assert (found.workloads, found.tables) == (sets * workloads_each, sets)
        last = sets * workloads_each - 1
        for workload in (0, last // 2, last):
            own, following = workload // workloads_each, workload // workloads_each + 1
            assert not can_write(engine, workload, f"/srv/set-{own:02}/data/file-00999")
            assert can_write(engine, workload, f"/srv/set-{following:02}/data/file-00999")


def test_5000_tables_find_room_in_one_engine(name: str, waiting: Command) -> None:
    table = TableCompiler(meaning(policy("own", 10)), FIRST_TABLE).compile(mounts_of(waiting.pid))
    size = 5000 * aligned(len(table.image))
    with loaded(name, table_bytes=size, max_mounts=5000 * len(table.mounts)) as engine:
        engine.install(0, table)
        # Only placed: each installing writes down what all workloads have.
        for number in range(1, 5000):
            engine._tables.place(again(table, number))
        found = memory(name)
        assert size - table.base < found.table_bytes <= size + table.base
        assert not can_write(engine, 0, "/srv/own/data/file-00009")


def test_what_finds_no_room_is_refused_with_the_limit_that_it_met(name: str, waiting: Command) -> None:
    table = TableCompiler(meaning(policy("own", 10)), FIRST_TABLE).compile(mounts_of(waiting.pid))
    with loaded(name, table_bytes=4 * len(table.image), max_mounts=2 * len(table.mounts) + 1) as engine:
        for workload in range(2):
            engine.install(workload, again(table, workload))
        with pytest.raises(EnforcerError, match=f"at most {2 * len(table.mounts) + 1}"):
            engine.install(2, again(table, 2))
        large = replace(again(table, 2), image=bytes(1 << 20))
        with pytest.raises(EnforcerError, match=f"no room for a table of {1 << 20} bytes"):
            engine.install(2, large)
        assert memory(name).tables == 2
        assert not can_write(engine, 0, "/srv/own/data/file-00009")
