# SPDX-License-Identifier: Apache-2.0
"""An engine's state on disk: read back as it was written, or not at all."""

import os
from pathlib import Path

import pytest

from hauberk.automaton.patterns import Exact
from hauberk.enforcers.bpf_lsm import state as module
from hauberk.enforcers.bpf_lsm.state import (
    STATE,
    EngineState,
    InForce,
    PlacedTable,
    StateDirectory,
    StateError,
)
from hauberk.rules.model import Action, PolicyId, Rule, Scope, Section

WEB = PolicyId("KubeArmorPolicy", "shop", "web")


def rule(name: str) -> Rule:
    return Rule(
        policy=WEB,
        scope=Scope.NAMESPACE,
        index=0,
        where=f"spec.file.matchPaths[{name}]",
        line=7,
        section=Section.FILE,
        action=Action.BLOCK,
        target=Exact(b"/etc/shadow\xff"),
        severity=5,
        tags=("a", "b"),
        message="no",
    )


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.setattr(module, "STATE_ROOT", tmp_path / "run")
    return StateDirectory.make("run-1")


FULL = EngineState(
    maps=("arena",),
    programs=("file_open",),
    generation=9,
    tables={64: PlacedTable(64, 100, 128 | 5, (b"\0\xffkey",))},
    workloads={0: InForce(8, 64, "abc")},
    pending={0: InForce(9, 192, "def")},
    retired=[(0, InForce(7, 320, "abc"))],
    lifting=(3,),
    about={0: "ghi"},
)


def test_it_is_read_as_it_was_written(directory: StateDirectory) -> None:
    for state in (EngineState(), FULL):
        directory.write(state)
        assert StateDirectory("run-1").read() == state


def test_nobody_else_can_look_at_it(directory: StateDirectory) -> None:
    directory.write(FULL)
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert directory.path.parent.stat().st_mode & 0o777 == 0o700
    assert (directory.path / STATE).stat().st_mode & 0o777 == 0o600


def test_a_directory_that_others_can_reach_is_not_used(directory: StateDirectory) -> None:
    directory.path.parent.chmod(0o755)
    with pytest.raises(StateError, match="can be reached by others"):
        StateDirectory.make("run-2")


def test_a_torn_write_leaves_what_was_there(
    directory: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.write(FULL)

    def stop(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(StateError, match="Input/output error"):
        directory.write(EngineState())
    assert directory.read() == FULL


@pytest.mark.parametrize("cut", [1, 12, 42, 45, 60])
def test_a_file_that_ends_early_is_damaged(directory: StateDirectory, cut: int) -> None:
    directory.write(FULL)
    path = directory.path / STATE
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StateError):
        directory.read()


def test_no_flipped_byte_goes_unseen(directory: StateDirectory) -> None:
    directory.write(FULL)
    path = directory.path / STATE
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 4,)) + whole[at + 1 :])
        with pytest.raises(StateError):
            directory.read()


def test_what_is_not_there_or_of_another_version_is_told_apart(directory: StateDirectory) -> None:
    with pytest.raises(StateError, match="No such file"):
        directory.read()
    directory.write(FULL)
    path = directory.path / STATE
    path.write_bytes(path.read_bytes().replace(b"hauberk 1", b"hauberk 2", 1))
    with pytest.raises(StateError, match="not of this version"):
        directory.read()
    directory._write(STATE, b"\x93\x01\x02\x03")
    with pytest.raises(StateError, match="not of this version"):
        directory.read()


def test_equal_rules_are_kept_once_until_nobody_needs_them(directory: StateDirectory) -> None:
    names = [directory.write_rules(rules) for rules in ([rule("0")], [rule("0")], [rule("0"), rule("1")])]
    assert names[0] == names[1] != names[2]
    (kept,) = directory.read_rules(names[0])
    assert (kept.policy, kept.where, kept.line) == (WEB, "spec.file.matchPaths[0]", 7)
    assert (kept.severity, kept.tags, kept.message) == (5, ("a", "b"), "no")
    directory.forget({names[2]}, ())
    assert [each.where[-2] for each in directory.read_rules(names[2])] == ["0", "1"]
    with pytest.raises(StateError):
        directory.read_rules(names[0])


def test_what_is_known_of_workloads_is_kept_until_it_is_forgotten(directory: StateDirectory) -> None:
    names = [directory.write_about(about) for about in (b"\x80one", b"other")]
    assert [directory.read_about(name) for name in names] == [b"\x80one", b"other"]
    directory.forget((), {names[1]})
    assert directory.read_about(names[1]) == b"other"
    with pytest.raises(StateError):
        directory.read_about(names[0])


def test_a_new_engine_of_the_name_finds_nothing(directory: StateDirectory) -> None:
    directory.write(FULL)
    StateDirectory.make("run-1")
    with pytest.raises(StateError):
        directory.read()
    directory.remove()
    assert not directory.path.exists()
