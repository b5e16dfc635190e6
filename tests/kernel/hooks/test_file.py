# SPDX-License-Identifier: Apache-2.0
"""Opens, and descriptors that another process hands over."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy, without
from tests.kernel.hooks.check import expect_refusal, only_refused_by

PLACES = ("/srv/hook-file", "/tmp/hook-file")
LENGTHS = range(1, 42)
"""Of names: those that lie in the dentry in whole and in part words, and those that lie elsewhere."""
POLICY = policy(
    file={
        "matchPaths": [
            *({"path": f"{place}/kept"} for place in PLACES),
            *({"path": f"{place}/fixed", "readOnly": True} for place in PLACES),
            *({"path": f"{place}/{'n' * length}"} for place in PLACES for length in LENGTHS),
        ]
    }
)
HANDED = "/tmp/hook-file.socket"


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    for place in PLACES:
        Path(place).mkdir()
        for name in ("kept", "fixed", "free"):
            Path(place, name).write_text("content")
    with Session(arena, act, POLICY) as session:
        yield session


FLAGS = {"read": 0, "write": os.O_WRONLY, "readwrite": os.O_RDWR, "append": os.O_WRONLY | os.O_APPEND}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", FLAGS)
def test_every_mode_of_opening_is_refused_by_file_open_alone(session: Session, place: str, verb: str) -> None:
    path = f"{place}/kept"
    record = only_refused_by(session, "file_open", f"{verb} {path}", Call.OPEN, path)
    assert record.detail[0] & (os.O_ACCMODE | os.O_APPEND) == FLAGS[verb]


@pytest.mark.parametrize("place", PLACES)
def test_emptying_a_file_by_opening_it_is_a_write(session: Session, place: str) -> None:
    expect_refusal(session.do(f"cut {place}/kept"), Call.OPEN, f"{place}/kept")
    assert Path(place, "kept").read_text() == "content"


@pytest.mark.parametrize("place", PLACES)
def test_what_is_blocked_but_for_reading_can_be_read(session: Session, place: str) -> None:
    path = f"{place}/fixed"
    assert session.do(f"read {path}").results == ["ok"]
    for verb in ("write", "readwrite", "append", "cut"):
        expect_refusal(session.do(f"{verb} {path}"), Call.OPEN, path)


@pytest.mark.parametrize("place", PLACES)
def test_a_name_of_any_length_is_read_to_its_end_and_no_further(session: Session, place: str) -> None:
    for length in LENGTHS:
        Path(place, "n" * length).touch()
    # What the kernel forgets here leaves other names behind the ends of those that come in its place.
    for number in range(2000):
        Path(place, f"{number:z>30}").touch()
    for number in range(2000):
        Path(place, f"{number:z>30}").unlink()
    Path("/proc/sys/vm/drop_caches").write_text("2")
    for length in LENGTHS:
        path = f"{place}/{'n' * length}"
        expect_refusal(session.do(f"read {path}"), Call.OPEN, path)
    Path(place, "n" * LENGTHS.stop).write_text("content")
    assert session.do(f"read {place}/{'n' * LENGTHS.stop}").results == ["ok"]


def test_looking_is_no_access(session: Session) -> None:
    done = session.do(f"stat {PLACES[0]}/kept ; opath {PLACES[0]}/kept")
    assert done.results == ["ok", "ok"]
    assert done.records == ()


@contextmanager
def handing_out(path: str) -> Iterator[None]:
    """Whoever connects to HANDED gets a descriptor of `path`, opened by this process, which no policy
    binds."""
    Path(HANDED).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener, open(path, "rb") as file:
        listener.bind(HANDED)
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                socket.send_fds(client, [b"x"], [file.fileno()])
                client.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join(timeout=10)


@pytest.mark.parametrize("place", PLACES)
def test_a_descriptor_handed_over_is_refused_by_file_receive_alone(session: Session, place: str) -> None:
    path = f"{place}/kept"
    with handing_out(f"{place}/free"):
        assert session.do(f"receive {HANDED}").results == ["ok"]
    with handing_out(path):
        refused = session.do(f"receive {HANDED}")
    expect_refusal(refused, Call.RECEIVE, path)
    with handing_out(path), without(session.arena, "file_receive"):
        assert session.do(f"receive {HANDED}").results == ["ok"]
