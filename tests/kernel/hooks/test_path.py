# SPDX-License-Identifier: Apache-2.0
"""Changes to names, and to attributes by path, are writes to what bears the name."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from hauberk.kernel.features import available_hooks
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.hooks.check import expect_refusal, only_refused_by

PLACES = ("/srv/hook-path", "/tmp/hook-path")
"""On the root file system, which is an overlay, and on one that is mounted elsewhere."""

OPEN_BEFORE = 20
POLICY = policy(
    file={
        # while it is its owner's, so that what is open can be handed on
        "matchPaths": [{"path": f"{place}/open", "ownerOnly": True} for place in PLACES],
        "matchDirectories": [{"dir": f"{place}/kept/", "recursive": True} for place in PLACES],
    },
    process={"matchPaths": [{"path": f"{place}/programs/tool"} for place in PLACES]},
)

CASES = {
    "path_unlink": ("unlink kept/file", Call.UNLINK, "kept/file"),
    "path_rmdir": ("rmdir kept/empty", Call.RMDIR, "kept/empty"),
    "path_mkdir": ("mkdir kept/new", Call.MKDIR, "kept/new"),
    "path_mknod": ("mknod kept/new", Call.MKNOD, "kept/new"),
    "path_symlink": ("symlink x kept/new", Call.SYMLINK, "kept/new"),
    "path_chmod": ("chmod kept/file", Call.CHMOD, "kept/file"),
    "path_chown": ("chown kept/file", Call.CHOWN, "kept/file"),
    "path_truncate": ("truncate kept/file", Call.TRUNCATE, "kept/file"),
    "path_link": ("link kept/file free/new", Call.LINK, "kept/file"),
    "path_rename": ("rename kept/file free/new", Call.RENAME, "kept/file"),
}


def lay_out(place: str) -> None:
    for directory in ("kept", "free", "programs"):
        shutil.rmtree(f"{place}/{directory}", ignore_errors=True)
    for directory in ("kept/empty", "free", "programs"):
        Path(place, directory).mkdir(parents=True)
    for file in ("kept/file", "free/file", "programs/tool"):
        Path(place, file).write_text("content")


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    for place in PLACES:
        lay_out(place)
        Path(place, "open").write_text("content")
    with Session(arena, act, POLICY, prepare=open_before) as session:
        yield session


def open_before() -> None:
    """Descriptors that the workload has from before it was confined, one for each place."""
    for number, place in enumerate(PLACES):
        os.dup2(os.open(f"{place}/open", os.O_RDWR), OPEN_BEFORE + number)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("program", CASES)
def test_a_change_of_names_is_refused_by_its_hook_alone(session: Session, program: str, place: str) -> None:
    act, call, path = CASES[program]
    only_refused_by(
        session, program, f"chdir {place} ; {act}", call, f"{place}/{path}", prepare=lambda: lay_out(place)
    )


@pytest.mark.parametrize(
    ("change", "call", "path"),
    [
        ("link free/file kept/new", Call.LINK, "kept/new"),
        ("rename free/file kept/new", Call.RENAME, "kept/new"),
        ("exchange kept/file free/file", Call.RENAME, "kept/file"),
    ],
)
def test_the_other_end_of_a_rename_or_link_counts_as_much(
    session: Session, change: str, call: Call, path: str
) -> None:
    place = PLACES[1]
    lay_out(place)
    record = expect_refusal(session.do(f"chdir {place} ; {change}"), call, f"{place}/{path}")
    assert record.other.startswith(f"{place}/free/".encode())


@pytest.mark.parametrize(
    ("change", "call"),
    [("link programs/tool free/new", Call.LINK), ("rename programs/tool free/new", Call.RENAME)],
)
def test_a_blocked_program_cannot_be_given_another_name(session: Session, change: str, call: Call) -> None:
    place = PLACES[0]
    lay_out(place)
    done = session.do(f"chdir {place} ; {change}")
    record = expect_refusal(done, call, f"{place}/programs/tool", because="ProtectedPath")
    assert record.other == f"{place}/free/new".encode()


def test_what_no_rule_names_can_be_moved(session: Session) -> None:
    place = PLACES[0]
    lay_out(place)
    script = f"chdir {place} ; link free/file free/two ; rename free/two free/three ; mkdir d ; rename d e"
    done = session.do(script)
    assert set(done.results) == {"ok"}
    assert done.records == ()


@pytest.mark.parametrize("place", PLACES)
def test_ftruncate_of_what_was_open_before_is_refused_by_its_hook_alone(session: Session, place: str) -> None:
    # before 6.2 ftruncate comes to the hook for paths
    program = "file_truncate" if available_hooks({"file_truncate"}) else "path_truncate"
    os.chown(f"{place}/open", 65534, 65534)
    script = f"use {OPEN_BEFORE + PLACES.index(place)} ; truncate-held"
    only_refused_by(session, program, script, Call.TRUNCATE, f"{place}/open")
