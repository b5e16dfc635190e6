# SPDX-License-Identifier: Apache-2.0
"""What Docker, containerd, Podman and CRI-O write of a container becomes one and the same kind of facts."""

import json
import sqlite3
from pathlib import Path

import pytest

from hauberk.workloads.containers.model import Container
from hauberk.workloads.containers.scan import Runtimes
from tests.workloads.containers.node import DOCKER_ID, PODMAN_ID, STORAGE, Node, recorded

IMAGE_ID = "sha256:56748f16ac486bdb82a647d94617644a7d83f3c3635f56aaba2ad29b6a181d64"


def only(node: Node) -> Container:
    """The one container."""
    found = Runtimes(node.root).scan()
    assert found.unknown == ()
    (container,) = found.containers
    assert container.doubt == ""
    return container


def reason(node: Node) -> str:
    """Why nobody can say who the one container is."""
    (container,) = Runtimes(node.root).scan().containers
    assert container.doubt
    return container.doubt


def test_a_container_of_docker(node: Node) -> None:
    pid = node.docker()
    cgroup = f"/docker/{DOCKER_ID}"
    assert only(node) == Container(
        runtime="docker",
        id=DOCKER_ID,
        name="web",
        labels={
            "color": "red",
            "hauberk.test": "image",
            "org.example.team": "blue",
            "namespaceName": "container_namespace",
            "kubearmor.io/container.name": "web",
        },
        image="example.org/bb:1",
        image_digest=IMAGE_ID,
        pid=pid,
        started=1000 + pid,
        waits=False,
        cgroup=cgroup,
        cgroup_id=(node.root / f"sys/fs/cgroup{cgroup}").stat().st_ino,
        mount_namespace=4026531841 + pid,
        pid_namespace=4026541841 + pid,
        rootfs="/var/lib/docker/overlay2/52a2d4c029e61fddd9e566516ed22ba0868b5fd9f73ad070ef8c1f2886c19514/merged",
        bundle=f"/run/containerd/io.containerd.runtime.v2.task/moby/{DOCKER_ID}",
    )


def test_docker_is_found_wherever_its_data_is(node: Node) -> None:
    state = recorded("docker-runc-state.json")
    for mount in state["config"]["mounts"]:
        mount["source"] = mount["source"].replace("/var/lib/docker/", "/mnt/disk 2/docker/")
    node.write(
        f"mnt/disk 2/docker/containers/{DOCKER_ID}/config.v2.json",
        json.dumps(recorded("docker-config.v2.json")),
    )
    node.runc("run/docker/runtime-runc/moby", state)
    assert only(node).name == "web"


def test_docker_with_crun_is_docker(node: Node) -> None:
    node.docker()
    (node.root / f"run/docker/runtime-runc/moby/{DOCKER_ID}/state.json").unlink()
    node.crun("run/docker/runtime-crun/moby", DOCKER_ID, {}, cgroup_path=f"/docker/{DOCKER_ID}")
    assert (only(node).runtime, only(node).name) == ("docker", "web")


def test_a_container_that_docker_does_not_know_is_unknown(node: Node) -> None:
    node.docker()
    record = node.root / f"var/lib/docker/containers/{DOCKER_ID}/config.v2.json"
    text = record.read_text()
    record.write_text(text[: len(text) // 2])
    assert "cannot be understood" in reason(node)
    record.unlink()
    assert reason(node) == f"there is no {record}"


def test_a_container_of_ctr_has_its_images_labels_and_its_annotations(node: Node) -> None:
    node.ctr(ann="note", org__example__team="shadowed")
    container = only(node)
    assert (container.runtime, container.id, container.name) == ("containerd", "c1", "c1")
    assert (container.image, container.image_digest) == ("example.org/bb:1", "sha256:a938")
    assert container.labels == {
        "ann": "note",
        "app": "web",
        "org.example.team": "blue",
        "namespaceName": "container_namespace",
        "kubearmor.io/container.name": "c1",
    }


def test_nerdctls_name_is_the_name_and_the_namespace_label_the_namespace(node: Node) -> None:
    node.ctr(labels={b"nerdctl/name": b"nice", b"kubearmor.io/namespace": b"prod"})
    container = only(node)
    assert (container.name, container.namespace) == ("nice", "prod")
    assert container.labels["namespaceName"] == "prod"


def test_no_label_says_another_name_or_namespace_than_the_containers(node: Node) -> None:
    node.ctr(labels={b"namespaceName": b"other", b"kubearmor.io/container.name": b"other"})
    labels = only(node).labels
    assert (labels["namespaceName"], labels["kubearmor.io/container.name"]) == ("container_namespace", "c1")


def test_containers_of_one_id_in_two_namespaces_are_two(node: Node) -> None:
    node.ctr()
    node.ctr(space="other", labels={b"app": b"db"})
    found = Runtimes(node.root).scan()
    assert {(each.cgroup, each.labels["app"]) for each in found.containers} == {
        ("/default/c1", "web"),
        ("/other/c1", "db"),
    }


def test_a_pod_of_kubernetes_by_containerd(node: Node) -> None:
    pod = {"io__kubernetes__cri__sandbox-name": "web-7", "io__kubernetes__cri__sandbox-namespace": "shop"}
    node.ctr(
        "aaa",
        "k8s.io",
        {b"io.kubernetes.pod.namespace": b"an image says so", b"io.cri-containerd.kind": b"container"},
        **pod,
        **{
            "io__kubernetes__cri__container-name": "nginx",
            "io__kubernetes__cri__image-name": "docker.io/nginx:1",
        },
    )
    container = only(node)
    assert (container.name, container.pod, container.namespace) == ("nginx", "web-7", "shop")
    assert (container.image, container.is_sandbox) == ("docker.io/nginx:1", False)


def test_a_pods_sandbox_is_told(node: Node) -> None:
    node.ctr("aaa", "k8s.io", {}, **{"io__kubernetes__cri__container-type": "sandbox"})
    assert only(node).is_sandbox


def test_a_container_that_is_not_in_containerds_database_is_unknown(node: Node) -> None:
    node.ctr()
    node.containerd = {b"v1": {b"default": {b"containers": {}}}}
    node.save()
    assert "says nothing of it" in reason(node)


def test_containerds_data_may_be_where_its_configuration_says(node: Node) -> None:
    node.ctr()
    own = node.root / "srv/containerd"
    own.parent.mkdir()
    (node.root / "var/lib/containerd").rename(own)
    assert "says nothing of it" in reason(node)
    node.write("etc/containerd/config.toml", 'version = 2\nroot = "/srv/containerd"\n')
    assert only(node).labels["app"] == "web"


@pytest.mark.parametrize("database", ["bolt", "sqlite"])
def test_a_container_of_podman(node: Node, database: str) -> None:
    pid = node.podman()
    getattr(node, database)()
    container = only(node)
    assert (container.runtime, container.id, container.name, container.pod) == (
        "podman",
        PODMAN_ID,
        "pod-web",
        "",
    )
    assert (container.image, container.image_digest) == ("example.org/bb:1", IMAGE_ID)
    assert container.pid == pid
    assert container.labels == {
        "hauberk.test": "image",
        "org.example.team": "blue",
        "tier": "front",
        "namespaceName": "container_namespace",
        "kubearmor.io/container.name": "pod-web",
        "containerType": "podman",
    }
    assert container.rootfs.startswith(f"{STORAGE}/overlay/")


@pytest.mark.parametrize("database", ["bolt", "sqlite"])
def test_a_pod_of_podmans_and_its_sandbox(node: Node, database: str) -> None:
    node.podman()
    getattr(node, database)(pod="feed", pause=True)
    container = only(node)
    assert (container.pod, container.is_sandbox) == ("mypod", True)


def test_podman_with_runc(node: Node) -> None:
    state = recorded("podman-runc-state.json")
    node.runc("run/runc", state)
    node.bolt(name="pod-runc", number=state["id"])
    assert (only(node).runtime, only(node).name) == ("podman", "pod-runc")


@pytest.mark.parametrize("database", ["bolt", "sqlite"])
def test_a_container_that_podman_does_not_know_is_unknown(node: Node, database: str) -> None:
    node.podman()
    assert "says nothing of it" in reason(node)
    getattr(node, database)(labels=["no labels"])
    assert "cannot be understood" in reason(node)


def test_a_database_of_sqlite_that_is_being_written_is_not_believed(node: Node) -> None:
    node.podman()
    path = node.sqlite()
    Path(f"{path}-journal").write_bytes(b"\xd9\xd5")
    assert "was written to" in reason(node)
    Path(f"{path}-journal").write_bytes(b"")
    assert only(node).name == "pod-web"


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE PodConfig",
        "DROP TABLE ContainerConfig; CREATE VIEW ContainerConfig AS SELECT ID, Name, JSON FROM PodConfig",
        "UPDATE ContainerConfig SET Name = x'00ff'",
    ],
)
def test_a_database_of_sqlite_that_is_not_podmans_is_refused(node: Node, statement: str) -> None:
    node.podman()
    connection = sqlite3.connect(node.sqlite())
    connection.executescript(statement)
    connection.close()
    assert "no database of Podman's" in reason(node) or "no text" in reason(node)


def test_damage_to_a_database_of_sqlite_makes_a_container_unknown(node: Node) -> None:
    node.podman()
    path = node.sqlite()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    assert str(path) in reason(node)


CRIO = {
    "io.container.manager": "cri-o",
    "io.kubernetes.cri-o.ContainerType": "container",
    "io.kubernetes.cri-o.Labels": '{"app":"shop","io.kubernetes.pod.namespace":"other"}',
    "io.kubernetes.cri-o.ImageName": "quay.io/shop:2",
    "io.kubernetes.cri-o.ImageRef": "sha256:beef",
    "io.kubernetes.cri-o.Name": "k8s_shop_shop-1_prod_uid_0",
    "io.kubernetes.container.name": "shop",
    "io.kubernetes.pod.name": "shop-1",
    "io.kubernetes.pod.namespace": "prod",
}


@pytest.mark.parametrize("low", ["runc", "crun"])
def test_a_container_of_crio(node: Node, low: str) -> None:
    if low == "crun":
        node.crun("run/crun", PODMAN_ID, {"annotations": CRIO})
    else:
        state = recorded("podman-runc-state.json")
        state["config"]["labels"] = [f"{name}={value}" for name, value in CRIO.items()] + ["bundle=/run/x"]
        node.runc("run/runc", state)
    container = only(node)
    assert (container.runtime, container.name, container.pod) == ("cri-o", "shop", "shop-1")
    assert (container.namespace, container.labels["app"]) == ("prod", "shop")
    assert (container.image, container.image_digest) == ("quay.io/shop:2", "sha256:beef")
    assert not container.is_sandbox


def test_a_container_that_nobody_manages_has_its_annotations(node: Node) -> None:
    node.crun("run/crun", "bare", {"annotations": {"a": "b"}}, bundle="/tmp/b", rootfs="rootfs")
    container = only(node)
    assert (container.runtime, container.name, container.rootfs) == ("crun", "bare", "/tmp/b/rootfs")
    assert container.labels["a"] == "b"
