# SPDX-License-Identifier: Apache-2.0
"""File systems that show the files of others under new names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.hooks.check import only_refused_by

PLACE = "/tmp/hook-mount"
POLICY = policy(file={"matchPaths": [{"path": f"{PLACE}/layer/kept"}]})


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    for name in ("layer", "merged", "other"):
        Path(PLACE, name).mkdir(parents=True)
    Path(PLACE, "other/free").write_text("content")
    Path(PLACE, "layer/kept").write_text("content")


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    with Session(arena, act, POLICY) as session:
        yield session


@pytest.mark.parametrize(
    "script",
    [
        f"unshare mount ; overlay {PLACE}/layer {PLACE}/merged",
        f"unshare mount ; overlay {PLACE} {PLACE}/merged",
        f"fsmount-overlay {PLACE}/layer",
    ],
)
def test_an_overlay_of_what_a_block_names_is_refused_by_its_hook_alone(session: Session, script: str) -> None:
    only_refused_by(session, "sb_set_mnt_opts", script, Call.MOUNT, because="ProtectedPath")


def test_an_overlay_of_anything_else_can_be_mounted(session: Session) -> None:
    done = session.do(
        f"unshare mount ; overlay {PLACE}/other {PLACE}/merged ; read {PLACE}/merged/free ; "
        f"fsmount-overlay {PLACE}/other ; move-held {PLACE}/merged ; read {PLACE}/merged/free"
    )
    assert set(done.results) == {"ok"}
    assert done.records == ()


def test_other_mounts_are_not_hindered(session: Session) -> None:
    done = session.do(
        f"unshare mount ; tmpfs {PLACE}/merged ; bind /etc {PLACE}/merged ; detach {PLACE}/merged"
    )
    assert set(done.results) == {"ok"}
    assert done.records == ()


def test_without_a_block_an_overlay_can_be_mounted(arena: Arena, act: Path) -> None:
    audit = policy(action="Audit", file={"matchPaths": [{"path": f"{PLACE}/layer/kept"}]})
    with Session(arena, act, audit) as session:
        done = session.do(f"unshare mount ; overlay {PLACE}/layer {PLACE}/merged ; read {PLACE}/merged/kept")
    assert set(done.results) == {"ok"}
    assert done.records == ()
