# SPDX-License-Identifier: Apache-2.0
"""Events of directories: each with its path and name, and what is lost is told."""

from pathlib import Path
from select import select

import pytest

from hauberk.kernel import inotify
from hauberk.kernel.errors import KernelError
from hauberk.kernel.inotify import Event, Inotify


def test_events_have_the_path_and_the_name_of_the_entry(tmp_path: Path) -> None:
    with Inotify() as watched:
        watched.add(tmp_path, inotify.CREATE | inotify.DELETE)
        assert watched.read() == []
        (tmp_path / "a name").touch()
        (tmp_path / "directory").mkdir()
        (tmp_path / "a name").unlink()
        assert select([watched], [], [], 5)[0]
        assert watched.read() == [
            Event(str(tmp_path), inotify.CREATE, "a name"),
            Event(str(tmp_path), inotify.CREATE | inotify.ISDIR, "directory"),
            Event(str(tmp_path), inotify.DELETE, "a name"),
        ]


def test_a_name_that_is_no_text_can_be_used_as_a_path(tmp_path: Path) -> None:
    with Inotify() as watched:
        watched.add(tmp_path, inotify.CREATE)
        Path(str(tmp_path), "\udcff").touch()
        (event,) = watched.read()
        assert Path(event.path, event.name).exists()


def test_two_directories_are_told_apart_and_one_can_be_left(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    with Inotify() as watched:
        for path in (first, second):
            path.mkdir()
            watched.add(path, inotify.CREATE)
        watched.remove(first)
        watched.remove(tmp_path)
        (first / "x").touch()
        (second / "y").touch()
        assert watched.read() == [
            Event(str(first), inotify.IGNORED),
            Event(str(second), inotify.CREATE, "y"),
        ]
        assert watched.paths == {str(second)}


def test_what_goes_away_is_told(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with Inotify() as watched:
        watched.add(place, inotify.CREATE | inotify.DELETE_SELF)
        place.rmdir()
        assert watched.read() == [
            Event(str(place), inotify.DELETE_SELF),
            Event(str(place), inotify.IGNORED),
        ]
        assert watched.paths == set()


def test_lost_events_are_told(tmp_path: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 100_000:
        pytest.skip(f"the queue takes {most} events")
    with Inotify() as watched:
        watched.add(tmp_path, inotify.CREATE | inotify.DELETE)
        for _ in range(most // 2 + 1):
            (tmp_path / "x").touch()
            (tmp_path / "x").unlink()
        events = []
        while batch := watched.read():
            events += batch
        assert len(events) == most + 1
        assert events[-1] == Event("", inotify.OVERFLOW)


def test_what_is_not_there_or_no_directory_cannot_be_watched(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Inotify() as watched:
        for name, told in (("none", "No such file"), ("file", "Not a directory")):
            with pytest.raises(KernelError, match=told):
                watched.add(tmp_path / name, inotify.CREATE | inotify.ONLYDIR)
