# SPDX-License-Identifier: Apache-2.0
"""Programs, what they were made from, and files that are mapped executable."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.hooks.check import expect_refusal, only_refused_by

PLACES = ("/srv/hook-exec", "/tmp/hook-exec")


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    for place in PLACES:
        Path(place).mkdir()
        for name in ("blocked", "parent", "child"):
            shutil.copy(act, Path(place, name))
        Path(place, "child.txt").write_text("content")
    rules = policy(
        process={
            "matchPaths": [
                *({"path": f"{place}/blocked"} for place in PLACES),
                *(
                    {"path": f"{place}/child", "fromSource": [{"path": f"{place}/parent"}]}
                    for place in PLACES
                ),
            ]
        },
        file={
            "matchPaths": [
                {"path": f"{place}/child.txt", "fromSource": [{"path": f"{place}/parent"}]}
                for place in PLACES
            ]
        },
    )
    with Session(arena, act, rules) as session:
        yield session


@pytest.mark.parametrize("place", PLACES)
def test_a_program_is_refused_by_bprm_check_security_alone(session: Session, place: str) -> None:
    path = f"{place}/blocked"
    record = only_refused_by(session, "bprm_check_security", f"execute {path} true", Call.EXEC, path)
    assert record.exe == str(session.act).encode()


@pytest.mark.parametrize("place", PLACES)
def test_who_executes_is_known_by_bprm_committing_creds_alone(session: Session, place: str) -> None:
    assert session.do(f"execute {place}/child true ; read {place}/child.txt").results == ["ok", "ok"]
    path = f"{place}/child.txt"
    record = only_refused_by(
        session, "bprm_committing_creds", f"reexec {place}/parent ; read {path}", Call.OPEN, path
    )
    assert record.exe == f"{place}/parent".encode()
    expect_refusal(
        session.do(f"reexec {place}/parent ; execute {place}/child true"), Call.EXEC, f"{place}/child"
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_program_replaced_by_another_still_counts_for_the_next_exec(session: Session, place: str) -> None:
    script = f"reexec {place}/parent ; reexec {session.act} ; execute {place}/child true"
    expect_refusal(session.do(script), Call.EXEC, f"{place}/child")
    twice = (
        f"reexec {place}/parent ; reexec {session.act} ; reexec {session.act} ; execute {place}/child true"
    )
    assert session.do(twice).results == ["ok"] * 4


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("program", "verb", "call"),
    [("mmap_file", "map-exec", Call.MMAP), ("file_mprotect", "protect-exec", Call.MPROTECT)],
)
def test_mapping_a_program_executable_is_refused_by_its_hook_alone(
    session: Session, place: str, program: str, verb: str, call: Call
) -> None:
    path = f"{place}/blocked"
    record = only_refused_by(session, program, f"{verb} {path}", call, path)
    assert record.detail[0] & 4


def test_reading_a_blocked_program_is_no_execution(session: Session) -> None:
    done = session.do(f"read {PLACES[0]}/blocked")
    assert done.results == ["ok"]
    assert done.records == ()
