# SPDX-License-Identifier: Apache-2.0
"""A hash is that of the file that was there, or there is none."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hauberk.events.hashes import TICK_NS, Hashes, container_root

LATER = 1 << 62
"""Long after everything."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/app").write_bytes(b"program")
    return tmp_path / "bin/app"


def of(file: Path, before: int = LATER, hashes: Hashes | None = None, path: bytes = b"/bin/app") -> str:
    return (hashes or Hashes()).of(str(file.parent.parent), path, before)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_that_has_not_changed_since_has_its_hash(file: Path) -> None:
    changed = file.stat().st_ctime_ns
    assert of(file, changed + TICK_NS) == sha(b"program")
    assert of(file, changed + TICK_NS - 1) == ""


def _link(file: Path) -> None:
    (file.parent / "other").write_bytes(b"other")
    file.unlink()
    file.symlink_to("other")


def _linked_directory(file: Path) -> None:
    file.parent.rename(file.parent.with_name("moved"))
    file.parent.symlink_to("moved")


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "change",
    [Path.unlink, _link, _linked_directory, _pipe, lambda file: os.truncate(file, (64 << 20) + 1)],
    ids=["gone", "a link", "a link on the way", "a pipe", "too large"],
)
def test_what_cannot_be_vouched_for_has_none(file: Path, change: Callable[[Path], None]) -> None:
    assert of(file) == sha(b"program")
    change(file)
    assert of(file) == ""


@pytest.mark.parametrize(
    "path", [b"/bin/../bin/app", b"/bin", b"/bin/app/x", b"/bin/a\0", b"/" + b"x" * 5000, b"/nowhere"]
)
def test_what_is_no_path_of_a_file_has_none(file: Path, path: bytes) -> None:
    assert of(file, path=path) == ""


def test_a_file_is_read_once_while_it_stays_as_it_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = Hashes(remembered=1)
    computed: list[int] = []
    compute = hashes._compute

    def counted(fd: int) -> str:
        computed.append(fd)
        return compute(fd)

    monkeypatch.setattr(hashes, "_compute", counted)
    assert [of(file, hashes=hashes) for _ in range(3)] == [sha(b"program")] * 3
    assert len(computed) == 1
    file.write_bytes(b"pr0gram")
    assert of(file, hashes=hashes) == sha(b"pr0gram")
    (file.parent / "b").write_bytes(b"b")
    assert of(file, hashes=hashes, path=b"/bin/b") == sha(b"b")
    assert len(hashes._known) == 1


def test_a_file_that_changes_while_it_is_read_has_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = Hashes()

    def changed(fd: int) -> str:
        file.write_bytes(b"longer than before")
        return "x"

    monkeypatch.setattr(hashes, "_compute", changed)
    assert of(file, hashes=hashes) == ""
    assert not hashes._known


def test_the_root_of_a_process_that_is_gone_is_none() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert container_root(child) == ""
    assert container_root(os.getpid()) == f"/proc/{os.getpid()}/root"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root")
def test_a_process_that_has_changed_its_root_has_none_that_counts(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        os.chroot(tmp_path)
        time.sleep(600)
        os._exit(0)
    try:
        deadline = time.monotonic() + 60
        while container_root(child):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert os.path.samefile(f"/proc/{child}/root", tmp_path)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
