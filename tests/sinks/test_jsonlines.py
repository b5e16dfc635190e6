# SPDX-License-Identifier: Apache-2.0
"""The JSON lines sink: files, and what goes wrong with them."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.events.alert import parse_event
from hauberk.sinks.errors import SinkError
from hauberk.sinks.jsonlines import JsonLines

from .conftest import make_alert
from .hostile import HOSTILE, event_of


def numbers(path: Path) -> list[int]:
    """The alerts in a file, by number; every line of it must be whole."""
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    lines = map(json.loads, text.splitlines())
    return [line["UID"] for line in lines if line.get("Type") != "SystemEvent"]


def gaps(path: Path) -> list[str]:
    """What the file says about missing events."""
    lines = map(json.loads, path.read_text().splitlines())
    return [line["Message"] for line in lines if line.get("Type") == "SystemEvent"]


def fill(disk: Path, leave: int) -> Path:
    """Take all of the disk's space but `leave` pages' worth."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(file.tell() - leave * 4096)
    return ballast


def test_each_alert_is_one_line(tmp_path):
    sink = JsonLines(str(tmp_path / "alerts"))
    sink.write([make_alert(1), make_alert(2)])
    sink.write([make_alert(3)])
    assert numbers(tmp_path / "alerts") == [1, 2, 3]
    sink.close()
    assert sink.lost == 0


def test_a_batch_is_one_write_however_large(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        os, "write", lambda fd, data, write=os.write: written.append(len(data)) or write(fd, data)
    )
    sink = JsonLines(str(tmp_path / "alerts"))
    sink.write([make_alert(number, size=1000) for number in range(256)])
    assert len(written) == 1
    sink.close()
    assert numbers(tmp_path / "alerts") == list(range(256))


def test_a_new_file_is_for_its_owner_only(tmp_path):
    JsonLines(str(tmp_path / "alerts")).close()
    assert (tmp_path / "alerts").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_appended_to_and_keeps_its_mode(tmp_path):
    path = tmp_path / "alerts"
    path.write_text('{"UID":0}\n')
    path.chmod(0o640)
    sink = JsonLines(str(path))
    sink.write([make_alert(1)])
    sink.close()
    assert numbers(path) == [0, 1]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_torn_last_line_of_an_earlier_life_does_not_spoil_the_first_new_one(tmp_path):
    path = tmp_path / "alerts"
    path.write_text('{"UID":0}\n{"UID')
    sink = JsonLines(str(path))
    sink.write([make_alert(1)])
    sink.write([make_alert(2)])
    sink.close()
    lines = path.read_text().splitlines()
    assert lines[1] == '{"UID'
    assert [json.loads(line)["UID"] for line in lines[2:]] == [1, 2]


def test_a_symbolic_link_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "victim").write_text("precious\n")
    (tmp_path / "alerts").symlink_to(tmp_path / "victim")
    with pytest.raises(SinkError, match="alerts") as caught:
        JsonLines(str(tmp_path / "alerts"))
    assert "symbolic link" in caught.value.remedy
    assert (tmp_path / "victim").read_text() == "precious\n"


def test_a_directory_a_pipe_and_a_missing_directory_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for target in (tmp_path, tmp_path / "pipe", tmp_path / "missing/alerts"):
        with pytest.raises(SinkError, match=target.name):
            JsonLines(str(target))


def test_the_null_device_takes_everything():
    sink = JsonLines("/dev/null")
    sink.write([make_alert(1)])
    sink.close()
    assert sink.lost == 0


def test_a_name_with_terminal_escapes_is_escaped_in_messages(tmp_path):
    with pytest.raises(SinkError) as caught:
        JsonLines(f"{tmp_path}/\x1b[2K/alerts")
    assert "\\x1b[2K" in caught.value.message


def test_a_full_device_loses_nothing_silently(warnings):
    sink = JsonLines("/dev/full", memory=1000, warn=warnings.append)
    for number in range(50):
        sink.write([make_alert(number)])
    assert 20 < sink.lost < 50
    sink.close()
    assert sink.lost == 50
    assert len(warnings) == 3
    assert "No space left on device" in warnings[0]
    assert "EVENTS ARE LOST" in warnings[1]
    assert "EVENTS ARE LOST" in warnings[2]


def test_what_is_dropped_is_counted_in_accesses(warnings):
    sink = JsonLines("/dev/full", memory=1000, warn=warnings.append)
    alert = make_alert(1, size=600)
    alert.Hauberk.Count = 40
    alert.Message += '"Count":7000'
    sink.write([alert])
    assert sink.lost == 0
    sink.write([alert, make_alert(2)])
    assert sink.lost == 41
    sink.close()
    assert sink.lost == 81


def test_a_full_disk_delays_and_loses_nothing_that_fits_in_memory(small_disk, warnings):
    path = small_disk / "alerts"
    sink = JsonLines(str(path), warn=warnings.append)
    ballast = fill(small_disk, leave=1)
    for number in range(100):
        sink.write([make_alert(number, size=100)])
    assert path.stat().st_size == 4096, "the disk was full in the middle of a line"
    ballast.unlink()
    sink.flush()
    assert numbers(path) == list(range(100))
    sink.write([make_alert(100)])
    sink.close()
    assert numbers(path) == list(range(101))
    assert sink.lost == 0
    assert gaps(path) == []
    assert [("cannot be written" in text, "again" in text) for text in warnings] == [
        (True, True),
        (False, True),
    ]


def test_a_full_disk_drops_what_exceeds_memory_and_marks_the_gap(small_disk, warnings):
    path = small_disk / "alerts"
    sink = JsonLines(str(path), memory=2000, warn=warnings.append)
    ballast = fill(small_disk, leave=1)
    for number in range(100):
        sink.write([make_alert(number, size=100)])
    lost = sink.lost
    assert lost > 50
    ballast.unlink()
    sink.write([make_alert(100), make_alert(101)])
    sink.close()
    assert numbers(path) == [*range(100 - lost), 100, 101]
    assert gaps(path) == [f"{lost} accesses are missing here: No space left on device"]
    assert sink.lost == lost
    assert sum("EVENTS ARE LOST" in text for text in warnings) == 1
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines.index(next(line for line in lines if line.get("Type"))) == 100 - lost


def test_a_line_torn_by_a_full_disk_is_written_again_if_somebody_else_wrote_since(small_disk, warnings):
    path = small_disk / "alerts"
    sink = JsonLines(str(path), warn=warnings.append)
    ballast = fill(small_disk, leave=1)
    for number in range(40):
        sink.write([make_alert(number, size=100)])
    ballast.unlink()
    with path.open("ab", buffering=0) as other:
        other.write(b'\n{"UID":1000}\n')
    sink.close()
    whole = []
    torn = 0
    for line in path.read_text().splitlines():
        try:
            whole.append(json.loads(line)["UID"])
        except json.JSONDecodeError:
            torn += 1
    assert sorted(whole) == [*range(40), 1000]
    assert torn == 1


def test_a_disk_that_stays_full_is_told_at_the_end(small_disk, warnings):
    path = small_disk / "alerts"
    sink = JsonLines(str(path), warn=warnings.append)
    fill(small_disk, leave=1)
    for number in range(100):
        sink.write([make_alert(number, size=100)])
    sink.close()
    written = path.read_bytes().count(b"\n")
    assert sink.lost == 100 - written > 0
    assert f"{sink.lost} could not be written" in warnings[-1]


def test_a_line_that_somebody_else_left_torn_on_the_full_disk_is_ended_first(small_disk, warnings):
    path = small_disk / "alerts"
    sink = JsonLines(str(path), warn=warnings.append)
    sink.write([make_alert(0)])
    # the rest of the file's page is padded, so that not one byte of the next alert finds room
    with path.open("ab", buffering=0) as other:
        other.write(b" " * (4095 - path.stat().st_size) + b"\n")
    ballast = fill(small_disk, leave=0)
    sink.write([make_alert(1)])
    assert path.stat().st_size == 4096
    ballast.unlink()
    with path.open("ab", buffering=0) as other:
        other.write(b'{"torn')
    sink.close()
    lines = path.read_text().splitlines()
    assert lines[-2].endswith('{"torn')
    assert json.loads(lines[-1])["UID"] == 1


class Disk:
    """Stands in for os.write: takes as many bytes as there is room for, tearing lines anywhere."""

    def __init__(self) -> None:
        self.room = 0

    def write(self, fd: int, data: bytes, _write=os.write) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = _write(fd, data[: self.room])
        self.room -= taken
        return taken


steps = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 7, 60, 150, 400, 2000]), st.lists(st.integers(0, 300), max_size=4)),
    max_size=30,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, memory=st.sampled_from([50, 200, 1000]), end=st.sampled_from([0, 50, 10**6]))
def test_whatever_the_disk_does_lines_stay_whole_and_the_losses_add_up(
    tmp_path, monkeypatch, steps, memory, end
):
    path = tmp_path / "alerts"
    path.unlink(missing_ok=True)
    disk = Disk()
    monkeypatch.setattr(os, "write", disk.write)
    sink = JsonLines(str(path), memory=memory, warn=lambda _: None)
    sent = 0
    for room, sizes in steps:
        disk.room += room
        sink.write([make_alert(sent + at, size=size) for at, size in enumerate(sizes)])
        sent += len(sizes)
    disk.room += end
    sink.close()

    *lines, rest = path.read_bytes().split(b"\n")
    events = [json.loads(line) for line in lines]
    arrived = [event["UID"] for event in events if event.get("Type") != "SystemEvent"]
    marked = sum(int(event["Message"].split()[0]) for event in events if event.get("Type") == "SystemEvent")
    assert arrived == sorted(set(arrived))
    assert len(arrived) == sent - sink.lost
    if end == 10**6:
        assert rest == b""
        assert marked == sink.lost


def test_a_file_that_was_renamed_or_removed_is_made_anew(tmp_path):
    path = tmp_path / "alerts"
    sink = JsonLines(str(path))
    sink.write([make_alert(1)])
    path.rename(tmp_path / "alerts.1")
    sink.write([make_alert(2)])
    assert numbers(tmp_path / "alerts.1") == [1]
    assert numbers(path) == [2]
    path.unlink()
    sink.write([make_alert(3)])
    sink.close()
    assert numbers(path) == [3]


def test_a_file_that_was_swapped_for_a_symbolic_link_is_not_followed(tmp_path, warnings):
    path = tmp_path / "alerts"
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    sink = JsonLines(str(path), warn=warnings.append)
    path.unlink()
    path.symlink_to(victim)
    sink.write([make_alert(1)])
    assert victim.read_text() == "precious\n"
    assert "cannot be written" in warnings[0]
    path.unlink()
    sink.write([make_alert(2)])
    sink.close()
    assert numbers(path) == [1, 2]
    assert sink.lost == 0


def test_a_relative_name_is_that_of_the_directory_at_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sink = JsonLines("alerts")
    monkeypatch.chdir("/")
    (tmp_path / "alerts").unlink()
    sink.write([make_alert(1)])
    sink.close()
    assert numbers(tmp_path / "alerts") == [1]


WRITER = """
import sys
from hauberk.events.alert import Alert, Extras
from hauberk.sinks.jsonlines import JsonLines
sink = JsonLines(sys.argv[1])
base = int(sys.argv[2])
for start in range(0, 2000, 50):
    sink.write([
        Alert(PPID=1, UID=base + start + at, Message="x" * (at * 7), Hauberk=Extras()) for at in range(50)
    ])
sink.close()
assert sink.lost == 0
"""


def test_two_writers_do_not_interleave(tmp_path):
    path = tmp_path / "alerts"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, str(base)]) for base in (0, 100_000)]
    assert [writer.wait() for writer in writers] == [0, 0]
    # an empty line is what a writer may leave that opens the file while the other is in mid-write
    found = [json.loads(line)["UID"] for line in path.read_text().splitlines() if line]
    assert sorted(found) == [*range(2000), *range(100_000, 102_000)]
    for base in (0, 100_000):
        mine = [number for number in found if base <= number < base + 2000]
        assert mine == sorted(mine)


LIMITED = """
import resource, sys
from hauberk.events.alert import Alert, Extras
from hauberk.sinks.jsonlines import JsonLines
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
sink = JsonLines(sys.argv[1], memory=10_000)
for number in range(100):
    sink.write([Alert(PPID=1, UID=number, Hauberk=Extras())])
sink.close()
print(sink.lost)
"""


def test_a_file_size_limit_is_trouble_like_any_other(tmp_path):
    path = tmp_path / "alerts"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    assert path.stat().st_size == 3000
    assert int(done.stdout) == 100 - path.read_bytes().count(b"\n") > 0
    assert "File too large" in done.stderr


TO_STDOUT = """
import sys
from hauberk.events.alert import Alert, Extras
from hauberk.sinks.jsonlines import JsonLines
sink = JsonLines("-", memory=int(sys.argv[2]))
count, size = int(sys.argv[1]), int(sys.argv[3])
for number in range(count):
    sink.write([Alert(PPID=1, UID=number, Message="x" * size, Hauberk=Extras())])
sink.close()
print(sink.lost, file=sys.stderr)
"""


def to_stdout(count: int, memory: int = 1 << 22, size: int = 0) -> list[str]:
    return [sys.executable, "-c", TO_STDOUT, str(count), str(memory), str(size)]


@pytest.mark.parametrize("size", [0, 20_000])
def test_a_pipe_gets_everything_although_its_reader_is_slower(size):
    writer = subprocess.Popen(to_stdout(150, size=size), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = writer.communicate()
    assert [json.loads(line)["UID"] for line in out.splitlines()] == list(range(150))
    assert err.split()[-1] == b"0"


def test_two_writers_on_one_pipe_do_not_interleave():
    read, write = os.pipe()
    command = [sys.executable, "-c", WRITER, "-"]
    writers = [subprocess.Popen([*command, str(base)], stdout=write) for base in (0, 100_000)]
    os.close(write)
    with os.fdopen(read, "rb") as reader:
        found = [json.loads(line)["UID"] for line in reader]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert sorted(found) == [*range(2000), *range(100_000, 102_000)]


SLOW = """
import os, time
now = [0.0]
def later():
    now[0] += 2
    return now[0]
time.monotonic = later
calls, write = [0], os.write
def reluctant(fd, data):
    calls[0] += 1
    if calls[0] % 2:
        raise BlockingIOError
    return write(fd, data)
os.write = reluctant
"""


def test_the_end_waits_for_a_reader_as_long_as_it_takes_something():
    command = [sys.executable, "-c", SLOW + TO_STDOUT, "200", str(1 << 22), "300"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.count(b"\n") == 200
    assert done.stderr.split()[-1] == b"0"


def test_standard_output_stays_blocking_for_those_who_share_it():
    check = "import fcntl, os; assert not fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK"
    done = subprocess.run(
        [*to_stdout(1)[:2], TO_STDOUT + check, "1", "99999", "0"], stdout=subprocess.PIPE, check=True
    )
    assert done.stdout.count(b"\n") == 1


def test_a_reader_that_goes_away_ends_it_with_one_warning():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(to_stdout(30), stdout=write, stderr=subprocess.PIPE, check=True)
    os.close(write)
    assert done.stderr.count(b"EVENTS ARE LOST") == 1
    assert done.stderr.split()[-1] == b"30"


def test_a_reader_that_stops_reading_costs_events_but_not_memory_or_time():
    read, write = os.pipe()
    script = TO_STDOUT.replace("sink.close()", "print('held', file=sys.stderr, flush=True); sink.close()")
    command = [sys.executable, "-c", script, "2000", "5000", "100"]
    writer = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert writer.stderr
    loud = writer.stderr.readline()
    assert b"EVENTS ARE LOST" in loud
    assert b"does not keep up" in loud
    assert writer.stderr.readline() == b"held\n"
    with os.fdopen(read, "rb") as reader:
        lines = [json.loads(line) for line in reader]
    _, err = writer.communicate()
    lost = int(err.split()[-1])
    arrived = [line["UID"] for line in lines if line.get("Type") != "SystemEvent"]
    marks = [line["Message"] for line in lines if line.get("Type") == "SystemEvent"]
    assert lost == 2000 - len(arrived) > 0
    assert marks == [f"{lost} accesses are missing here: its reader does not keep up"]


def test_standard_output_that_is_a_file_is_shared_with_others(tmp_path):
    path = tmp_path / "out"
    with path.open("wb") as out:
        out.write(b"before\n")
        out.flush()
        subprocess.run(to_stdout(3), stdout=out, check=True)
        out.seek(0, os.SEEK_END)
        out.write(b"after\n")
    lines = path.read_bytes().splitlines()
    assert (lines[0], lines[-1]) == (b"before", b"after")
    assert [json.loads(line)["UID"] for line in lines[1:-1]] == [0, 1, 2]


def test_a_closed_standard_output_is_an_error():
    script = "import os; os.close(1)\n" + TO_STDOUT
    done = subprocess.run([sys.executable, "-c", script, "1", "99", "0"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"SinkError: cannot write to standard output" in done.stderr


def test_a_terminal_that_closes_is_survived():
    main, terminal = os.openpty()
    script = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); sys.stdin.readline()\n" + TO_STDOUT
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, "5", "99999", "0"],
        stdin=subprocess.PIPE,
        stdout=terminal,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(terminal)
    os.close(main)
    _, err = writer.communicate(b"\n")
    assert writer.returncode == 0, err
    assert err.split()[-1] == b"5"
    assert b"EVENTS ARE LOST" in err


def test_nothing_is_raised_when_there_is_nobody_to_warn():
    read, write = os.pipe()
    os.close(read)
    script = TO_STDOUT.replace("print(", "sys.exit(sink.lost) or print(")
    done = subprocess.run(
        [sys.executable, "-c", script, "7", "99999", "0"], stdout=write, stderr=write, check=False
    )
    os.close(write)
    assert done.returncode == 7
    assert done.returncode != -signal.SIGPIPE


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_no_name_splits_or_forges_a_line(tmp_path, name):
    path = tmp_path / "alerts"
    sink = JsonLines(str(path))
    sink.write([event_of(name), event_of(name)])
    sink.close()
    assert path.read_text().replace("\n", "").isprintable()
    assert [parse_event(line) for line in path.read_bytes().splitlines()] == [event_of(name)] * 2


def test_a_file_is_rotated_before_it_is_too_large_and_no_line_is_lost_or_torn(tmp_path):
    path = tmp_path / "alerts"
    sink = JsonLines(str(path), most=4000, files=100)
    for number in range(0, 200, 5):
        sink.write([make_alert(number + more, size=(number * 7) % 900) for more in range(5)])
    sink.close()
    rotated = sorted(tmp_path.glob("alerts.*"), key=lambda each: -int(each.suffix[1:]))
    assert len(rotated) > 10
    assert [number for file in (*rotated, path) for number in numbers(file)] == list(range(200))
    assert max(file.stat().st_size for file in (*rotated, path)) <= 4000
    assert sink.lost == 0


def test_of_rotated_files_so_many_are_kept(tmp_path):
    path = tmp_path / "alerts"
    sink = JsonLines(str(path), most=1000, files=3)
    for number in range(50):
        sink.write([make_alert(number, size=500)])
    sink.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["alerts", "alerts.1", "alerts.2", "alerts.3"]
    assert [numbers(tmp_path / name) for name in ("alerts.3", "alerts.2", "alerts.1", "alerts")] == [
        [46],
        [47],
        [48],
        [49],
    ]


def test_a_line_that_is_longer_than_the_bound_has_a_file_of_its_own(tmp_path):
    path = tmp_path / "alerts"
    sink = JsonLines(str(path), most=1000, files=9)
    sink.write([make_alert(1), make_alert(2, size=5000), make_alert(3)])
    sink.close()
    assert [numbers(tmp_path / name) for name in ("alerts.2", "alerts.1", "alerts")] == [[1], [2], [3]]


def test_somebody_elses_torn_line_goes_with_the_file_that_it_is_in(tmp_path):
    path = tmp_path / "alerts"
    path.write_text('{"UID":1}\n{"UID":')
    sink = JsonLines(str(path), most=20, files=9)
    sink.write([make_alert(2)])
    sink.close()
    assert numbers(path) == [2]
    assert (tmp_path / "alerts.1").read_text() == '{"UID":1}\n{"UID":'


def test_a_file_that_cannot_be_rotated_grows(tmp_path, monkeypatch, warnings):
    def refuse(source, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("hauberk.sinks.rotation.os.replace", refuse)
    sink = JsonLines(str(tmp_path / "alerts"), most=1000, files=9, warn=warnings.append)
    for number in range(9):
        sink.write([make_alert(number, size=500)])
    sink.close()
    assert numbers(tmp_path / "alerts") == list(range(9))
    assert warnings == [f"{tmp_path}/alerts cannot be rotated, and grows: Permission denied"]


def test_two_writers_of_a_file_that_rotates_lose_nothing(tmp_path):
    path = tmp_path / "alerts"
    sinks = [JsonLines(str(path), most=3000, files=1000) for _ in range(2)]
    for number in range(100):
        sinks[number % 2].write([make_alert(number, size=200)])
    for sink in sinks:
        sink.close()
    told = [number for file in tmp_path.iterdir() for number in numbers(file)]
    assert sorted(told) == list(range(100))
