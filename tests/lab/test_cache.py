# SPDX-License-Identifier: Apache-2.0
"""The cache: entries are complete or absent."""

from pathlib import Path

import pytest

from hauberk.lab.cache import cache_root, make_entry


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    made = []

    def fill(scratch: Path) -> None:
        made.append(scratch)
        (scratch / "file").write_text("contents")

    entry = tmp_path / "kernels" / "one"
    assert make_entry(entry, fill) == entry
    assert make_entry(entry, fill) == entry
    assert len(made) == 1
    assert (entry / "file").read_text() == "contents"


def test_an_interrupted_entry_leaves_nothing(tmp_path: Path) -> None:
    def fill(scratch: Path) -> None:
        (scratch / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_entry(tmp_path / "entry", fill)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAUBERK_CACHE", "/somewhere")
    assert cache_root() == Path("/somewhere")
    monkeypatch.delenv("HAUBERK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_root() == Path("/xdg/hauberk")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_root() == Path("/home/somebody/.cache/hauberk")
