# SPDX-License-Identifier: Apache-2.0
"""The packed tables say what `decide` says, walked as the kernel walks them."""

import struct
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.automaton.patterns import Exact
from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.reading import SILENT, TableWalker, graver, said_by
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.rules.decide import (
    CapabilityObject,
    FileObject,
    SocketObject,
    Subject,
    decide,
    move_refused,
)
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import SPECIAL_NAMES, UNKNOWN, Action, Operation, Rule, RuleSet, Section, Verdict
from hauberk.workloads.mounts import Mount
from tests.rules.make import PROGRAMS, Access, meaning, rule, rule_sets, rules, scenes, sockets
from tests.rules.make import paths as world_paths

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ROOT = Mount(1 << 20, True, 2, b"")
GRAVITY = {Verdict.PERMIT: 0, Verdict.ALLOWED: 0, Verdict.AUDIT: 0, Verdict.REFUSE: 1}


def compiled(meaning: Meaning, base: int = 64, mounts: tuple[Mount, ...] = (ROOT,)) -> Table:
    return TableCompiler(meaning, base).compile(mounts)


def words(walker: TableWalker, access: Access) -> list[int]:
    """The verdict word for each name of the object."""
    subject, operation, obj = access
    match obj:
        case SocketObject(family, type_, protocol):
            return [walker.socket(subject, family, type_, protocol)]
        case CapabilityObject(number):
            return [walker.capability(subject, number)]
        case FileObject(names, owned, fresh):
            found = [walker.file(subject, (operation,), name, owned, fresh) for name in names]
            return found or [walker.unknown(operation)]
    raise AssertionError(obj)


@many
@given(scenes(), st.sampled_from((0, 64, 4096)))
def test_the_table_and_decide_agree(scene: tuple[RuleSet, list[Access]], base: int) -> None:
    rule_set, chosen = scene
    meant = Meaning(rule_set)
    walker = TableWalker(compiled(meant, base))
    for access in chosen:
        decision = decide(meant, *access)
        found = words(walker, access)
        worst = found[0]
        for word in found[1:]:
            worst = graver(worst, word)
        assert worst >> 30 == decision.verdict
        # Of several names that weigh the same, the kernel reports one and `decide` the narrowest.
        said = {said_by(word, meant.rules) for word in found if word >> 30 == decision.verdict}
        assert (decision.rule or decision.special) in said


@many
@given(scenes(), rules(actions=(Action.BLOCK, Action.AUDIT)))
def test_adding_a_block_or_an_audit_never_permits_anything(
    scene: tuple[RuleSet, list[Access]], added: Rule
) -> None:
    rule_set, chosen = scene
    before = TableWalker(compiled(Meaning(rule_set)))
    after = TableWalker(compiled(Meaning(RuleSet.of((*rule_set.rules, added), rule_set.postures))))
    for access in chosen:
        was, now = (max(GRAVITY[Verdict(w >> 30)] for w in words(t, access)) for t in (before, after))
        assert now >= was


@many
@given(rule_sets(), st.lists(st.tuples(world_paths, world_paths, st.booleans()), min_size=20, max_size=20))
def test_moves_are_guarded_as_decide_says(rule_set: RuleSet, moves: list[tuple[bytes, bytes, bool]]) -> None:
    meant = Meaning(rule_set)
    walker = TableWalker(compiled(meant))
    for move in moves:
        assert walker.move_refused(*move) == move_refused(meant, *move)


@many
@given(rule_sets(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_byte(rule_set: RuleSet, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(rule_set.rules)
    random.shuffle(shuffled)
    again = RuleSet.of(shuffled, rule_set.postures)
    assert compiled(Meaning(again)) == compiled(Meaning(rule_set))


@many
@given(scenes())
def test_hooks_look_no_further_only_where_nothing_is_said(scene: tuple[RuleSet, list[Access]]) -> None:
    rule_set, chosen = scene
    meant = Meaning(rule_set)
    walker = TableWalker(compiled(meant))
    flags = {
        Operation.READ: TableFlag.FILE,
        Operation.WRITE: TableFlag.FILE,
        Operation.MAP: TableFlag.FILE | TableFlag.PROCESS,
        Operation.EXEC: TableFlag.FILE | TableFlag.PROCESS | TableFlag.NETWORK | TableFlag.CAPABILITIES,
        Operation.NETWORK: TableFlag.NETWORK,
        Operation.CAPABILITY: TableFlag.CAPABILITIES,
    }
    for subject, operation, obj in chosen:
        nameless = isinstance(obj, FileObject) and not obj.names
        if not walker.speaks(flags[operation]) and not nameless:
            decision = decide(meant, subject, operation, obj)
            assert decision.verdict in (Verdict.PERMIT, Verdict.ALLOWED)


@many
@given(rule_sets(), st.lists(world_paths, min_size=10, max_size=10))
def test_a_mount_point_has_the_state_that_its_path_leads_to(rule_set: RuleSet, chosen: list[bytes]) -> None:
    places = sorted(set(chosen) | {b"", b"/a"})
    mounts = tuple(Mount(number + 1 << 20, True, 2, path) for number, path in enumerate(places))
    table = compiled(Meaning(rule_set), 64, mounts)
    walker = TableWalker(table)
    found = {abi.MOUNT_KEY.unpack(key)[1]: abi.MOUNT.unpack(value) for key, value in table.mounts}
    for mount in mounts:
        flags, file_state, exec_state, prefix, following = found[mount.dev]
        assert flags == abi.MOUNT_ROOT
        assert following == 0
        assert file_state == walker.walk(walker.start(Operation.READ), mount.path)
        assert exec_state == walker.walk(walker.start(Operation.EXEC), mount.path)
        if mount.path:
            (length,) = struct.unpack_from("<I", table.image, prefix - table.base)
            at = prefix - table.base + 4
            assert table.image[at : at + length] == mount.path


@many
@given(rule_sets(), sockets)
def test_every_socket_has_its_row(rule_set: RuleSet, socket: SocketObject) -> None:
    meant = Meaning(rule_set)
    walker = TableWalker(compiled(meant))
    for program in (*PROGRAMS, None):
        subject = Subject(program)
        decision = decide(meant, subject, Operation.NETWORK, socket)
        word = walker.socket(subject, socket.family, socket.type, socket.protocol)
        assert word >> 30 == decision.verdict
        assert said_by(word, meant.rules) == (decision.rule or decision.special)


def test_programs_are_told_apart_beyond_the_size_of_a_byte() -> None:
    count = 600
    meant = meaning(
        *(rule("Block", f"/x{number}", sources=(f"/p{number}",)) for number in range(count)),
        rule("Audit", "/x7/", sources=("/p7", "/p599")),
    )
    table = compiled(meant)
    walker = TableWalker(table)
    assert len({walker.class_of(b"/p%d" % number) for number in range(count)}) == count
    # Behind the image lies another table: nothing that is looked up may reach there and find anything.
    longer = TableWalker(replace(table, image=table.image + table.image))
    for number in (0, 1, 7, 254, 255, 256, 300, 598, 599):
        for target in (0, 7, 255, 256, 599):
            subject = Subject(b"/p%d" % number)
            obj = FileObject((b"/x%d" % target,))
            decision = decide(meant, subject, Operation.READ, obj)
            for one in (walker, longer):
                word = one.file(subject, (Operation.READ,), obj.names[0], False)
                assert Verdict(word >> 30) == decision.verdict
                assert said_by(word, meant.rules) == (decision.rule or decision.special)


@pytest.mark.parametrize("operation", [Operation.EXEC, Operation.MAP, Operation.READ, Operation.WRITE])
@pytest.mark.parametrize("section", [Section.PROCESS, Section.FILE])
@pytest.mark.parametrize("read_only", [False, True])
def test_what_has_no_name_is_refused_where_a_block_might_speak(
    operation: Operation, section: Section, read_only: bool
) -> None:
    meant = meaning(rule("Block", "/x", section=section, read_only=read_only))
    walker = TableWalker(compiled(meant))
    assert Verdict(walker.unknown(operation) >> 30) == meant.unknown_outcome(operation).verdict
    assert said_by(walker.unknown(operation), meant.rules) == SPECIAL_NAMES[UNKNOWN]


def test_a_table_without_rules_says_nothing() -> None:
    walker = TableWalker(compiled(meaning()))
    for operation in (Operation.EXEC, Operation.MAP, Operation.READ, Operation.WRITE):
        assert walker.file(Subject(), (operation,), b"/etc/shadow", False) == SILENT
    assert not walker.speaks(
        TableFlag.FILE | TableFlag.PROCESS | TableFlag.NETWORK | TableFlag.CAPABILITIES | TableFlag.BLOCKS
    )


def test_of_a_read_and_a_write_that_are_refused_the_narrowest_rule_is_named() -> None:
    meant = meaning(rule("Block", "/a/**"), rule("Block", Exact(b"/a/f"), read_only=True))
    walker = TableWalker(compiled(meant))
    both = walker.file(Subject(), (Operation.READ, Operation.WRITE), b"/a/f", False)
    assert said_by(both, meant.rules) == meant.rules[1]


def test_a_move_between_directories_that_differ_only_in_file_rules_is_guarded() -> None:
    meant = meaning(rule("Block", "/a/**"), rule("Block", "/a/b/**", sources=("/p",), read_only=True))
    walker = TableWalker(compiled(meant))
    assert move_refused(meant, b"/a/b/f", b"/a/f", False)
    assert walker.move_refused(b"/a/b/f", b"/a/f", False)
    assert not walker.move_refused(b"/a/b/f", b"/a/b/g", False)
