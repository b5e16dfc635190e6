# SPDX-License-Identifier: Apache-2.0
"""What one keeper leaves and the next one finds: alerts keep their rules, what was half done is finished or
dropped, what nobody can explain is said and left alone, and what fails half way leaves what was."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hauberk.enforcers.bpf_lsm import Engine, abi, loading
from hauberk.enforcers.bpf_lsm.lease import NEXT, PIN_ROOT, Lease, engines
from hauberk.enforcers.bpf_lsm.placing import Tables
from hauberk.enforcers.bpf_lsm.state import STATE_ROOT, StateDirectory
from hauberk.enforcers.protocol import EnforcerError
from hauberk.events.alert import Alert
from hauberk.events.clock import Clock
from hauberk.events.record import Call, Record, decode_each
from hauberk.events.translate import Translator
from hauberk.kernel.errors import AttachError, LoadError, PinError
from hauberk.kernel.libbpf import BpfObject, Link, Program
from hauberk.kernel.ring import records
from tests.kernel.nogap.stage import Attack
from tests.kernel.run.hauberk import kernel_ids, until


class Shell:
    """A confined shell that opens files when it is told to, in a new process each time."""

    def __init__(self, engine: Engine, ending: ExitStack) -> None:
        shell = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = ending.enter_context(shell)
        self._ask("echo begun")
        pidfd = os.pidfd_open(self._process.pid)
        engine.confine(0, pidfd)
        os.close(pidfd)

    def opens(self, path: Path) -> bool:
        return self._ask(f"( {{ true; }} < {path} ) 2>/dev/null && echo yes || echo no") == "yes"

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


class Ground:
    """An engine under policy `a`, with a confined shell; `engine` is whoever keeps it now."""

    def __init__(self, directory: Path, ending: ExitStack) -> None:
        self.name = f"test-adoption-{os.getpid()}"
        self.attack = Attack(directory, tries=1)
        self.engine = self.attack.load(self.name)
        self.shell = Shell(self.engine, ending)

    def readopt(self) -> Engine:
        self.engine.close()
        self.engine = Engine.adopt(self.name)
        return self.engine

    def change(self, name: str) -> None:
        self.attack.change(self.engine, name)

    def opened(self) -> set[str]:
        names = ("forbidden", "allowed", "only-a", "only-b")
        return {name for name in names if self.shell.opens(self.attack.place / name)}

    def under(self) -> str:
        """Which policy is in force, by what can be opened."""
        return {"allowed,only-b": "a", "allowed,only-a": "b"}.get(",".join(sorted(self.opened())), "neither")

    def drained(self) -> list[Record]:
        found: list[Record] = []
        while batch := self.engine.violations.drain():
            for record in decode_each(records(batch)):
                assert isinstance(record, Record)
                found += [record] if record.call != Call.ENDED else []
        # What comes next is to be told anew, and not counted as a repeat.
        self.engine.repeats.take(self.engine.repeats.close_window())
        return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ExitStack() as ending:
        ground = Ground(tmp_path_factory.mktemp("ground"), ending)
        yield ground
    ground.engine.remove()
    assert not (PIN_ROOT / ground.name).exists()
    assert not (STATE_ROOT / ground.name).exists()


@pytest.fixture
def ground(whole: Ground) -> Iterator[Ground]:
    """The ground, with its engine as it should be."""
    whole.drained()
    whole.engine.forget_retired(whole.engine.retired)
    if whole.under() != "a":
        whole.change("a")
    whole.drained()
    yield whole
    assert not (PIN_ROOT / (whole.name + NEXT)).exists()


def test_alerts_of_every_generation_in_the_ring_name_their_rule_after_adoption(ground: Ground) -> None:
    for policy in "ba":
        ground.shell.opens(ground.attack.place / "forbidden")
        ground.change(policy)
    ground.shell.opens(ground.attack.place / "forbidden")
    engine = ground.readopt()
    translator = Translator(Clock())
    for workload, generation, rules in engine.generations():
        translator.add_rules(workload, generation, rules)
    alerts = [translator.translate(record) for record in ground.drained()]
    assert [alert.PolicyName for alert in alerts if isinstance(alert, Alert)] == [
        "policy-a",
        "policy-b",
        "policy-a",
    ]
    assert all(alert.Hauberk.Rule.startswith("spec.file.matchPaths[") for alert in alerts)
    assert translator.unresolved == 0
    assert len(engine.forget_retired(engine.retired)) == 2
    assert len(engine.generations()) == 1
    assert engine.findings == []


def test_an_engine_has_one_keeper(ground: Ground) -> None:
    with pytest.raises(EnforcerError, match="looked after by another process"):
        Engine.adopt(ground.name)
    with pytest.raises(EnforcerError, match="No such file"):
        Engine.adopt("test-nothing")


@pytest.mark.parametrize("switched", [False, True])
def test_a_change_that_was_cut_short_is_dropped_or_finished(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, switched: bool
) -> None:
    engine = ground.engine
    store = engine._heads.store_u64

    def cut(offset: int, value: int) -> None:
        if switched:
            store(offset, value)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine._heads, "store_u64", cut)
        with pytest.raises(KeyboardInterrupt):
            ground.change("b")
    engine = ground.readopt()
    assert engine.findings == []
    assert ground.under() == ("b" if switched else "a")
    # What is not in force takes no room.
    assert len(engine._tables.placed) == 1
    assert len(list(engine.map("mounts").keys())) == len(next(iter(engine._tables.placed.values())).mounts)
    numbers = [generation for _, generation, _ in engine.generations()]
    ground.change("b" if not switched else "a")
    assert max(generation for _, generation, _ in engine.generations()) > max(numbers)


def test_a_table_that_was_only_written_leaves_no_mounts(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed: list[Any] = []
    place = Tables.place

    def cut(self: Tables, table: Any) -> Any:
        placed.append(place(self, table))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "place", cut)
        with pytest.raises(KeyboardInterrupt):
            ground.change("b")
    assert placed[0].mounts[0] in set(ground.engine.map("mounts").keys())
    engine = ground.readopt()
    assert placed[0].mounts[0] not in set(engine.map("mounts").keys())
    assert ground.under() == "a"


def test_what_nobody_wrote_down_is_said_and_left_in_force(ground: Ground) -> None:
    engine = ground.engine
    word = engine._heads.load_u64(0)
    engine._heads.store_u64(0, word + (1000 << 32))
    try:
        engine = ground.readopt()
        told = f"workload 0 is under generation {(word >> 32) + 1000}, which nobody wrote down"
        assert engine.findings == [told]
        with pytest.raises(EnforcerError, match="cannot be changed: workload 0 is under generation"):
            ground.change("b")
        assert ground.under() == "a"
    finally:
        ground.engine._heads.store_u64(0, word)
        ground.readopt()
    assert ground.engine.findings == []


def test_a_lost_state_costs_names_and_changes_but_no_enforcement(ground: Ground) -> None:
    path = StateDirectory(ground.name).path / "state"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    try:
        engine = ground.readopt()
        assert "is damaged" in engine.findings[0]
        assert engine.generations() == []
        with pytest.raises(EnforcerError, match="cannot be changed"):
            engine.install(0, ground.attack.tables.compiler("b")(1 << 16))
        assert ground.under() == "a"
    finally:
        path.write_bytes(whole)
        ground.readopt()
    assert ground.under() == "a"


def test_another_version_s_engine_is_left_alone(ground: Ground) -> None:
    stamp = ground.engine.map("stamp").duplicate()
    value = stamp.lookup(bytes(4))
    assert value is not None
    stamp.update(bytes(4), abi.STAMP.pack(1, 2))
    ground.engine.close()
    try:
        with pytest.raises(EnforcerError, match="whose tables this one does not know; it stays in force"):
            Engine.adopt(ground.name)
        assert ground.under() == "a"
    finally:
        stamp.update(bytes(4), value)
        stamp.close()
        ground.engine = Engine.adopt(ground.name)


def test_a_program_that_was_detached_is_attached_again_and_that_is_said(ground: Ground) -> None:
    ground.engine.close()
    pin = PIN_ROOT / ground.name / "links" / "file_open"
    pin.unlink()
    until(lambda: ground.opened() == {"forbidden", "allowed", "only-a", "only-b"}, "the detachment")
    ground.engine = Engine.adopt(ground.name)
    (told,) = ground.engine.findings
    assert told.startswith("file_open was not attached")
    assert ground.under() == "a"
    assert pin.exists()


def test_an_engine_that_is_not_whole_is_not_adopted(ground: Ground) -> None:
    ground.engine.close()
    pin = PIN_ROOT / ground.name / "programs" / "file_open"
    with loading.Pinned.adopt(PIN_ROOT / ground.name) as pinned:
        pin.unlink()
        try:
            with pytest.raises(EnforcerError, match="these pins are gone: file_open"):
                Engine.adopt(ground.name)
            assert ground.under() == "a"
        finally:
            pinned.programs["file_open"].pin(pin)
    ground.engine = Engine.adopt(ground.name)


def test_a_full_arena_leaves_the_old_policy_in_force(ground: Ground) -> None:
    tables = ground.engine._tables
    while size := tables._regions.largest:
        tables._regions.take(tables.base_for(size), size)
    try:
        with pytest.raises(EnforcerError, match="no room for a table"):
            ground.change("b")
        assert ground.under() == "a"
    finally:
        ground.readopt()
    ground.change("b")
    assert ground.under() == "b"


def ids(ground: Ground) -> dict[str, int]:
    return {name: program.id for name, program in ground.engine._pinned.programs.items()}


def test_programs_are_replaced_and_labels_tables_and_policies_stay(ground: Ground) -> None:
    before, links = ids(ground), kernel_ids()["links"]
    ground.engine.renew()
    after = ids(ground)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    until(lambda: not set(before.values()) & kernel_ids()["programs"], "the end of the old programs")
    assert len(kernel_ids()["links"]) == len(links)
    assert ground.under() == "a"
    assert {record.verdict for record in ground.drained()} == {2}
    ground.change("b")
    assert ground.under() == "b"
    assert ground.readopt().findings == []
    assert ground.under() == "b"


def test_a_table_that_needs_more_programs_gets_them_first(ground: Ground) -> None:
    assert "socket_create" not in ids(ground)
    ground.engine.require({"file_open", "socket_create"})
    assert {"file_open", "socket_create"} <= ids(ground).keys()
    assert ground.under() == "a"


def fail_at(patch: pytest.MonkeyPatch, target: Any, method: str, error: Exception, at: int = 1) -> None:
    whole: Callable[..., Any] = getattr(target, method)
    calls = 0

    def failing(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error
        return whole(*arguments)

    patch.setattr(target, method, failing)


@pytest.mark.parametrize(
    ("target", "method", "error", "at"),
    [
        (BpfObject, "load", LoadError("the verifier says no", 13), 1),
        (BpfObject, "pin", PinError("no pin", 12), 1),
        (Program, "attach", AttachError("no more", 12), 1),
        (Program, "attach", AttachError("no more", 7), 9),
        (Link, "pin", PinError("no pin of a link", 12), 1),
        (Link, "pin", PinError("no pin of a link", 12), 9),
        (Lease, "exchange", PinError("no exchange", 22), 1),
    ],
)
def test_new_programs_that_fail_half_way_leave_the_old_ones_in_force(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, target: Any, method: str, error: Exception, at: int
) -> None:
    before, links = ids(ground), len(kernel_ids()["links"])
    with monkeypatch.context() as patch:
        fail_at(patch, target, method, error, at)
        with pytest.raises(EnforcerError) as caught:
            ground.engine.renew()
    assert "no" in caught.value.message
    assert ids(ground) == before
    assert not (PIN_ROOT / (ground.name + NEXT)).exists()
    assert ground.under() == "a"
    until(lambda: len(kernel_ids()["links"]) == links, "the end of what was attached")
    assert ground.readopt().findings == []
    assert ids(ground) == before


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_replacement_that_was_cut_short_is_cleared_away(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, exchanged: bool
) -> None:
    """A kill at the worst moments: both sets are attached then, and one of them is a leftover."""
    before, links = ids(ground), len(kernel_ids()["links"])
    held: list[Lease] = []

    def cut(self: Lease, other: Lease) -> None:
        held.extend((self, other))
        if exchanged:
            whole(self, other)
        raise KeyboardInterrupt

    whole = Lease.exchange
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "exchange", cut)
        with pytest.raises(KeyboardInterrupt):
            ground.engine.renew()
    assert ground.under() == "a"
    ground.engine.close()
    for lease in held:
        lease.close()
    assert (PIN_ROOT / (ground.name + NEXT)).exists()
    assert ground.name + NEXT not in engines()
    ground.engine = Engine.adopt(ground.name)
    assert (ids(ground) == before) != exchanged
    assert ground.engine.findings == []
    assert ground.under() == "a"
    until(lambda: len(kernel_ids()["links"]) == links, "the end of the leftover")
