# SPDX-License-Identifier: Apache-2.0
"""Pins: what one process leaves, another adopts; removing them is what ends their life."""

import errno
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hauberk.kernel.errors import PinError
from hauberk.kernel.libbpf import BpfObject, run_task_iter
from hauberk.kernel.pins import Pinned, is_bpffs
from hauberk.kernel.unpinning import unpin

Load = Callable[..., BpfObject]


@pytest.fixture
def bpffs(tmp_path: Path) -> Iterator[Path]:
    """A bpffs of this test's own."""
    mounted = tmp_path / "bpffs"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", str(mounted)], check=True)
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def test_what_was_pinned_is_adopted_with_its_contents(load: Load, bpffs: Path) -> None:
    directory = bpffs / "hauberk"
    with BpfObject.open(load().data, disabled={"unsafe_read"}) as obj:
        obj.load()
        obj.map("table").update(bytes(4), b"x" * 32)
        obj.pin(directory)
        (directory / "links").mkdir()
        with obj.program("list_tasks").attach() as link:
            link.pin(directory / "links" / "list_tasks")
        pinned = {*obj.maps, *obj.programs}
    with Pinned.adopt(directory) as found:
        assert {*found.maps, *found.programs} == {name.replace(".", "_") for name in pinned}
        assert found.maps["table"].lookup(bytes(4)) == b"x" * 32
        assert found.links["list_tasks"].id > 0
        seen = set(struct.iter_unpack("=ii", run_task_iter(found.programs["list_tasks"])))
        assert (os.getpid(), os.getpid()) in seen


def test_an_adopted_program_does_not_know_where_it_attaches(load: Load, bpffs: Path) -> None:
    load().pin(bpffs / "hauberk")
    with Pinned.adopt(bpffs / "hauberk") as found, pytest.raises(ValueError, match="open object"):
        found.programs["list_tasks"].attach()


def test_unpinning_leaves_nothing(load: Load, bpffs: Path) -> None:
    before = set(bpffs.iterdir())  # a kernel may put iterators of its own there
    load().pin(bpffs / "hauberk")
    unpin(bpffs / "hauberk")
    assert set(bpffs.iterdir()) == before


def test_a_directory_without_pins_adopts_nothing(bpffs: Path) -> None:
    with Pinned.adopt(bpffs / "absent") as found:
        assert (found.maps, found.programs, found.links) == ({}, {}, {})


def test_pinning_outside_a_bpffs_is_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(PinError, match="pinning") as caught:
        load().pin(tmp_path / "hauberk")
    assert caught.value.errno == errno.EPERM


def test_a_pin_that_fails_takes_back_those_before_it(load: Load, bpffs: Path) -> None:
    directory = bpffs / "hauberk"
    load().pin(directory)
    names = sorted(path.name for path in (directory / "programs").iterdir())
    (directory / "programs" / names[0]).unlink()
    for path in (directory / "maps").iterdir():
        path.unlink()
    with pytest.raises(PinError) as caught:
        load().pin(directory)
    assert caught.value.errno == errno.EEXIST
    assert list((directory / "maps").iterdir()) == []
    assert sorted(path.name for path in (directory / "programs").iterdir()) == names[1:]


def test_a_bpffs_is_told_from_other_directories(bpffs: Path, tmp_path: Path) -> None:
    assert is_bpffs(bpffs)
    assert not is_bpffs(tmp_path)
    assert not is_bpffs(tmp_path / "absent")


def test_a_bpffs_is_known_beside_mounts_of_any_name(bpffs: Path) -> None:
    odd = bpffs.parent / os.fsdecode(b"\xff\r \n\xc2\x85")
    odd.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "odd", odd], check=True)
    try:
        assert is_bpffs(bpffs)
        assert not is_bpffs(odd)
    finally:
        subprocess.run(["umount", odd], check=True)
