# SPDX-License-Identifier: Apache-2.0
"""What is kept of policies and postures: over restarts, over faults, and as a whole or not at all."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from hauberk.agent.compiler.jobs import Checked, CheckedPolicy, Source
from hauberk.agent.control.messages import PolicyRef
from hauberk.agent.policies import store as module
from hauberk.agent.policies.durable import StoreError
from hauberk.agent.policies.store import GLOBAL, PolicyStore
from hauberk.errors import HauberkError

WEB = PolicyRef("KubeArmorPolicy", "shop", "web")


def policy(
    name: str, text: str = "text", kind: str = "KubeArmorPolicy", namespace: str = "shop"
) -> CheckedPolicy:
    return CheckedPolicy(PolicyRef(kind, namespace, name), text, text)


def fake_check(sources: Sequence[Source]) -> Checked:
    """Each word of a text is the name of a policy; `bad` is a fault."""
    (source,) = sources
    if "bad" in source.text:
        return Checked((), (f"{source.name}:1: bad",))
    return Checked(tuple(policy(word, f"{word} of {source.text}") for word in source.text.split()))


def apply(store: PolicyStore, *policies: CheckedPolicy, forced: bool = False) -> None:
    store.apply([(each, "given.yaml") for each in policies], forced=forced)


def names(store: PolicyStore) -> list[str]:
    return [entry.ref.name for entry in store.entries()]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    (tmp_path / "policies.d").mkdir()
    return tmp_path / "policies.d"


def test_what_was_applied_is_there_after_a_restart(state: Path) -> None:
    apply(PolicyStore(state), policy("web", "one"), forced=True)
    again = PolicyStore(state)
    assert [(each.ref, each.text, each.source, each.forced, each.origin) for each in again.entries()] == [
        (WEB, "one", "given.yaml", True, "")
    ]
    assert again.forced() == (WEB,)
    assert again.sources() == (Source("given.yaml", "one"),)
    assert not again.faults


def test_a_policy_replaces_the_one_of_its_name_only(state: Path) -> None:
    store = PolicyStore(state)
    apply(
        store,
        policy("web", "one"),
        policy("web", "two", namespace="test"),
        policy("a/b"),
        policy("web", kind="K"),
    )
    apply(store, policy("web", "three"))
    again = PolicyStore(state)
    assert again.entries() == store.entries()
    assert {(each.ref.kind, each.ref.namespace, each.ref.name): each.text for each in again.entries()} == {
        ("KubeArmorPolicy", "shop", "web"): "three",
        ("KubeArmorPolicy", "test", "web"): "two",
        ("KubeArmorPolicy", "shop", "a/b"): "text",
        ("K", "shop", "web"): "text",
    }


def test_names_that_look_alike_when_joined_do_not_collide(state: Path) -> None:
    store = PolicyStore(state)
    apply(store, policy("c", namespace="a-b"), policy("b-c", namespace="a"), policy("../../x", namespace="/"))
    assert len(PolicyStore(state).entries()) == 3
    assert all(each.parent == state / "policies" for each in state.rglob("*.json"))


def test_what_was_deleted_stays_deleted(state: Path) -> None:
    store = PolicyStore(state)
    apply(store, policy("web"), policy("db"))
    store.delete([WEB])
    assert names(store) == names(PolicyStore(state)) == ["db"]


def test_nothing_is_deleted_if_one_is_not_there(state: Path) -> None:
    store = PolicyStore(state)
    apply(store, policy("web"))
    with pytest.raises(StoreError, match="there is no KubeArmorPolicy shop/absent"):
        store.delete([WEB, PolicyRef("KubeArmorPolicy", "shop", "absent")])
    assert names(PolicyStore(state)) == ["web"]


def test_only_root_can_read_or_write_what_is_kept(state: Path, watched: Path) -> None:
    (watched / "a.yaml").write_text("web")
    before = os.umask(0)
    try:
        store = PolicyStore(state)
        apply(store, policy("db"))
        store.set_postures(GLOBAL, {"file": "block"})
        store.load_directory(watched, fake_check)
    finally:
        os.umask(before)
    kept = [state, *state.rglob("*")]
    assert len(kept) == 5
    assert all(each.stat().st_mode & 0o077 == 0 for each in kept)


def test_a_directory_that_others_can_write_to_is_refused(state: Path) -> None:
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(HauberkError, match="only its owner"):
        PolicyStore(state)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_all_policies_are_replaced_or_none(state: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    store = PolicyStore(state)
    apply(store, policy("a", "old"), policy("b", "old"))
    synced = []
    real = os.fsync

    def fake_fsync(fd: int) -> None:
        synced.append(fd)
        if len(synced) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fsync", fake_fsync)
    with pytest.raises(StoreError, match="No space left"):
        apply(store, policy("a", "new"), policy("b", "new"), policy("c", "new"))
    monkeypatch.undo()
    assert {each.text for each in store.entries()} == {"old"}
    assert PolicyStore(state).entries() == store.entries()
    assert not list(state.rglob("*.new"))


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]"])
def test_a_damaged_file_is_told_and_the_others_count(state: Path, data: bytes) -> None:
    store = PolicyStore(state)
    apply(store, policy("web"))
    (damaged,) = (state / "policies").iterdir()
    apply(store, policy("db"))
    damaged.write_bytes(data)
    again = PolicyStore(state)
    assert names(again) == ["db"]
    assert "cannot be read" in again.faults[str(damaged)][0]


def test_files_of_the_watched_directory_count(state: Path, watched: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.json", "notes.txt", ".d.yaml", "e.yaml~"):
        (watched / name).write_text(name[0] if name[0] != "." else "hidden")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    assert [(each.ref.name, each.origin) for each in store.entries()] == [
        ("a", f"{watched}/a.yaml"),
        ("b", f"{watched}/b.yml"),
        ("c", f"{watched}/c.json"),
    ]


def test_a_file_that_is_gone_does_not_count_any_more(state: Path, watched: Path) -> None:
    (watched / "a.yaml").write_text("web")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    (watched / "a.yaml").unlink()
    store.load_directory(watched, fake_check)
    assert names(store) == names(PolicyStore(state)) == []


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("content", [b"bad", b"\xff"], ids=["fault", "no text"])
def test_of_a_file_with_a_fault_what_it_said_before_counts(
    state: Path, watched: Path, restarted: bool, content: bytes
) -> None:
    (watched / "a.yaml").write_text("web db")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    (watched / "a.yaml").write_bytes(content)
    if restarted:
        store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    assert names(store) == ["db", "web"]
    assert f"{watched}/a.yaml" in store.faults
    (watched / "a.yaml").write_text("db")
    store.load_directory(watched, fake_check)
    assert names(store) == ["db"]
    assert not store.faults


def test_a_file_that_was_never_without_faults_counts_for_nothing(state: Path, watched: Path) -> None:
    (watched / "a.yaml").write_text("bad")
    (watched / "b.yaml").write_text("web")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    assert names(store) == ["web"]
    assert store.faults == {f"{watched}/a.yaml": (f"{watched}/a.yaml:1: bad",)}


def test_what_is_no_regular_file_is_told_and_not_waited_for(state: Path, watched: Path) -> None:
    os.mkfifo(watched / "pipe.yaml")
    (watched / "directory.yaml").mkdir()
    (watched / "device.yaml").symlink_to("/dev/zero")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    assert [Path(each).name for each in store.faults] == ["device.yaml", "directory.yaml", "pipe.yaml"]


def test_a_file_that_is_too_large_is_told(
    state: Path, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILE", 1 << 20)
    (watched / "a.yaml").write_text(" " * ((1 << 20) + 1))
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    assert "larger than 1024 KiB" in store.faults[f"{watched}/a.yaml"][0]


def test_more_files_than_are_read_change_nothing(
    state: Path, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PolicyStore(state)
    (watched / "a.yaml").write_text("web")
    store.load_directory(watched, fake_check)
    monkeypatch.setattr(module, "MAX_FILES", 1)
    (watched / "b.yaml").write_text("db")
    store.load_directory(watched, fake_check)
    assert names(store) == ["web"]
    assert "more than 1 files" in store.faults[str(watched)][0]


def test_what_is_no_directory_is_told_and_changes_nothing(state: Path, watched: Path) -> None:
    (watched / "a.yaml").write_text("web")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    watched.rename(watched.with_name("aside"))
    watched.write_text("")
    store.load_directory(watched, fake_check)
    assert names(store) == ["web"]
    assert "Not a directory" in store.faults[str(watched)][0]
    watched.unlink()
    store.load_directory(watched, fake_check)
    assert names(store) == []
    assert not store.faults


def test_a_file_counts_before_what_was_applied_and_that_is_told(state: Path, watched: Path) -> None:
    store = PolicyStore(state)
    apply(store, policy("web", "applied"))
    (watched / "a.yaml").write_text("web")
    store.load_directory(watched, fake_check)
    assert [each.text for each in store.entries()] == ["web of web"]
    assert "was applied too" in store.faults[f"{watched}/a.yaml"][0]
    for change in (lambda: apply(store, policy("web", "new")), lambda: store.delete([WEB])):
        with pytest.raises(StoreError, match=f"comes from {watched}/a.yaml"):
            change()
    (watched / "a.yaml").unlink()
    store.load_directory(watched, fake_check)
    assert [each.text for each in store.entries()] == ["applied"]
    assert not store.faults


def test_of_two_files_with_one_policy_the_last_counts_and_that_is_told(state: Path, watched: Path) -> None:
    for name in ("b.yaml", "a.yaml"):
        (watched / name).write_text("web")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    assert [each.origin for each in store.entries()] == [f"{watched}/b.yaml"]
    assert f"is in {watched}/a.yaml too" in store.faults[f"{watched}/b.yaml"][0]


def test_an_unchanged_directory_writes_nothing(state: Path, watched: Path) -> None:
    (watched / "a.yaml").write_text("web")
    store = PolicyStore(state)
    store.load_directory(watched, fake_check)
    before = (state / "watched.json").stat()
    store.load_directory(watched, fake_check)
    assert (state / "watched.json").stat() == before


def test_files_count_though_they_cannot_be_kept_and_that_is_tried_again(
    state: Path, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched / "a.yaml").write_text("web")
    store = PolicyStore(state)

    def fake_fsync(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fake_fsync)
        store.load_directory(watched, fake_check)
    assert names(store) == ["web"]
    assert "No space left" in store.faults[f"{state}/watched.json"][0]
    store.load_directory(watched, fake_check)
    assert not store.faults
    assert names(PolicyStore(state)) == ["web"]


def test_postures_are_kept_by_scope_and_taken_back(state: Path) -> None:
    store = PolicyStore(state)
    store.set_postures(GLOBAL, {"file": "block", "network": "audit"})
    store.set_postures("namespace shop", {"file": "audit"})
    store.set_postures(GLOBAL, {"network": "default"})
    again = PolicyStore(state)
    assert again.scopes == {GLOBAL: {"file": "block"}, "namespace shop": {"file": "audit"}}
    assert again.postures("workload web") == {}
    again.set_postures(GLOBAL, {"file": "default"})
    assert PolicyStore(state).scopes == {"namespace shop": {"file": "audit"}}


def test_damaged_postures_are_told(state: Path) -> None:
    PolicyStore(state).set_postures(GLOBAL, {"file": "block"})
    (state / "postures.json").write_text("{")
    again = PolicyStore(state)
    assert again.scopes == {}
    assert "cannot be read" in again.faults[f"{state}/postures.json"][0]


def test_visibility_is_kept_by_scope_and_taken_back(state: Path) -> None:
    store = PolicyStore(state)
    store.set_visibility(GLOBAL, ("process", "dns"))
    store.set_visibility("workload web", ())
    assert PolicyStore(state).visibility == {GLOBAL: ("process", "dns"), "workload web": ()}
    store.set_visibility(GLOBAL, None)
    assert PolicyStore(state).visibility == {"workload web": ()}
