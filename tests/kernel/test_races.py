# SPDX-License-Identifier: Apache-2.0
"""Races: whatever gets in between, a forbidden file is not opened once in tens of thousands of tries.

On a kernel booted with preempt=full a program can be preempted at any point by another one on the same
processor.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy

pytestmark = pytest.mark.preempt

TRIES = 30_000
TRIES_IN_CHURN = 10_000
PLACES = {"fast walk": "/srv/race", "slow walk": "/tmp/race"}


def lay_out(place: str) -> tuple[str, list[str]]:
    """A forbidden file, and some that are not."""
    Path(place, "kept").mkdir(parents=True, exist_ok=True)
    names = [f"{place}/kept/{name}" for name in ("forbidden", "one", "two", "three")]
    for name in names:
        Path(name).write_text("content")
    return names[0], names[1:]


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    forbidden = [lay_out(place)[0] for place in PLACES.values()]
    with Session(arena, act, policy(file={"matchPaths": [{"path": path} for path in forbidden]})) as session:
        yield session


@pytest.mark.parametrize("walk", PLACES)
def test_a_forbidden_file_is_never_opened_while_others_open_theirs(
    session: Session, walk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    forbidden, allowed = lay_out(PLACES[walk])
    # half of the helpers go through the other walk
    others = lay_out(next(place for name, place in PLACES.items() if name != walk))[1]
    done = session.do(f"hammer {TRIES} 4 {forbidden} {allowed[0]} {others[0]}", timeout=300)
    tell(capsys, walk, done.notes)
    assert done.results == ["ok"]
    assert done.notes["forbidden-opened"] == 0
    assert done.notes["forbidden-refused"] == TRIES
    assert done.notes["allowed-opened"] > 0
    assert done.notes["allowed-refused"] == 0


@contextmanager
def churning(act: Path, place: str) -> Iterator[None]:
    """A task that no rule binds moves directories about, on the same file system, all the time."""
    subprocess.run(["rm", "-rf", f"{place}/churn"], check=True)
    Path(place, "churn").mkdir()
    with subprocess.Popen([act, "script", "churn", f"{place}/churn"], stdout=subprocess.PIPE) as churn:
        assert churn.stdout is not None
        assert churn.stdout.readline() == b"= ready 1\n"
        yield
        assert churn.poll() is None
        churn.kill()


@pytest.mark.parametrize("walk", PLACES)
def test_a_forbidden_file_is_never_opened_while_directories_move(
    session: Session, act: Path, walk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A walk that a rename crosses is begun anew, and after some of these the object counts as unknown:
    refused."""
    forbidden, allowed = lay_out(PLACES[walk])
    with churning(act, PLACES[walk]):
        done = session.do(f"hammer {TRIES_IN_CHURN} 2 {forbidden} {allowed[0]}", timeout=300)
    tell(capsys, f"{walk}, renames", done.notes)
    assert done.results == ["ok"]
    assert done.notes["forbidden-opened"] == 0
    assert done.notes["forbidden-refused"] == TRIES_IN_CHURN
    assert done.notes["allowed-opened"] > 100
    assert done.notes["allowed-refused"] * 100 <= done.notes["allowed-opened"]
    reasons = {done.because(record) for record in done.refusals}
    assert reasons <= {"test", "UnknownObject"}


def tell(capsys: pytest.CaptureFixture[str], what: str, notes: object) -> None:
    with capsys.disabled():
        print(f"\n{what}: {notes}")
