# SPDX-License-Identifier: Apache-2.0
"""The history: what is kept is there after any end, within its bounds, and what is not kept is told."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.where import Term
from hauberk.sinks.history import History, HistoryError
from hauberk.sinks.recall import ROWS, Hole, Kept, Recall, Span

BOTH = ("alert", "log")


def alert(time: int = 0, **fields: object) -> Alert:
    fields = {"Hauberk": Extras(), "Action": "Block", "PolicyName": "guard"} | fields
    return Alert(PPID=0, UID=0, Timestamp=time, **fields)  # type: ignore[arg-type]


def log(time: int = 0, **fields: object) -> Log:
    return Log(PPID=0, UID=0, Timestamp=time, Type="ContainerLog", Hauberk=Extras(), **fields)  # type: ignore[arg-type]


def keep(history: History, *events: Alert | Log) -> None:
    history.write(list(enumerate(events, history.next)))


def recalled(path: Path, **span: object) -> list[Kept | Hole]:
    with closing(Recall(path, Span(**span))) as recall:  # type: ignore[arg-type]
        return list(recall)


def resources(path: Path, **span: object) -> list[str]:
    found = recalled(path, **span)
    return [msgspec.json.decode(each.event).get("Resource", "") for each in found if isinstance(each, Kept)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_numbers_go_on_after_the_end(path: Path) -> None:
    history = History(path, 4)
    first = history.next
    keep(history, alert(Resource="a"), log(Resource="b"))
    history.close()
    again = History(path, 4)
    assert again.next == first + 2
    keep(again, alert(Resource="c"))
    assert resources(path, kinds=BOTH) == ["a", "b", "c"]
    assert [each.number for each in recalled(path, kinds=BOTH)] == [first, first + 1, first + 2]


def test_only_its_owner_can_read_it(path: Path) -> None:
    mask = os.umask(0)
    try:
        keep(History(path, 4), alert())
    finally:
        os.umask(mask)
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob("history.db*")} == {0o600}


WRITER = """
import sys
from pathlib import Path
from hauberk.events.alert import Alert, Extras
from hauberk.sinks.history import History
history = History(Path(sys.argv[1]), 4)
while True:
    batch = [Alert(PPID=0, UID=0, Message="x" * 500, Hauberk=Extras()) for _ in range(50)]
    history.write(list(enumerate(batch, history.next)))
    assert not history.lost
    print(history.next - 1, flush=True)
"""


@pytest.mark.parametrize("batches", [1, 30, 200])
def test_what_was_written_survives_sigkill(path: Path, batches: int) -> None:
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        for _ in range(batches):
            confirmed = int(writer.stdout.readline())
        writer.kill()
        confirmed = int((writer.stdout.read().splitlines() or [confirmed])[-1])
    assert writer.returncode == -signal.SIGKILL
    history = History(path, 4)
    assert history.aside == ""
    assert history.next > confirmed
    numbers = [each.number for each in recalled(path)]
    assert numbers[-1] >= confirmed
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "none in between is missing"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_it_stays_within_its_bounds_and_the_newest_stay(path: Path) -> None:
    history = History(path, 4)
    largest = 0
    for _ in range(120):
        keep(history, *(alert(Message="x" * 900, HostPID=place) for place in range(100)))
        largest = max(largest, sum(each.stat().st_size for each in path.parent.iterdir()))
    assert 2 << 20 < largest <= 4 << 20
    assert history.lost == 0
    numbers = [each.number for each in recalled(path)]
    assert numbers == list(range(history.next - len(numbers), history.next))
    assert len(numbers) > 1000


def test_logs_cannot_push_alerts_out(path: Path) -> None:
    history = History(path, 4)
    keep(history, alert(Resource="the one"))
    for _ in range(120):
        keep(history, *(log(Data="x" * 900) for _ in range(100)))
    assert resources(path) == ["the one"]
    assert len(recalled(path, kinds=["log"])) < 12_000


def test_smaller_bounds_hold_from_the_next_start_on(path: Path) -> None:
    history = History(path, 16)
    for _ in range(120):
        keep(history, *(alert(Message="x" * 900) for _ in range(100)))
    history.close()
    assert path.stat().st_size > 8 << 20
    history = History(path, 4)
    history.close()
    assert path.stat().st_size <= 4 << 20
    assert len(recalled(path)) > 1000


def test_who_goes_on_from_a_number_is_told_of_what_was_dropped(path: Path) -> None:
    history = History(path, 4)
    first = history.next
    for _ in range(120):
        keep(history, *(alert(Message="x" * 900) for _ in range(100)))
    hole, oldest, *_ = recalled(path, after=first)
    assert hole == Hole(oldest.number - 1, 0, "older events were dropped from the history to make room")
    assert [type(each) for each in recalled(path, after=history.next - 3)] == [Kept, Kept]


@pytest.mark.parametrize("where", [0, 8192, 40960])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(path: Path, where: int) -> None:
    history = History(path, 4)
    keep(history, *(alert(Message="x" * 900) for _ in range(200)))
    history.close()
    with path.open("r+b") as file:
        file.seek(where)
        file.write(os.urandom(4096))
    history = History(path, 4)
    before = history.next
    keep(history, alert(Resource="new"), log())
    if not history.aside:
        # Writing has not come by the damaged page; who reads tells.
        with pytest.raises(HistoryError) as caught:
            recalled(path, kinds=BOTH)
        assert caught.value.damaged
        history.set_aside("it was damaged")
        keep(history, alert(Resource="new"))
    assert f"{path}.damaged is" not in history.aside
    assert f"{path}.damaged" in history.aside
    assert "new" in resources(path)
    assert history.next > before
    assert history.lost == 0


def test_a_file_of_another_version_is_moved_aside(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alert (number)")
        connection.execute("PRAGMA user_version = 99")
    history = History(path, 4)
    assert "its version is 99" in history.aside
    keep(history, alert(Resource="new"))
    assert resources(path) == ["new"]


def test_a_file_that_was_removed_is_made_anew(path: Path) -> None:
    history = History(path, 4)
    keep(history, alert(Resource="before"))
    path.unlink()
    keep(history, alert(Resource="after"))
    assert resources(path) == ["after"]
    assert history.lost == 0


def test_only_one_process_gives_numbers(path: Path) -> None:
    history = History(path, 4)
    with pytest.raises(HistoryError, match="another process writes") as caught:
        History(path, 4)
    assert caught.value.busy
    history.close()
    History(path, 4).close()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HistoryError):
        History(path, 4)
    assert not (tmp_path / "elsewhere").exists()


FULL = """
import json
from contextlib import suppress
from pathlib import Path
from hauberk.events.alert import Alert, Extras
from hauberk.sinks.history import History
from hauberk.sinks.recall import Recall, Span

def keep(history, message=""):
    history.write([(history.next, Alert(PPID=0, UID=0, Message=message, Hauberk=Extras(Count=7)))])
    return history.lost, history.findings

disk = Path("/mnt")
history = History(disk / "history.db", 4)
told = [keep(history)]
with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
    while True:
        file.write(bytes(4096))
told += [keep(history, "x" * 20_000) for _ in range(3)]
(disk / "ballast").unlink()
told.append(keep(history))
print(json.dumps([told, list(Recall(disk / "history.db", Span()))], default=repr))
"""


def test_on_a_full_disk_losses_are_counted_and_told_in_their_place() -> None:
    # SQLite wants to see the disk under its real path.
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    script = 'mount -t tmpfs -o size=1m small /mnt || exit 77; exec "$@"'
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    done = subprocess.run([*unshare, sys.executable, "-c", FULL], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"this environment does not let root mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    told, (first, hole, last) = json.loads(done.stdout)
    assert [lost for lost, _ in told] == [0, 7, 14, 21, 21]
    assert [len(findings) for _, findings in told] == [0, 1, 1, 1, 0]
    assert "cannot be written" in told[1][1][0]
    assert hole == [first[0] + 1, 21, "the history could not be written: database or disk is full"]
    assert last[0] == first[0] + 4


def test_gaps_stand_in_their_place(path: Path) -> None:
    history = History(path, 4)
    keep(history, alert())
    history.miss(5, "nobody was there")
    keep(history, alert())
    first, hole, second = recalled(path)
    assert hole == Hole(second.number, 5, "nobody was there")
    assert recalled(path, limit=2) == [first, hole, second]
    assert first.number + 1 == second.number


def test_a_reader_that_does_not_let_go_costs_events_and_not_room(path: Path) -> None:
    history = History(path, 4)
    keep(history, alert())
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM alert").fetchall()
        for _ in range(120):
            keep(history, *(alert(Message="x" * 900) for _ in range(100)))
        assert sum(each.stat().st_size for each in path.parent.iterdir()) <= 4 << 20
        assert history.lost
        assert "another program reads it" in history.findings[0]
    keep(history, alert(Resource="again"))
    assert resources(path)[-1] == "again"
    assert sum(each.accesses for each in recalled(path) if isinstance(each, Hole)) == history.lost


def test_spans(path: Path) -> None:
    history = History(path, 4)
    events = [
        alert(time, Resource=f"a{time}") if time % 2 else log(time, Resource=f"l{time}")
        for time in range(1, 9)
    ]
    keep(history, *events)
    assert resources(path) == ["a1", "a3", "a5", "a7"]
    assert resources(path, kinds=BOTH, since=3_000_000, until=6_000_000) == ["a3", "l4", "a5"]
    assert resources(path, kinds=BOTH, limit=3) == ["l6", "a7", "l8"]
    assert resources(path, limit=2, until=6_000_000) == ["a3", "a5"]
    assert resources(path, after=history.next - 3) == ["a7"]


def test_more_than_is_read_at_once_comes_in_order(path: Path) -> None:
    history = History(path, 16)
    count = ROWS * 2 + 7
    keep(history, *(alert() if place % 3 else log() for place in range(count)))
    for span in ({}, {"limit": count}):
        numbers = [each.number for each in recalled(path, kinds=BOTH, **span)]
        assert numbers == list(range(history.next - count, history.next))


def test_conditions(path: Path) -> None:
    history = History(path, 4)
    keep(
        history,
        alert(Resource="/etc/shadow", NamespaceName="shop", Hauberk=Extras(Call="open")),
        alert(Resource="/etc/passwd", NamespaceName="host", Hauberk=Extras(Call="rename")),
    )

    def found(*terms: Term) -> list[str]:
        return resources(path, where=(terms,))

    assert found(Term("NamespaceName", "=", "shop")) == ["/etc/shadow"]
    assert found(Term("NamespaceName", "!=", "shop")) == ["/etc/passwd"]
    assert found(Term("Hauberk.Call", "=", "rename")) == ["/etc/passwd"]
    assert found(Term("Resource", "~", "/etc/*")) == ["/etc/shadow", "/etc/passwd"]
    assert found(Term("NamespaceName", "=", "shop"), Term("Hauberk.Call", "=", "rename")) == [
        "/etc/shadow",
        "/etc/passwd",
    ]


def test_a_copy_can_be_read_where_nobody_may_write(path: Path, tmp_path: Path) -> None:
    history = History(path, 4)
    keep(history, alert(Resource="a"))
    history.close()
    there = tmp_path / "there"
    there.mkdir()
    copy = there / "copy.db"
    copy.write_bytes(path.read_bytes())
    script = (
        "import os, sys; from tests.sinks.test_history import resources, Path; "
        "os.setgid(65534); os.setuid(65534); print(resources(Path(sys.argv[1])))"
    )
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")
    copy.chmod(0o644)
    for directory in (there, *tmp_path.parents[:3], tmp_path):
        directory.chmod(directory.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", script, str(copy)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "['a']\n", done.stderr
