# SPDX-License-Identifier: Apache-2.0
"""Events by socket: the past, then what happens, without a gap between them or a client that costs others."""

import grp
import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from hauberk.agent.control.client import AgentError
from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.listening import NoAgent, listen_to
from hauberk.agent.feeder.question import Answer, Ask, Done, Event, Lack, Live
from hauberk.agent.feeder.wire import EVENTS, Feeding
from hauberk.events.alert import Alert, Extras
from hauberk.events.where import parse_term
from hauberk.sinks.recall import Span
from tests.agent.feeder.making import feeding_in


def alert(resource: str, size: int = 0) -> Alert:
    return Alert(PPID=0, UID=0, Resource=resource, Message="x" * size, Hauberk=Extras())


def until(feeder: Feeder, what: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        left = deadline - time.monotonic()
        assert left > 0, f"it has not come to that: {feeder.told}, {feeder.findings}"
        select.select([feeder], [], [], left)
        feeder.on_ready()


def tell(feeder: Feeder, *resources: str, size: int = 0) -> None:
    """Something happens, and the feeder has confirmed it."""
    feeder.write([alert(resource, size) for resource in resources])
    number = feeder._number
    until(feeder, lambda: feeder.told.number == number)


def started(directory: Path, history_mib: int) -> Feeder:
    feeder = Feeder(feeding_in(directory, history_mib=history_mib))
    feeder.start(tuple)
    feeder.write([alert("first")])
    until(feeder, lambda: feeder.told.number == 1)
    return feeder


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    with closing(started(tmp_path, 4)) as feeder:
        yield feeder


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    """The agent's; the one for events lies beside it."""
    return tmp_path / "agent.sock"


def resource(answer: Answer) -> str:
    assert isinstance(answer, Event)
    return str(msgspec.json.decode(answer.event)["Resource"])


def test_the_past_is_told_and_the_connection_ends(feeder: Feeder, socket_path: Path) -> None:
    tell(feeder, "second")
    first, second, done = listen_to(Ask(), socket_path)
    assert (resource(first), resource(second), done) == ("first", "second", Done())


def test_conditions_hold_for_the_past_and_for_what_happens(feeder: Feeder, socket_path: Path) -> None:
    tell(feeder, "/etc/a", "/srv/b")
    span = Span(where=((parse_term("Resource~/etc/*"),),))
    answers = listen_to(Ask(span, follow=True), socket_path)
    assert resource(next(answers)) == "/etc/a"
    assert isinstance(next(answers), Live)
    tell(feeder, "/srv/c", "/etc/d")
    assert resource(next(answers)) == "/etc/d"


def test_who_follows_can_go_on_from_a_number(feeder: Feeder, socket_path: Path) -> None:
    answers = listen_to(Ask(follow=True), socket_path)
    first = next(answers)
    answers.close()
    tell(feeder, "a", "b")
    answers = listen_to(Ask(Span(after=first.number), follow=True), socket_path)
    assert [resource(next(answers)) for _ in range(2)] == ["a", "b"]
    assert isinstance(next(answers), Live)
    tell(feeder, "c")
    assert resource(next(answers)) == "c"


def test_who_hangs_up_while_the_history_is_read_ends_nothing(feeder: Feeder, socket_path: Path) -> None:
    process = feeder._pid
    for _ in range(200):
        answers = listen_to(Ask(follow=True), socket_path)
        assert isinstance(next(answers), Event)
        answers.close()
    tell(feeder, "second")
    assert feeder._pid == process
    assert feeder.told.findings == ()


def test_with_a_limit_only_the_newest_of_the_past_come(feeder: Feeder, socket_path: Path) -> None:
    tell(feeder, *"abcdef")
    answers = listen_to(Ask(Span(limit=2), follow=True), socket_path)
    assert [resource(next(answers)) for _ in range(2)] == ["e", "f"]
    assert isinstance(next(answers), Live)
    tell(feeder, "g")
    assert resource(next(answers)) == "g"


def test_who_does_not_keep_up_gets_everything_from_the_history_and_holds_up_nobody(
    feeder: Feeder, socket_path: Path
) -> None:
    slow = listen_to(Ask(follow=True), socket_path)
    assert resource(next(slow)) == "first"
    assert isinstance(next(slow), Live)
    # Far more than the socket's buffers and its queue take together.
    for place in range(20):
        tell(feeder, *(f"{place}-{inner}" for inner in range(100)), size=700)
    expected = [f"{place}-{inner}" for place in range(20) for inner in range(100)]
    assert [resource(next(slow)) for _ in expected] == expected
    tell(feeder, "last")
    assert resource(next(slow)) == "last"


def test_without_a_history_who_does_not_keep_up_is_told_what_is_missing(tmp_path: Path) -> None:
    with closing(started(tmp_path, 0)) as feeder:
        path = tmp_path / "agent.sock"
        with pytest.raises(AgentError, match="no history is kept"):
            list(listen_to(Ask(), path))
        slow = listen_to(Ask(follow=True), path)
        assert isinstance(next(slow), Live)
        for place in range(40):
            tell(feeder, *(f"{place}-{inner}" for inner in range(100)), size=1000)
        answers = []
        while not answers or not isinstance(answers[-1], Lack):
            answers.append(next(slow))
        *events, lack = answers
        assert lack.why == "this client does not keep up"
        assert [resource(each) for each in events[:100]] == [f"0-{inner}" for inner in range(100)]
        tell(feeder, "last")
        rest = []
        while not rest or rest[-1] != "last":
            rest.append(resource(next(slow)))
        assert len(events) + lack.accesses + len(rest) == 4001
        assert feeder.told.lost == {"followers": lack.accesses}


def test_a_gap_is_told_in_its_place(tmp_path: Path) -> None:
    with closing(started(tmp_path, 4)) as feeder:
        feeder._gap = 5
        tell(feeder, "after")
        first, gap, after, _ = listen_to(Ask(), tmp_path / "agent.sock")
        assert [resource(first), resource(after)] == ["first", "after"]
        assert isinstance(gap, Lack)
        assert gap.accesses == 5


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (b"\n", "the question is not understood"),
        (b"[]\n", "the question is not understood"),
        (b'{"more":1}\n', "the question is not understood"),
        (b'{"span":{"kinds":["x"]}}\n', "the question is not understood"),
        (
            b'{"span":{"where":[[{"field":"x","operator":"=","value":""}]]}}\n',
            "there is no field `x`",
        ),
        (b"x" * (256 << 10), "the question is not understood"),
    ],
)
def test_what_is_no_question_is_told(feeder: Feeder, socket_path: Path, question: bytes, why: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(socket_path.with_name(EVENTS)))
        with suppress(BrokenPipeError):
            connection.sendall(question)
        answer = json.loads(connection.makefile("rb").readline())
    assert answer["type"] == "Failed"
    assert why in answer["message"]


def test_only_root_and_the_group_may_connect(feeder: Feeder, socket_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")
    path = socket_path.with_name(EVENTS)
    assert path.stat().st_mode & 0o777 == 0o600
    # As if others could reach it.
    path.chmod(0o666)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for parent in list(path.parents)[:3]:
                parent.chmod(parent.stat().st_mode | 0o011)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            list(listen_to(Ask(), socket_path))
        except AgentError as error:
            os.write(writing, error.message.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    assert os.read(reading, 1000) == b"only root and members of the agent's group may have events"
    os.close(reading)


def test_members_of_the_group_may_have_events(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a socket to a group needs root")
    feeding = Feeding(
        cluster="",
        node_name="",
        socket=str(tmp_path / "agent.sock"),
        state_directory="",
        socket_group="audio",
    )
    with closing(Feeder(feeding)) as feeder:
        feeder.start(tuple)
        tell(feeder, "first")
        found = (tmp_path / EVENTS).stat()
        assert (found.st_gid, found.st_mode & 0o777) == (grp.getgrnam("audio").gr_gid, 0o660)


def test_without_an_agent_it_is_said_so(socket_path: Path) -> None:
    with pytest.raises(NoAgent):
        list(listen_to(Ask(), socket_path))
