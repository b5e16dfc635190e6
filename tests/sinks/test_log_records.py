# SPDX-License-Identifier: Apache-2.0
"""Events in the machine's own logs: read back by those logs, whatever names are in them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.alert import Alert, Extras, Log, parse_event
from hauberk.sinks.datagrams import Datagrams
from hauberk.sinks.log_records import journal_record, one_line, severity_of, syslog_record
from tests.sinks.debian import unpacked
from tests.sinks.hostile import HOSTILE, event_of

JOURNALD = Path("/lib/systemd/systemd-journald")
HEAD = re.compile(rb"<(\d+)>1 (\S+) (\S+) hauberk - (\w+) - ")


def alert(**more: Any) -> Alert:
    made = Alert(PPID=0, UID=0, Type="MatchedPolicy", Action="Block", PolicyName="guard", Hauberk=Extras())
    made.UpdatedTime = "2026-01-01T00:00:00.000000Z"
    for key, value in more.items():
        setattr(made, key, value)
    return made


def fields(record: bytes) -> dict[str, bytes]:
    """A record of the journal's protocol, by its description."""
    found: dict[str, bytes] = {}
    while record:
        line, _, rest = record.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, record = rest[8 : 8 + size], rest[8 + size :]
            assert record[:1] == b"\n"
            record = record[1:]
        else:
            record = rest
        assert name.decode() not in found
        found[name.decode()] = value
    return found


def until(there: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := there()):
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0.1)
    return found


@pytest.fixture
def datagrams() -> Iterator[Callable[..., Datagrams]]:
    """Makes what sends to a socket, and closes it."""
    made: list[Datagrams] = []

    def make(path: Path, **more: Any) -> Datagrams:
        made.append(Datagrams(str(path), **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(TEXTS, TEXTS, TEXTS)
def test_every_text_comes_back_from_a_record_of_the_journal(name: str, resource: str, label: str) -> None:
    event = alert(PolicyName=name, Resource=resource, Labels=label)
    found = fields(journal_record(event))
    assert found.get("HAUBERK_POLICY", b"").decode() == name
    assert found.get("HAUBERK_RESOURCE", b"").decode() == resource
    assert found["MESSAGE"].decode().isprintable()
    assert parse_event(found["HAUBERK_EVENT"]) == event


@given(TEXTS, TEXTS, TEXTS)
def test_every_text_comes_back_from_one_line_of_syslog(name: str, resource: str, host: str) -> None:
    event = alert(PolicyName=name, Resource=resource)
    record = syslog_record(event, host)
    assert record.decode().isprintable()
    head = HEAD.match(record)
    assert head
    assert parse_event(record[head.end() :]) == event


def test_severities_say_what_happened() -> None:
    log = Log(PPID=0, UID=0, Hauberk=Extras())
    assert [severity_of(each) for each in (alert(), alert(Action="Audit"), log)] == [4, 5, 6]
    assert syslog_record(alert(), "node 7\n").startswith(b"<84>1 2026-01-01T00:00:00.000000Z node7 hauberk")
    assert syslog_record(log, "").startswith(b"<86>1 - - hauberk - log - {")


@pytest.fixture(scope="module")
def journald(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a real journald has its /run."""
    if os.geteuid() or not JOURNALD.exists() or not shutil.which("journalctl"):
        pytest.skip("systemd-journald is not here, or may not have a mount namespace of its own")
    script = f"mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && exec {JOURNALD}"
    with (tmp_path_factory.mktemp("journald") / "log").open("wb") as log:
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=log, stderr=log)
    run = Path(f"/proc/{process.pid}/root/run")
    try:
        until(lambda: process.poll() is not None or (run / "systemd/journal/socket").exists())
        if process.poll() is not None:
            pytest.skip("systemd-journald does not run here")
        yield run
    finally:
        process.terminate()
        process.wait(60)


def entries(run: Path) -> list[dict[str, Any]]:
    """What journalctl finds of ours."""
    done = subprocess.run(
        ["journalctl", "-D", run / "log/journal", "-a", "-o", "json", "SYSLOG_IDENTIFIER=hauberk"],
        capture_output=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_real_journald_has_one_entry_for_each_event(
    journald: Path, datagrams: Callable[..., Datagrams]
) -> None:
    to = datagrams(journald / "systemd/journal/socket", in_files=True)
    events = {what: event_of(name) for what, name in HOSTILE.items()}
    # No name is as long as that, but then it must get through as well.
    events["larger than a datagram"] = alert(Resource="/x\n" * 200_000)
    events["of the user's own"] = alert(PolicyName="a\nMESSAGE=forged\x1b[31m\nPRIORITY=0")
    for event in events.values():
        assert to.put(journal_record(event), 1)
        assert to.send(), to.trouble
    found = until(lambda: entries(journald) if len(entries(journald)) >= len(events) else None)
    assert [parse_event(entry["HAUBERK_EVENT"]) for entry in found] == list(events.values())
    for entry, event in zip(found, events.values(), strict=True):
        assert entry["PRIORITY"] == str(severity_of(event))
        assert isinstance(entry["MESSAGE"], str)
        assert entry["MESSAGE"].isprintable()
        assert entry.get("HAUBERK_RESOURCE", "") == event.Resource
    assert to.lost == 0


@pytest.fixture(scope="module")
def rsyslogd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The socket of a real rsyslogd, and the file that it writes."""
    tree = unpacked("rsyslog", "libestr0", "libfastjson4")
    place = tmp_path_factory.mktemp("rsyslogd")
    made, file = place / "log.sock", place / "written"
    (place / "rsyslog.conf").write_text(
        'global(maxMessageSize="64k" workDirectory="' + str(place) + '")\n'
        'module(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{made}" UseSpecialParser="off" RateLimit.Interval="0")\n'
        f'action(type="omfile" file="{file}" template="RSYSLOG_SyslogProtocol23Format")\n'
    )
    libraries = tree / "usr/lib/x86_64-linux-gnu"
    log = place / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                *(tree / "usr/sbin/rsyslogd", "-n", "-i", place / "pid", "-f", place / "rsyslog.conf"),
                *("-M", libraries / "rsyslog"),
            ],
            env={"LD_LIBRARY_PATH": str(libraries)},
            stdout=out,
            stderr=out,
        )
    try:
        until(lambda: process.poll() is not None or made.exists())
        if process.poll() is not None:
            pytest.skip(f"rsyslogd does not run here: {log.read_text()[:300]}")
        yield made, file
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_a_real_rsyslogd_has_one_line_for_each_event(
    rsyslogd: tuple[Path, Path], datagrams: Callable[..., Datagrams]
) -> None:
    made, file = rsyslogd
    to = datagrams(made)
    events = [event_of(name) for name in HOSTILE.values()]
    for event in events:
        assert to.put(syslog_record(event, "node-7"), 1)
        until(to.send)
    lines = until(lambda: file.exists() and len(file.read_bytes().splitlines()) >= len(events))
    lines = file.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(events)
    for line, event in zip(lines, events, strict=True):
        head = HEAD.match(line)
        assert head
        assert (head[1], head[3]) == (b"84", b"node-7")
        assert parse_event(line[head.end() :]) == event
        assert line.decode().isprintable()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[socket.socket]:
    """A datagram socket in place of a log service."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(tmp_path / "log"))
    made.settimeout(30)
    yield made
    made.close()


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_one_event_is_one_datagram(
    receiver: socket.socket, tmp_path: Path, datagrams: Callable[..., Datagrams], name: bytes
) -> None:
    to = datagrams(tmp_path / "log")
    event = event_of(name)
    to.put(syslog_record(event, "node"), 1)
    to.put(journal_record(event), 1)
    assert to.send()
    assert receiver.recv(1 << 20) == syslog_record(event, "node")
    assert parse_event(fields(receiver.recv(1 << 20))["HAUBERK_EVENT"]) == event


def test_a_service_that_is_slow_gets_all_that_fits(
    receiver: socket.socket, tmp_path: Path, datagrams: Callable[..., Datagrams]
) -> None:
    to = datagrams(tmp_path / "log", memory=1000)
    put = 0
    while to.put(b"%099d" % put, 1):
        put += 1
        to.send()
    assert not to.trouble, "it is there, only slow"
    got = []
    while len(got) < put:
        got.append(int(receiver.recv(200)))
        to.send()
    assert (got, to.lost) == (list(range(put)), 1)


def test_a_service_that_comes_later_gets_what_was_kept(
    tmp_path: Path, datagrams: Callable[..., Datagrams]
) -> None:
    to = datagrams(tmp_path / "log")
    to.put(b"one", 1)
    assert not to.send()
    assert to.trouble.endswith("No such file or directory")
    for text in (b"one", b"two"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as late:
            late.bind(str(tmp_path / "log"))
            assert to.send()
            assert not to.trouble
            assert late.recv(100) == text
        to.put(b"two", 1)
        assert not to.send(), "its socket is closed"
        (tmp_path / "log").unlink()
    to.close()
    assert to.lost == 1


def test_what_is_too_large_for_a_datagram_is_lost_and_the_rest_is_not(
    receiver: socket.socket, tmp_path: Path, datagrams: Callable[..., Datagrams]
) -> None:
    to = datagrams(tmp_path / "log")
    to.put(b"x" * (2 << 20), 5)
    to.put(b"y", 1)
    assert to.send()
    assert (receiver.recv(100), to.lost) == (b"y", 5)


def test_the_line_is_the_event() -> None:
    event = alert(Labels="\x7f\x9b\u202e😀\U000e0001\n")
    assert one_line(event).isprintable()
    assert msgspec.json.decode(one_line(event)) == msgspec.json.decode(msgspec.json.encode(event))
