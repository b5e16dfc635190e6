# SPDX-License-Identifier: Apache-2.0
"""Where runtimes and their programs are."""

import os
from pathlib import Path

from hauberk.workloads.containers.scan import Runtimes
from tests.workloads.containers.node import Node

USER = os.getuid()


def test_directories_to_watch_exist_and_are_as_near_as_can_be(node: Node) -> None:
    runtimes = Runtimes(node.root)
    run = node.root / "run"
    run.mkdir()
    assert runtimes.watched() == [run]
    node.ctr()
    node.docker()
    (run / f"user/{USER}/crun").mkdir(parents=True)
    watched = runtimes.watched()
    assert all(each.is_dir() for each in watched)
    assert len(set(watched)) == len(watched)
    assert {
        run,
        run / "containerd/runc",
        run / "containerd/runc/default",
        run / "docker",
        run / "docker/runtime-runc",
        run / "docker/runtime-runc/moby",
        run / "user",
        run / f"user/{USER}",
        run / f"user/{USER}/crun",
    } == set(watched)


def test_programs_are_real_files_each_once(node: Node) -> None:
    def program(path: str) -> Path:
        file = node.write(path, "\x7fELF")
        file.chmod(0o755)
        return file

    runc = program("usr/sbin/runc")
    (node.root / "usr/bin").mkdir()
    (node.root / "usr/bin/runc").symlink_to("/usr/sbin/runc")
    (node.root / "usr/bin/crun").symlink_to("../../opt/crun-1.2")
    crun = program("opt/crun-1.2")
    node.write("usr/local/bin/crun", "not executable")
    (node.root / "usr/local/sbin/runc").mkdir(parents=True)
    assert set(Runtimes(node.root).programs()) == {runc, crun}


def test_programs_that_configurations_name_are_found(node: Node) -> None:
    wanted = set()
    for name in ("of-docker", "of-containerd", "of-crio", "of-podman"):
        file = node.write(f"opt/{name}", "\x7fELF")
        file.chmod(0o755)
        wanted.add(file)
    node.write("etc/docker/daemon.json", '{"runtimes": {"x": {"path": "/opt/of-docker"}, "y": {}, "z": 1}}')
    options = 'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.x.options'
    node.write("etc/containerd/config.toml", f'[{options}]\nBinaryName = "/opt/of-containerd"\n')
    node.write("etc/crio/crio.conf", '[crio.runtime.runtimes.x]\nruntime_path = "/opt/of-crio"\n')
    node.write("etc/containers/containers.conf", '[engine.runtimes]\ncrun = ["/none", "/opt/of-podman"]\n')
    assert set(Runtimes(node.root).programs()) == wanted
    for path in ("etc/docker/daemon.json", "etc/containerd/config.toml"):
        node.write(path, "[broken")
    assert len(Runtimes(node.root).programs()) == 2
