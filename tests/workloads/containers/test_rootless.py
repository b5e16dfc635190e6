# SPDX-License-Identifier: Apache-2.0
"""Containers of users: found in their own storage, and believed only where the user rules anyway."""

import os
from pathlib import Path

import pytest

from hauberk.workloads.containers import places
from hauberk.workloads.containers.scan import MAX_OF_USER, Runtimes
from tests.workloads.containers.node import PODMAN_ID, Node, recorded
from tests.workloads.containers.test_scan import names, reasons

USER = os.getuid()
OWN = f"/user.slice/user-{USER}.slice/user@{USER}.service"


def rootless(node: Node, cgroup: str = f"{OWN}/user.slice/a.scope", **changes: str) -> int:
    """A container that this user's Podman runs."""
    home = "/home/someone/.local/share/containers/storage"
    node.bolt(storage=home)
    return node.crun(
        f"run/user/{USER}/crun",
        PODMAN_ID,
        recorded("podman-crun-config.json"),
        cgroup_path=cgroup,
        bundle=f"{home}/overlay-containers/{PODMAN_ID}/userdata",
        **changes,
    )


def test_a_rootless_container_is_found_in_its_users_storage(node: Node) -> None:
    rootless(node)
    assert names(Runtimes(node.root)) == ["pod-web"]


@pytest.mark.parametrize(
    "cgroup", ["/system.slice/sshd.service", f"/user.slice/user-{USER}.slice/session-1.scope"]
)
def test_a_user_can_speak_for_processes_in_own_cgroups_only(node: Node, cgroup: str) -> None:
    rootless(node, cgroup=cgroup)
    assert ["none that systemd gave to user" in why for why in reasons(node)] == [True]


@pytest.mark.skipif(USER != 0, reason="only root can give files away")
def test_what_root_has_made_is_not_the_users_to_speak_for(node: Node) -> None:
    rootless(node)
    os.chown(node.root / f"sys/fs/cgroup{OWN}/user.slice/a.scope", 1234, 1234)
    assert ["none that systemd gave to user" in why for why in reasons(node)] == [True]
    os.chown(node.root / f"run/user/{USER}/crun", 1234, 1234)
    assert names(Runtimes(node.root)) == []


def test_a_user_cannot_make_roots_containers_unknown(node: Node) -> None:
    node.podman()
    node.bolt()
    rootless(node)
    found = Runtimes(node.root).scan()
    assert [each.cgroup for each in found.containers] == [f"/libpod_parent/libpod-{PODMAN_ID}"]
    assert found.unknown == ((f"user {USER}: {PODMAN_ID}", "has the id of a container of root's"),)


def test_a_link_to_roots_records_is_no_place_of_a_user(node: Node) -> None:
    node.podman()
    node.bolt()
    (node.root / f"run/user/{USER}").mkdir(parents=True)
    (node.root / f"run/user/{USER}/crun").symlink_to(node.root / "run/crun")
    assert names(Runtimes(node.root)) == ["pod-web"]


def test_what_users_choose_can_be_shown_on_a_terminal(node: Node) -> None:
    (node.root / f"run/user/{USER}/crun/\x1b[2J").mkdir(parents=True)
    rootless(node, cgroup=f"{OWN}/\x1b[2J")
    (node.root / f"sys/fs/cgroup{OWN}/\x1b[2J").rename(node.root / "gone")
    found = Runtimes(node.root).scan()
    assert len(found.unknown) == 2
    assert all(text.isprintable() and "\\x1b[2J" in text for text in map(" ".join, found.unknown))


def test_a_users_record_that_claims_another_cgroup_for_its_process_is_not_believed(node: Node) -> None:
    pid = rootless(node)
    (node.root / "sys/fs/cgroup/system.slice").mkdir()
    node.write(f"proc/{pid}/cgroup", "0::/system.slice\n")
    assert ["its init is in the cgroup /system.slice" in why for why in reasons(node)] == [True]


@pytest.mark.parametrize("path", [f"{OWN}/../../../system.slice/x", f"{OWN}/./x", f"{OWN}//x"])
def test_a_cgroup_by_a_way_around_is_not_believed(node: Node, path: str) -> None:
    rootless(node, cgroup=path)
    assert reasons(node) == ["it has no cgroup of its own"]


def test_what_belongs_to_another_is_not_read_for_a_user(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    rootless(node)
    (node.root / f"run/user/{USER}").rename(node.root / f"run/user/{USER + 1}")
    monkeypatch.setattr(places, "_belongs", lambda path, user: Path(path).is_dir())
    assert ["does not belong to user" in why for why in reasons(node)] == [True]


def test_a_user_with_very_many_records_is_told_once(node: Node) -> None:
    for number in range(MAX_OF_USER + 1):
        (node.root / f"run/user/{USER}/crun/{number}").mkdir(parents=True)
    assert reasons(node) == [f"has more than {MAX_OF_USER} containers"]
