# SPDX-License-Identifier: Apache-2.0
"""Files with several names are found by what names them."""

import os
from pathlib import Path

import pytest

from hauberk.automaton.patterns import Directory, Exact
from hauberk.workloads import links
from hauberk.workloads.links import find_links


def _root(tmp_path: Path) -> bytes:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text("")
    os.link(tmp_path / "etc/shadow", tmp_path / "etc/other")
    (tmp_path / "etc/alone").write_text("")
    (tmp_path / "conf").symlink_to("etc")
    return os.fsencode(tmp_path)


def test_of_paths_those_with_several_links_are_found(tmp_path: Path) -> None:
    paths = (
        b"/etc/shadow",
        b"/etc/alone",
        b"/etc/gone",
        b"/conf/other",
        b"/none/shadow",
        b"/none/other",
        b"memfd:x",
    )
    found = find_links(_root(tmp_path), map(Exact, paths), frozenset())
    assert found.names == {b"/etc/shadow", b"/conf/other"}
    assert not found.left_out


def test_a_path_directly_below_the_root_is_looked_at(tmp_path: Path) -> None:
    root = _root(tmp_path)
    os.link(tmp_path / "etc/alone", tmp_path / "top")
    assert find_links(root, [Exact(b"/top")], frozenset()).names == {b"/top"}


def test_files_of_a_directory_that_does_not_exist_are_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bytes] = []
    monkeypatch.setattr(links, "_has_links", lambda path: looked.append(path) or False)
    find_links(
        _root(tmp_path), [Exact(b"/none/%d" % n) for n in range(9)] + [Exact(b"/etc/gone")], frozenset()
    )
    assert looked == [os.fsencode(tmp_path) + b"/etc/gone"]


def test_what_the_budget_does_not_reach_is_told_with_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "ENTRIES", 1)
    directory = Directory(b"/etc")
    found = find_links(_root(tmp_path), [Exact(b"/none/x"), Exact(b"/none/y"), directory], frozenset())
    assert found.left_out == {Exact(b"/none/y"): b"/none", directory: b"/etc"}
