# SPDX-License-Identifier: Apache-2.0
"""The label: inherited by all that a task makes, and given up only when a task ends."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy, without
from tests.kernel.hooks.check import only_refused_by

PATH = "/srv/hook-task"
POLICY = policy(file={"matchPaths": [{"path": PATH}]})
PATIENCE = 50
"""Tenths of a second: the kernel frees a task some time after its end."""


@pytest.fixture
def session(arena: Arena, act: Path) -> Iterator[Session]:
    Path(PATH).write_text("content")
    with Session(arena, act, POLICY) as session:
        yield session


def test_a_child_is_labelled_by_task_alloc_alone(session: Session) -> None:
    only_refused_by(session, "task_alloc", f"read {PATH}", Call.OPEN, PATH)
    # what was made without a label has none, also afterwards; what is made now has one
    assert session.do(f"fork ; fork ; read {PATH}").results == ["ok", "ok", "EACCES"]


def falls_to(session: Session, tasks: int) -> bool:
    for _ in range(PATIENCE):
        if session.arena.engine.tasks(session.workload) == tasks:
            return True
        time.sleep(0.1)
    return False


def test_a_label_is_given_up_by_task_free_alone(session: Session) -> None:
    session.do("stat /")
    assert falls_to(session, 1)
    labels = session.arena.engine.map("labels")
    before = set(labels.keys())
    with without(session.arena, "task_free"):
        session.do("stat /")
        assert not falls_to(session, 1)
    left = set(labels.keys()) - before
    assert len(left) == 1
    for key in left:
        labels.delete(key)


def test_the_last_task_of_a_workload_says_so(arena: Arena, act: Path) -> None:
    with Session(arena, act, POLICY) as session:
        session.do("fork ; fork ; stat /")
    assert falls_to(session, 0)
    ended = [record for record in arena.drain() if record.call == Call.ENDED]
    assert session.workload in {record.workload for record in ended}
