# SPDX-License-Identifier: Apache-2.0
"""Who may ask: root, and members of the group; shown by processes of other users."""

import grp
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hauberk.agent.control.messages import (
    AgentStatus,
    AskStatus,
    Failure,
    Reply,
    Request,
)
from hauberk.agent.control.peer import Peer
from hauberk.agent.control.server import ControlServer
from hauberk.errors import HauberkError
from tests.agent.control.serving import ROOT, User, asked

Serve = Callable[..., ControlServer]
GROUP = grp.getgrnam("audio")
"""Some group that every Debian has."""
NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")


def fake_handler(request: Request, peer: Peer) -> Reply:
    """Tells who asked."""
    return AgentStatus(
        version="", pid=peer.pid, node=str(peer.uid), kernel="", enforcer="", since=0, on_agent_loss=""
    )


@pytest.mark.parametrize(
    "user",
    [ROOT, User(NOBODY, GROUP.gr_gid), User(NOBODY, NOBODY, (1234, GROUP.gr_gid))],
    ids=["root", "its primary group", "one of its further groups"],
)
def test_root_and_members_are_answered(serve: Serve, directory: Path, user: User) -> None:
    reply = asked(serve(fake_handler, GROUP.gr_name), directory / "agent.sock", AskStatus(), user)
    assert isinstance(reply, AgentStatus)
    assert reply.node == str(user.uid)


def test_the_kernel_keeps_others_out(serve: Serve, directory: Path) -> None:
    server = serve(fake_handler, GROUP.gr_name)
    assert (directory / "agent.sock").stat().st_mode & 0o777 == 0o660
    reply = asked(server, directory / "agent.sock", AskStatus(), User(NOBODY, NOBODY))
    assert isinstance(reply, Failure)
    assert reply.message.startswith("you may not ask the agent")


@pytest.mark.parametrize("group", ["", GROUP.gr_name])
@pytest.mark.parametrize("user", [User(NOBODY, NOBODY), User(NOBODY, 0, (0,))], ids=["nobody", "gid 0"])
def test_who_comes_past_the_sockets_mode_is_refused_all_the_same(
    serve: Serve, directory: Path, group: str, user: User
) -> None:
    server = serve(fake_handler, group)
    (directory / "agent.sock").chmod(0o666)
    reply = asked(server, directory / "agent.sock", AskStatus(), user)
    assert reply == Failure("only root and members of the agent's group may ask it")


def test_a_group_that_does_not_exist_is_told(directory: Path) -> None:
    with pytest.raises(HauberkError, match="no group 'nonesuch'") as error:
        ControlServer(directory / "agent.sock", "nonesuch", fake_handler)
    assert "groupadd" in error.value.remedy
