# SPDX-License-Identifier: Apache-2.0
"""Scans: who is there, what has changed, and whom the kernel contradicts."""

import os
import random
from collections.abc import Iterator

import pytest

from hauberk.workloads.containers import podman, scan, state
from hauberk.workloads.containers.model import Found
from hauberk.workloads.containers.scan import Runtimes
from tests.workloads.containers.node import DOCKER_ID, HOST_MOUNTS, META, PODMAN_ID, STORAGE, Node, recorded


def names(runtimes: Runtimes) -> list[str]:
    """Of the containers that are known; none is unknown."""
    found = runtimes.scan()
    assert found.unknown == ()
    return sorted(each.name for each in found.containers)


def reasons(node: Node) -> list[str]:
    """Why those that are unknown are; none is known."""
    found = Runtimes(node.root).scan()
    assert found.containers == ()
    return [why for _, why in found.unknown]


def doubtful(found: Found) -> Iterator[str]:
    """Reasons for which containers are unknown or doubted."""
    yield from (why for _, why in found.unknown)
    yield from (each.doubt for each in found.containers if each.doubt)


def test_a_machine_without_containers_has_none(node: Node) -> None:
    assert names(Runtimes(node.root)) == []
    assert Runtimes(node.root).present() == {}


def test_all_runtimes_are_looked_at_at_once(node: Node) -> None:
    node.docker()
    node.ctr()
    node.podman()
    node.bolt()
    node.crun("run/crun", "bare", {}, cgroup_path="/bare")
    assert names(Runtimes(node.root)) == ["bare", "c1", "pod-web", "web"]
    assert Runtimes(node.root).present() == {
        "containerd": [node.root / "run/containerd/runc/default"],
        "crun": [node.root / "run/crun"],
        "docker": [node.root / "run/docker/runtime-runc/moby"],
    }


def test_a_container_waits_while_its_pipe_is_there(node: Node) -> None:
    node.ctr()
    pipe = node.root / "run/containerd/runc/default/c1/exec.fifo"
    os.mkfifo(pipe)
    runtimes = Runtimes(node.root)
    assert [each.waits for each in runtimes.scan().containers] == [True]
    pipe.unlink()
    assert [each.waits for each in runtimes.scan().containers] == [False]


def test_a_container_that_has_ended_is_not_told_of(node: Node) -> None:
    pid = node.ctr()
    runtimes = Runtimes(node.root)
    assert names(runtimes) == ["c1"]
    node.process(pid, 999_999, "/default/c1")
    assert names(runtimes) == [], "another process has its number now"
    node.process(pid, 1000 + pid, "/default/c1")
    assert names(runtimes) == ["c1"]
    dead = (node.root / f"proc/{pid}/stat").read_text().replace(") S ", ") Z ")
    node.write(f"proc/{pid}/stat", dead)
    assert names(runtimes) == [], "it is a zombie"
    node.end(pid)
    assert names(runtimes) == []


def test_a_container_that_is_being_made_is_not_told_of(node: Node) -> None:
    (node.root / "run/crun/new").mkdir(parents=True)
    node.write("run/crun/.empty-directory/status", "x")
    assert names(Runtimes(node.root)) == []
    node.ctr()
    node.runc("run/containerd/runc/default", recorded("ctr-runc-state.json"), init_process_pid=0)
    assert names(Runtimes(node.root)) == []


def test_nothing_is_read_again_while_nothing_changes(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.docker()
    node.ctr()
    node.podman()
    node.sqlite()
    runtimes = Runtimes(node.root)
    before = runtimes.scan()

    def read(*_: object, **__: object) -> bytes:
        raise AssertionError("read again")

    monkeypatch.setattr(state, "read", read)
    for module in (scan.docker, scan.podman):
        monkeypatch.setattr(module, "read", read)
    for module in (scan.containerd, scan.podman):
        monkeypatch.setattr(module, "look", read)
    assert runtimes.scan() == before


@pytest.mark.parametrize("database", ["bolt", "sqlite"])
def test_a_new_name_is_noticed(node: Node, database: str) -> None:
    node.docker()
    node.ctr()
    node.podman()
    getattr(node, database)()
    runtimes = Runtimes(node.root)
    before = runtimes.scan()
    record = (node.root / f"var/lib/docker/containers/{DOCKER_ID}/config.v2.json").read_text()
    node.write(f"var/lib/docker/containers/{DOCKER_ID}/config.v2.json", record.replace('"/web"', '"/web2"'))
    node.containerd[b"v1"][b"default"][b"containers"][b"c1"][b"labels"] = {b"nerdctl/name": b"c2"}  # type: ignore[index, call-overload]
    node.save()
    getattr(node, database)(name="other", labels={"never": "changed"})
    after = runtimes.scan()
    assert sorted(each.name for each in after.containers) == ["c2", "other", "web2"]
    assert {each.name: each.labels["kubearmor.io/container.name"] for each in after.containers}[
        "web2"
    ] == "web2"
    assert [each.cgroup_id for each in after.containers] == [each.cgroup_id for each in before.containers]


def test_a_container_made_anew_under_its_old_id_is_another(node: Node) -> None:
    first = node.ctr()
    runtimes = Runtimes(node.root)
    assert [each.pid for each in runtimes.scan().containers] == [first]
    node.end(first)
    second = node.ctr(labels={b"app": b"new"})
    (container,) = runtimes.scan().containers
    assert (container.pid, container.labels["app"]) == (second, "new")


def test_a_record_that_is_cut_off_makes_the_container_unknown_until_it_is_whole(node: Node) -> None:
    node.docker()
    record = node.root / f"run/docker/runtime-runc/moby/{DOCKER_ID}/state.json"
    text = record.read_text()
    record.write_text(text[:-20])
    runtimes = Runtimes(node.root)
    found = runtimes.scan()
    assert [number for number, _ in found.unknown] == [DOCKER_ID]
    assert "cannot be understood" in found.unknown[0][1]
    record.write_text(text)
    assert names(runtimes) == ["web"]


def test_a_container_that_is_known_stays_known_while_records_cannot_be_read(node: Node) -> None:
    node.docker()
    node.ctr()
    node.podman()
    node.bolt()
    runtimes = Runtimes(node.root)
    before = runtimes.scan()
    for path in (
        f"run/docker/runtime-runc/moby/{DOCKER_ID}/state.json",
        f"var/lib/docker/containers/{DOCKER_ID}/config.v2.json",
        f"{STORAGE}/libpod/bolt_state.db".lstrip("/"),
        META,
    ):
        text = (node.root / path).read_bytes()
        (node.root / path).write_bytes(text[:100])
        assert sum(1 for _ in doubtful(Runtimes(node.root).scan())) == 1
        assert runtimes.scan() == before
        (node.root / path).write_bytes(text)
    assert Runtimes(node.root).scan() == before
    node.end(before.containers[0].pid)
    assert runtimes.scan().containers == before.containers[1:]


def test_of_a_container_that_its_manager_has_forgotten_the_place_is_known(node: Node) -> None:
    node.docker()
    record = node.root / f"var/lib/docker/containers/{DOCKER_ID}/config.v2.json"
    text = record.read_text()
    record.unlink()
    os.mkfifo(node.root / f"run/docker/runtime-runc/moby/{DOCKER_ID}/exec.fifo")
    runtimes = Runtimes(node.root)
    found = runtimes.scan()
    assert found.unknown == ()
    (container,) = found.containers
    assert "config.v2.json" in container.doubt
    assert (container.name, container.labels["kubearmor.io/container.name"]) == (DOCKER_ID, DOCKER_ID)
    assert container.waits
    assert container.cgroup_id == (node.root / f"sys/fs/cgroup{container.cgroup}").stat().st_ino
    assert runtimes.scan() == found
    record.write_text(text)
    (known,) = runtimes.scan().containers
    assert (known.name, known.doubt, known.cgroup_id) == ("web", "", container.cgroup_id)


def test_one_that_is_forgotten_and_shares_a_cgroup_is_unknown(node: Node) -> None:
    node.crun("run/crun", "a", {}, cgroup_path="/both")
    node.crun("run/crun", "b", {"annotations": dict([podman.MANAGER])}, cgroup_path="/both")
    assert reasons(node) == ["shares the cgroup /both with 1 other container(s)"] * 2


def test_a_change_of_its_resources_leaves_a_container_as_it_is(node: Node) -> None:
    node.docker()
    runtimes = Runtimes(node.root)
    before = runtimes.scan()
    path = f"run/docker/runtime-runc/moby/{DOCKER_ID}/state.json"
    node.write(path, (node.root / path).read_text().replace('"hostname"', '"memory": 1, "hostname"'))
    assert runtimes.scan() == before


def test_one_unreadable_container_hides_no_other(node: Node) -> None:
    node.docker()
    node.ctr()
    node.write("run/crun/odd/status", "{}")
    node.crun("run/crun", "half", {}, cgroup_path="/half")
    (node.root / "run/crun/half/config.json").unlink()
    node.write("run/runc/long/state.json", b"[" * 100_000)
    node.write("run/runc/word/state.json", b'"\xff"')
    os.mkfifo(node.root / "run/crun/pipe")
    (node.root / "run/crun/fifo").mkdir()
    os.mkfifo(node.root / "run/crun/fifo/status")
    found = Runtimes(node.root).scan()
    assert {each.name for each in found.containers} == {"web", "c1"}
    assert sorted(number for number, _ in found.unknown) == ["fifo", "half", "long", "odd", "word"]
    assert all(why for _, why in found.unknown)


def test_damage_anywhere_is_told_or_does_not_matter(node: Node) -> None:
    node.docker()
    node.ctr()
    node.podman()
    node.bolt()
    whole = {
        path: path.read_bytes()
        for path in node.root.rglob("*")
        if path.is_file() and "proc" not in path.parts
    }
    dice = random.Random(2)
    unknown = 0
    for _ in range(200):
        path = dice.choice(list(whole))
        data = bytearray(whole[path])
        for _ in range(dice.choice((1, 4, 40))):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data[: dice.choice((len(data), dice.randrange(len(data) + 1)))])
        found = Runtimes(node.root).scan()
        unknown += any(doubtful(found))
        assert len(found.containers) + len(found.unknown) <= 3
        path.write_bytes(whole[path])
    assert unknown > 50
    assert len(Runtimes(node.root).scan().containers) == 3


def test_a_systemd_scope_is_the_containers_cgroup_whatever_lies_in_it(node: Node) -> None:
    scope = f"libpod-{PODMAN_ID}.scope"
    node.podman(inside="/init.scope", cgroup_path=f"/machine.slice/{scope}/container", scope=scope)
    node.bolt()
    (container,) = Runtimes(node.root).scan().containers
    assert container.cgroup == f"/machine.slice/{scope}"
    assert container.cgroup_id == (node.root / f"sys/fs/cgroup/machine.slice/{scope}").stat().st_ino


@pytest.mark.parametrize("cgroup", ["", "/"])
def test_a_container_without_a_cgroup_of_its_own_is_unknown(node: Node, cgroup: str) -> None:
    node.crun("run/crun", "bare", {}, cgroup_path=cgroup)
    assert reasons(node) == ["it has no cgroup of its own"]


def test_two_containers_in_one_cgroup_are_unknown(node: Node) -> None:
    for number in ("a", "b"):
        node.crun("run/crun", number, {}, cgroup_path="/both")
    assert reasons(node) == ["shares the cgroup /both with 1 other container(s)"] * 2


def test_an_init_in_another_cgroup_than_recorded_makes_the_container_unknown(node: Node) -> None:
    pid = node.ctr()
    node.write(f"proc/{pid}/cgroup", "0::/default/c10\n")
    assert reasons(node) == ["its init is in the cgroup /default/c10, not in /default/c1"]


def test_a_container_in_the_hosts_mount_namespace_is_unknown(node: Node) -> None:
    pid = node.ctr()
    node.process(pid, 1000 + pid, "/default/c1", HOST_MOUNTS)
    assert reasons(node) == ["it has no mount namespace of its own"]


def test_without_cgroup_v2_containers_are_unknown(node: Node) -> None:
    node.docker()
    node.runc("run/runc", recorded("podman-runc-state.json") | {"id": "old"})
    (node.root / "sys/fs/cgroup/cgroup.controllers").unlink()
    assert all("needs cgroup v2" in why or "says nothing" in why for why in reasons(node))
    record = node.root / f"run/docker/runtime-runc/moby/{DOCKER_ID}/state.json"
    record.write_text(record.read_text().replace('{"": "/sys', '{"memory": "/sys'))
    assert any("version 1" in why for why in reasons(node))
