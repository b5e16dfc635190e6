# SPDX-License-Identifier: Apache-2.0
"""Reading bolt databases: small and large buckets, a writer at work, and files that are none."""

import os
import random
from pathlib import Path

import pytest

from hauberk.workloads.containers import bolt
from hauberk.workloads.containers.bolt import BoltError, Bucket, look, transaction
from hauberk.workloads.containers.records import GoneError, RecordError
from tests.workloads.containers.boltfile import Tree, write

LARGE: Tree = {b"%05d" % number: b"value %d" % number for number in range(3000)}
TREE: Tree = {
    b"v1": {b"ns": {b"labels": {b"a": b"1", b"b": b""}, b"empty": {}, b"spec": b"x" * 9000}},
    b"many": LARGE,
    b"odd \xff\0": {b"k": b"v"},
}


def read_all(root: Bucket) -> Tree:
    """Everything that can be reached."""

    def of(bucket: Bucket, known: Tree) -> Tree:
        found: Tree = dict(bucket.values())
        for key, value in known.items():
            if isinstance(value, dict):
                below = bucket.bucket(key)
                assert below is not None
                found[key] = of(below, value)
        return found

    return of(root, TREE)


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("size", [512, 4096, 16384])
def test_everything_that_was_written_is_read(tmp_path: Path, size: int, inline: bool) -> None:
    path = tmp_path / "db"
    write(path, TREE, size=size, inline=inline)
    assert look(str(path), read_all) == TREE


def test_each_key_is_found_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write(path, TREE)

    def use(root: Bucket) -> None:
        many = root.bucket(b"many")
        assert many is not None
        assert all(many.get(key) == value for key, value in LARGE.items())
        assert [many.get(key) for key in (b"", b"00000x", b"02999x", b"x")] == [None] * 4
        assert root.get(b"many") is None, "a bucket is no value"
        assert root.bucket(b"v1", b"ns", b"spec") is None, "a value is no bucket"
        assert root.bucket(b"v1", b"none", b"labels") is None

    look(str(path), use)


def test_the_later_of_two_valid_metas_counts(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write(path, TREE, transaction=9)
    data = bytearray(path.read_bytes())
    assert transaction(str(path)) == 9
    write(path, TREE, transaction=12)
    path.write_bytes(path.read_bytes()[:4096] + data[4096:])
    assert transaction(str(path)) == 11, "the first meta was written last"
    data[4096 + 16 + 20] ^= 1
    path.write_bytes(data)
    assert transaction(str(path)) == 8, "the second meta's checksum is wrong, the first one's is right"


@pytest.mark.parametrize("size", [1024, 4096, 8192])
def test_the_second_meta_is_found_where_the_first_is_torn(tmp_path: Path, size: int) -> None:
    path = tmp_path / "db"
    write(path, TREE, transaction=9, size=size)
    data = bytearray(path.read_bytes())
    data[:64] = bytes(64)
    path.write_bytes(data)
    assert transaction(str(path)) == 9
    assert look(str(path), read_all) == TREE


def test_what_a_transaction_changes_meanwhile_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write(path, {b"a": {b"k": b"old"}}, transaction=9)
    seen = []

    def use(root: Bucket) -> bytes | None:
        if not seen:
            data = bytearray((tmp_path / "new").read_bytes())
            with path.open("r+b") as file:
                file.write(data)
        found = root.bucket(b"a")
        seen.append(found.get(b"k") if found else None)
        return seen[-1]

    write(tmp_path / "new", {b"a": {b"k": b"new"}}, transaction=11)
    assert look(str(path), use) == b"new"
    assert len(seen) == 2


def test_a_database_that_never_rests_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "db"
    count = 9

    def use(root: Bucket) -> None:
        nonlocal count
        count += 2
        write(path.with_name("new"), TREE, transaction=count)
        with path.open("r+b") as file:
            file.write(path.with_name("new").read_bytes())

    write(path, TREE, transaction=count)
    with pytest.raises(BoltError, match="changed 5 times"):
        look(str(path), use)


def test_damage_is_an_error_or_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write(path, {key: value for key, value in TREE.items() if key != b"many"}, inline=False)
    whole = path.read_bytes()
    dice = random.Random(1)
    broken = 0
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 1, 8))):
            # Most of a page is empty: its head and elements are where damage does something.
            at = dice.randrange(len(data) // 4096) * 4096 + dice.choice(
                (dice.randrange(64), dice.randrange(4096))
            )
            data[at] = dice.randrange(256)
        path.write_bytes(data[: dice.choice((len(data), len(data), dice.randrange(len(data))))])
        try:
            look(str(path), lambda root: [list(each.values()) for each in buckets(root)])
        except BoltError:
            broken += 1
    assert 100 < broken < 600


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, 77, "says that it is page 77"),
        (8, 4, "kind 0x4"),
        (10, 5000, "more elements"),
        (12, 5000, "too long"),
        (12, 100, "cut off"),
        (16 + 12, 9000, "beyond the end"),
    ],
)
def test_each_kind_of_damage_is_noticed(tmp_path: Path, place: int, value: int, reason: str) -> None:
    path = tmp_path / "db"
    write(path, {b"key": b"value"})
    data = bytearray(path.read_bytes())
    root = int.from_bytes(data[4096 + 32 : 4096 + 40], "little") * 4096
    data[root + place : root + place + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(BoltError, match=reason):
        look(str(path), lambda bucket: bucket.get(b"key"))


def buckets(root: Bucket) -> list[Bucket]:
    found = (
        root,
        root.bucket(b"v1", b"ns"),
        root.bucket(b"v1", b"ns", b"labels"),
        root.bucket(b"odd \xff\0"),
    )
    return [each for each in found if each is not None]


def test_a_tree_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "db"
    write(path, LARGE)
    data = bytearray(path.read_bytes())
    root = int.from_bytes(data[4096 + 32 : 4096 + 40], "little")
    first = root * 4096 + 16
    data[first + 8 : first + 16] = root.to_bytes(8, "little")
    path.write_bytes(data)
    with pytest.raises(BoltError, match=r"too deep|too much"):
        look(str(path), lambda bucket: list(bucket.values()))
    with pytest.raises(BoltError, match="too deep"):
        look(str(path), lambda bucket: bucket.get(b"00000"))


def test_a_look_visits_only_so_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "db"
    write(path, LARGE)
    monkeypatch.setattr(bolt, "MAX_STEPS", 2999)
    with pytest.raises(BoltError, match="too much"):
        look(str(path), lambda bucket: list(bucket.values()))


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    for text in (b"", b"SQLite format 3\0" * 600, bytes(20_000)):
        path.write_bytes(text)
        with pytest.raises(BoltError, match="no bolt database"):
            transaction(str(path))
    path.unlink()
    with pytest.raises(GoneError):
        look(str(path), read_all)


def test_a_pipe_or_a_link_in_its_place_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordError, match="no regular file"):
        look(str(tmp_path / "pipe"), read_all)
    write(tmp_path / "db", TREE)
    (tmp_path / "link").symlink_to("db")
    with pytest.raises(RecordError, match="cannot open"):
        look(str(tmp_path / "link"), read_all)
    with pytest.raises(RecordError, match="does not belong to user"):
        look(str(tmp_path / "db"), read_all, owner=os.getuid() + 1)
