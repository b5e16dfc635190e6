# SPDX-License-Identifier: Apache-2.0
"""What is put in force for a member when its rules cannot be had: the compiler is real, the engine a fake."""

import os
import signal
from collections.abc import Iterator
from typing import Any, cast

import pytest
from msgspec.structs import replace

from hauberk.agent.compiler.client import Compiler
from hauberk.agent.compiler.closed import CLOSED_POLICY
from hauberk.agent.compiler.jobs import Facts
from hauberk.agent.node.member import Member
from hauberk.agent.node.ruling import Ruling
from hauberk.enforcers.protocol import EnforcerError
from hauberk.rules.model import Rule
from tests.agent.compiler.make import policy, source, web
from tests.agent.node.test_starts import WEB


class FakeEngine:
    """Has room, and keeps the rules that it was told of last, by workload."""

    def __init__(self) -> None:
        self.rules: dict[int, tuple[Rule, ...]] = {}

    def room_for(self, workload: int, size: int) -> int:
        return 128

    def fits(self, table: object) -> bool:
        return True

    def known_tables(self) -> frozenset[bytes]:
        return frozenset()

    def install(self, workload: int, table: object, rules: tuple[Rule, ...]) -> int:
        self.rules[workload] = rules
        return 1

    def note(self, workload: int, about: bytes) -> None:
        assert Member.decode(about)

    def note_links(self, *_: object) -> None: ...

    def held(self, workload: int) -> tuple[()]:
        return ()


class Ground:
    """A ruling, and a container under one policy."""

    def __init__(self, compiler: Compiler) -> None:
        self.engine, self.compiler = FakeEngine(), compiler
        self.member = Member(number=7, container=WEB)
        self.ruling = Ruling(cast(Any, self.engine), compiler, self.facts, self.learn)

    def facts(self, member: Member) -> Facts:
        return web(number=member.number)

    def learn(self, workload: int, generation: int, rules: object) -> None: ...

    def choose(self) -> str:
        (fingerprint,) = self.ruling.choose([self.member])
        return fingerprint

    def policies(self) -> set[str]:
        return {rule.policy.name for rule in self.engine.rules.get(7, ())}


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    with Compiler() as compiler:
        compiler.use([source(policy("a"))])
        yield compiler


@pytest.fixture
def ground(compiler: Compiler) -> Ground:
    return Ground(compiler)


def kill_at_next_job(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies of the next job, which it cannot have done by then."""
    worker = compiler._worker
    assert worker is not None
    receive = worker._channel.receive

    def killed_first(seconds: float | None = None) -> object:
        os.kill(worker.pid, signal.SIGKILL)
        return receive(seconds)

    os.kill(worker.pid, signal.SIGSTOP)
    monkeypatch.setattr(worker._channel, "receive", killed_first)


def test_what_was_lost_with_the_compiler_is_put_in_force_when_it_is_tried_again(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ground.choose()
    losses = ground.compiler.losses
    kill_at_next_job(ground.compiler, monkeypatch)
    ground.ruling.put(ground.member, chosen)
    assert "was ended by signal 9 during `compile`" in ground.member.fault
    assert ground.compiler.losses == losses + 1
    ground.ruling.put(ground.member, chosen)
    assert ground.policies() == set(), "not each time that somebody looks"
    ground.ruling.retry_lost([ground.member])
    ground.ruling.put(ground.member, chosen)
    assert (ground.member.fault, ground.member.state) == ("", "enforced")
    assert "a" in ground.policies()


def test_what_would_fail_again_is_not_tried_again(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(workload: int, size: int) -> int:
        raise EnforcerError("no room")

    chosen = ground.choose()
    monkeypatch.setattr(ground.engine, "room_for", full)
    ground.ruling.put(ground.member, chosen)
    assert ground.member.fault == "no room"
    ground.ruling.retry_lost([ground.member])
    assert ground.member.fingerprint == chosen


def test_a_container_that_may_be_anybody_is_closed_whatever_selects_it(ground: Ground) -> None:
    known = ground.member.container
    assert known is not None
    ground.member.container = replace(known, doubt="no record")
    ground.ruling.put(ground.member, ground.choose(), waits=True)
    assert ground.member.state == "closed"
    assert ground.member.fault == "who it is cannot be told: no record"
    assert ground.policies() == {CLOSED_POLICY.name}
    ground.member.container = known
    ground.ruling.put(ground.member, ground.choose(), waits=True)
    assert ground.member.state == "enforced"
    assert "a" in ground.policies()
