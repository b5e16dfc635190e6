# SPDX-License-Identifier: Apache-2.0
"""Times, extended attributes and ACLs, whose hooks carry no mount."""

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

PLACES = ("/srv/hook-attribute", "/tmp/hook-attribute")
POLICY = policy(file={"matchPaths": [{"path": f"{place}/kept"} for place in PLACES]})

CASES = {
    "inode_setattr": ("utimes", Call.SETATTR),
    "inode_setxattr": ("setxattr", Call.SETXATTR),
    "inode_removexattr": ("removexattr", Call.REMOVEXATTR),
    "inode_set_acl": ("setacl", Call.SETACL),
}


def lay_out(place: str) -> None:
    shutil.rmtree(place, ignore_errors=True)
    Path(place).mkdir()
    for name in ("kept", "free"):
        Path(place, name).write_text("content")
        os.setxattr(f"{place}/{name}", "trusted.act", b"1")


@pytest.fixture(scope="module")
def session(arena: Arena, act: Path) -> Iterator[Session]:
    with Session(arena, act, POLICY) as session:
        yield session


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("program", CASES)
def test_a_change_of_an_attribute_is_refused_by_its_hook_alone(
    session: Session, program: str, place: str
) -> None:
    act, call = CASES[program]
    path = f"{place}/kept"
    only_refused_by(session, program, f"{act} {path}", call, path, prepare=lambda: lay_out(place))


def test_where_acls_have_no_hook_they_are_set_as_extended_attributes(session: Session) -> None:
    if available_hooks({"inode_set_acl"}):
        pytest.skip("this kernel has a hook for ACLs")
    lay_out(PLACES[1])
    path = f"{PLACES[1]}/kept"
    expect_refusal(session.do(f"setacl {path}"), Call.SETXATTR, path)


@pytest.mark.parametrize("place", PLACES)
def test_attributes_of_other_files_can_be_changed_and_nothing_is_reported(
    session: Session, place: str
) -> None:
    lay_out(place)
    free = f"{place}/free"
    done = session.do(f"utimes {free} ; setxattr {free} ; removexattr {free} ; setacl {free} ; chmod {free}")
    assert set(done.results) == {"ok"}, done
    assert done.records == ()
