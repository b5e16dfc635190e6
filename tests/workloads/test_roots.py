# SPDX-License-Identifier: Apache-2.0
"""The root directory that a workload began in is found by whoever still has it."""

import os
from pathlib import Path

import pytest

from hauberk.kernel.namespaces import enter_root
from hauberk.workloads.command import Command
from hauberk.workloads.roots import Place, open_root, place_of


def test_it_is_found_through_the_process_that_is_named_or_any_other() -> None:
    for first in ((os.getpid(),), (), (1 << 30,)):
        fd = open_root(place_of(os.getpid()), first)
        assert fd is not None
        assert os.path.sameopenfile(fd, os.open("/", os.O_PATH))
        os.close(fd)


def test_where_no_process_is_nothing_is_found() -> None:
    assert open_root(Place(1, 2, 3), (os.getpid(),)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its root")
def test_a_process_that_went_to_another_root_does_not_stand_for_the_first(tmp_path: Path) -> None:
    mine = place_of(os.getpid())
    command = Command(["true"], lambda: enter_root(str(tmp_path)))
    try:
        there = place_of(command.pid)
        assert there != mine
        fd = open_root(mine, (command.pid,))
        assert fd is not None
        assert os.fstat(fd).st_ino == os.stat("/").st_ino
        os.close(fd)
        fd = open_root(there, ())
        assert fd is not None
        assert os.fstat(fd).st_ino == tmp_path.stat().st_ino
        os.close(fd)
    finally:
        command.abandon()
