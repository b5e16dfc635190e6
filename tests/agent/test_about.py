# SPDX-License-Identifier: Apache-2.0
"""What is kept of a workload, and what is found by it."""

import os

import msgspec
import pytest

from hauberk.agent.about import About
from hauberk.agent.plan import Outlook, Prepared, Request
from hauberk.enforcers.protocol import EnforcerError, PolicyStatus, State
from hauberk.rules.guard import Guarded, Reach
from hauberk.rules.model import Alias, PolicyId, Posture, Postures, Section
from hauberk.workloads.homes import Home
from hauberk.workloads.mounts import Mount
from hauberk.workloads.roots import Place

WEB = PolicyStatus(PolicyId("KubeArmorPolicy", "shop", "web"), State.DEGRADED, ("p.yaml:7: not enforced",))
OUTLOOK = Outlook((WEB,), (Alias(b"/bin/\xff", b"/usr/bin/\xff"),), ("p.yaml:3: odd",))
REQUEST = Request(
    argv=["sh", "-c", "true"],
    policies=["p.yaml"],
    name="web",
    namespace="shop",
    labels={"app": "web"},
    postures=Postures(file=Posture.BLOCK),
    visible=[Section.NETWORK],
    base_set=False,
)
PREPARED = Prepared(
    OUTLOOK,
    mounts=(Mount(1 << 20 | 3, False, 12, b"/srv/\xfe"),),
    homes=(Home(b"/proc", magic=0x9FA0), Home(b"/mnt", dev=7)),
    guarded=(Guarded("state", b"/run/hauberk", Reach.TREE, False), Guarded("x", b"/*", Reach.PATTERN)),
)
ABOUT = About.of(REQUEST, os.getpid(), PREPARED)


def test_it_comes_back_as_it_was() -> None:
    assert About.decode(ABOUT.encode()) == ABOUT
    assert ABOUT.outlook == OUTLOOK


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x80", ABOUT.encode()[:-1]])
def test_what_is_none_is_nothing(data: bytes) -> None:
    assert About.decode(data) is None


def test_other_policies_are_chosen_for_the_same_workload() -> None:
    request = ABOUT.request(["new.yaml"], allow_unenforced=True, allow_unselected=False)
    assert (request.policies, request.allow_unenforced) == (["new.yaml"], True)
    kept = ("name", "namespace", "labels", "postures", "base_set")
    assert all(getattr(request, field) == getattr(REQUEST, field) for field in kept)
    assert request.visible == (Section.NETWORK,)


def test_links_that_counted_in_the_beginning_count_under_later_policies() -> None:
    later = ABOUT.under(Outlook((), (), ("new",)))
    assert (later.statuses, later.aliases, later.warnings) == ((), (), ("new",))
    assert (later.links, later.mounts, later.place) == (ABOUT.links, ABOUT.mounts, ABOUT.place)


def test_the_root_is_found_through_a_process_that_has_it() -> None:
    root = ABOUT.root()
    assert os.path.samefile(root, "/")


def test_a_root_that_no_process_has_is_told() -> None:
    gone = msgspec.structs.replace(ABOUT, place=Place(1, 2, 3))
    with pytest.raises(EnforcerError, match="no process is left in the root directory"):
        gone.root()
