# SPDX-License-Identifier: Apache-2.0
"""Only what root alone could have written is read."""

import os
from pathlib import Path

import pytest

from hauberk.agent.config.file import MAX_BYTES, FileError, read_file
from hauberk.agent.config.load import SettingsError, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text("cluster: blue\n")
    path.chmod(0o644)
    return path


def test_a_file_of_root_is_read(file: Path) -> None:
    assert read_file(file) == b"cluster: blue\n"


def test_a_missing_file_is_a_fault_only_where_it_was_named(tmp_path: Path) -> None:
    assert read_file(tmp_path / "none" / "agent.yaml") is None
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "agent.yaml", {}, {})
    assert caught.value.faults == (f"{tmp_path}/agent.yaml: there is no such file",)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_can_write_to_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(SettingsError) as caught:
        load(file, {}, {})
    assert caught.value.faults == (f"{file}: others than its owner can write to it (chmod go-w {file})",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_refused(file: Path) -> None:
    os.chown(file, 1000, 0)
    with pytest.raises(FileError, match="user 1000 owns it"):
        read_file(file)


def test_a_directory_in_which_others_could_replace_it_is_refused(file: Path) -> None:
    file.parent.chmod(0o777)
    with pytest.raises(FileError, match="write to its directory"):
        read_file(file)
    file.parent.chmod(0o1777)
    assert read_file(file) is not None


def test_a_link_is_judged_by_what_it_leads_to(file: Path) -> None:
    link = file.parent / "link"
    link.symlink_to(file.name)
    assert read_file(link) == b"cluster: blue\n"
    file.chmod(0o666)
    with pytest.raises(FileError, match="write to it"):
        read_file(link)


def test_a_pipe_does_not_hold_the_agent_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(FileError, match="not a regular file"):
            read_file(path)


def test_a_file_has_a_most(file: Path) -> None:
    file.write_bytes(b"#" * MAX_BYTES)
    assert read_file(file) is not None
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(FileError, match="larger than 1024 KiB"):
        read_file(file)


def test_a_path_that_cannot_be_opened_is_told_of(file: Path) -> None:
    for path in (file / "below", Path("/a\0b")):
        with pytest.raises(FileError, match="cannot be read"):
            read_file(path)
