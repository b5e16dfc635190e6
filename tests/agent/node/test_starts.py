# SPDX-License-Identifier: Apache-2.0
"""Containers that come, change and go: what is bound when, and when starts are held up.

The engine, the rulings and the scans are fakes.
"""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from msgspec.structs import replace

from hauberk.agent.node import starts as module
from hauberk.agent.node.member import Member
from hauberk.agent.node.members import Members
from hauberk.agent.node.starts import UNKNOWN_SECONDS, Starts
from hauberk.enforcers.protocol import EnforcerError
from hauberk.workloads.containers.model import Container, Found

WEB = Container(
    runtime="docker",
    id="web-id",
    name="web",
    pid=100,
    started=1,
    waits=True,
    cgroup="/web",
    cgroup_id=7,
    mount_namespace=8,
    pid_namespace=9,
    rootfs="/",
)


@dataclass
class FakeEngine:
    """Keeps what it is told; is its own hosting. `full`: no place can be given."""

    placed: dict[int, int] = field(default_factory=dict)
    running: dict[int, int] = field(default_factory=dict)
    labelled: int = 0
    full: bool = False
    workloads: tuple[int, ...] = ()

    @property
    def hosting(self) -> "FakeEngine":
        return self

    def place(self, cgroup_id: int, workload: int) -> None:
        if self.full:
            raise EnforcerError("no room")
        self.placed[cgroup_id] = workload

    def unplace(self, cgroup_id: int) -> None:
        del self.placed[cgroup_id]

    def places(self) -> dict[int, int]:
        return self.placed

    def label_running(self) -> None:
        self.labelled += 1

    def tasks(self, workload: int) -> int:
        return self.running.get(workload, 0)

    def drop(self, workload: int) -> None:
        assert not self.tasks(workload)


@dataclass
class FakeRuling:
    """Every container is under one policy, or under none; what was put is kept, with whether it waited."""

    policy: str = "a policy"
    put_: list[tuple[str, bool]] = field(default_factory=list)

    def choose(self, members: list[Member]) -> list[str]:
        return [self.policy for _ in members]

    def put(self, member: Member, fingerprint: str, *, waits: bool = False) -> None:
        self.put_.append((member.name, waits))
        member.is_closed = bool(member.container and member.container.doubt)


class Yard:
    """The starts of a made-up node. `found` is what the next scan finds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.ruling = FakeEngine(), FakeRuling()
        self.found = Found(())
        self.gone: list[str] = []
        self.now = 0.0
        self.scans = 0
        monkeypatch.setattr(module, "Runtimes", lambda: self)
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        engine = cast(Any, self.engine)
        self.members = Members(engine)
        self.starts = Starts(
            engine,
            self.members,
            cast(Any, self.ruling),
            on_come=lambda member: None,
            on_gone=lambda member: self.gone.append(member.name),
        )

    def scan(self) -> Found:
        self.scans += 1
        return self.found

    def finds(self, *containers: Container, unknown: tuple[tuple[str, str], ...] = ()) -> None:
        self.found = Found(containers, unknown)
        self.starts.catch_up()

    def member(self) -> Member:
        (member,) = self.members.containers()
        return member


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Yard:
    return Yard(monkeypatch)


def test_a_container_that_waits_is_bound_before_it_may_go_on(yard: Yard) -> None:
    yard.finds(WEB)
    assert yard.ruling.put_ == [("web", True)]
    assert yard.engine.placed == {7: yard.member().number}
    assert yard.member().caveats == ()
    assert yard.starts.may_go_on()
    assert yard.engine.labelled == 0


@pytest.mark.parametrize("policy", ["a policy", ""])
def test_a_container_that_runs_already_is_labelled_and_told_as_late(yard: Yard, policy: str) -> None:
    yard.ruling.policy = policy
    yard.finds(replace(WEB, waits=False))
    assert yard.engine.labelled == 1
    (caveat,) = yard.member().caveats
    assert caveat.endswith("ms before enforcement")


def test_another_name_puts_it_under_other_policies(yard: Yard) -> None:
    yard.finds(WEB)
    yard.finds(replace(WEB, name="shop"))
    assert yard.member().name == "shop"
    assert [name for name, _ in yard.ruling.put_] == ["web", "shop"]


def test_one_that_began_before_it_had_its_place_is_labelled_where_it_runs(yard: Yard) -> None:
    yard.finds(WEB)
    yard.finds(replace(WEB, waits=False))
    assert yard.engine.labelled == 1


def test_one_that_was_labelled_as_it_began_needs_no_more(yard: Yard) -> None:
    yard.finds(WEB)
    yard.engine.running[yard.member().number] = 1
    yard.finds(replace(WEB, waits=False))
    assert yard.engine.labelled == 0


def test_starts_are_held_up_while_one_waits_that_nothing_binds_and_no_longer(yard: Yard) -> None:
    yard.engine.full = True
    yard.finds(WEB)
    assert not yard.starts.may_go_on()
    assert yard.starts.unbound == {"web-id": "no room"}
    yard.finds()
    assert yard.starts.may_go_on()


def test_what_could_not_be_bound_is_tried_again(yard: Yard) -> None:
    yard.engine.full = True
    yard.finds(WEB)
    yard.engine.full = False
    yard.finds(WEB)
    assert yard.starts.may_go_on()
    assert yard.starts.unbound == {}
    assert yard.engine.placed == {7: yard.member().number}


FORGOTTEN = replace(WEB, name="web-id", doubt="no config.v2.json")


def test_one_that_may_be_anybody_is_closed_and_others_go_on(yard: Yard) -> None:
    yard.finds(FORGOTTEN)
    assert yard.member().is_closed
    assert yard.engine.placed == {7: yard.member().number}
    assert yard.starts.may_go_on()
    assert yard.starts.unbound == {}


def test_a_manager_that_was_just_writing_is_looked_at_once_more(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([Found((FORGOTTEN,)), Found((WEB,))])
    monkeypatch.setattr(yard, "scan", lambda: next(found))
    yard.starts.catch_up()
    assert yard.member().name == "web"
    assert not yard.member().is_closed


def test_one_that_was_closed_is_bound_when_it_is_known_who_it_is(yard: Yard) -> None:
    yard.finds(FORGOTTEN)
    scans = yard.scans
    yard.finds(FORGOTTEN)
    assert yard.scans == scans + 1, "it is looked at twice only when it comes"
    yard.finds(WEB)
    assert (yard.member().name, yard.member().is_closed) == ("web", False)


def test_one_that_is_known_stays_what_it_is_when_its_manager_forgets_it(yard: Yard) -> None:
    yard.finds(WEB)
    yard.engine.running[yard.member().number] = 1
    yard.finds(replace(FORGOTTEN, waits=False))
    assert (yard.member().name, yard.member().is_closed) == ("web", False)
    assert yard.starts.unbound == {}


def test_one_that_runs_already_and_may_be_anybody_is_told_of_and_left_alone(yard: Yard) -> None:
    yard.finds(replace(FORGOTTEN, waits=False))
    assert yard.members.containers() == []
    assert yard.starts.unbound == {"web-id": "no config.v2.json"}
    assert yard.starts.may_go_on()


def test_a_record_that_cannot_be_read_holds_up_starts_for_a_while(yard: Yard) -> None:
    yard.finds(unknown=(("odd", "not JSON"),))
    assert not yard.starts.may_go_on()
    yard.now = UNKNOWN_SECONDS
    yard.finds(unknown=(("odd", "not JSON"),))
    assert yard.starts.may_go_on()
    assert yard.starts.unbound == {"odd": "not JSON"}


def test_what_a_user_s_runtime_says_holds_up_nobody(yard: Yard) -> None:
    yard.finds(unknown=(("user 1000: odd", "not JSON"),))
    assert yard.starts.may_go_on()


def test_one_that_has_gone_is_forgotten_when_its_last_task_has_ended(yard: Yard) -> None:
    yard.finds(WEB)
    number = yard.member().number
    yard.engine.running[number] = 1
    yard.finds()
    assert yard.engine.placed == {}
    assert yard.member().number == number
    yard.engine.running.clear()
    yard.finds()
    assert yard.members.containers() == []
    assert yard.gone == ["web"]
