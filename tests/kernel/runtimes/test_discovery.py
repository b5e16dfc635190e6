# SPDX-License-Identifier: Apache-2.0
"""Containers are told from the runtimes' own records, and as the runtimes tell them, with no daemon asked."""

import json
import os
import signal
import subprocess
import tarfile
from pathlib import Path
from subprocess import DEVNULL

import pytest

from hauberk.workloads.containers.model import Container
from hauberk.workloads.containers.scan import Runtimes
from tests.kernel.run.hauberk import until
from tests.kernel.runtimes.commands import TIMEOUT, Podman, Runtime, call, must
from tests.kernel.runtimes.ground import Ground
from tests.runtimes import images
from tests.runtimes.images import SECRET, SECRET_TEXT

LABELS = {"app": "found", "org.example/with.dots": "yes"}
SLEEP = ("/bin/sleep", "600")


def the(name: str, runtimes: Runtimes | None = None) -> Container:
    """The one container of this name that a scan finds."""
    (found,) = [each for each in (runtimes or Runtimes()).scan().containers if each.name == name]
    return found


def all_known(runtimes: Runtimes) -> bool:
    """Whether a scan can tell of every container who it is."""
    found = runtimes.scan()
    return not found.unknown and not any(each.doubt for each in found.containers)


def names(runtimes: Runtimes | None = None) -> set[str]:
    return {each.name for each in (runtimes or Runtimes()).scan().containers}


def test_a_running_container_is_told_as_its_runtime_tells_it(runtime: Runtime, container: str) -> None:
    runtime.start(container, *SLEEP, labels=LABELS)
    found = the(container)
    assert found.runtime == runtime.name
    assert found.id in runtime.ids()
    assert found.pid == runtime.pid(container)
    assert not found.waits
    assert LABELS.items() <= found.labels.items()
    assert found.image.endswith("hauberk/tiny:1")
    assert all_known(Runtimes())


def test_labels_of_the_image_are_the_containers_too(runtime: Runtime, container: str) -> None:
    runtime.start(container, *SLEEP, labels=LABELS)
    assert images.LABELS.items() <= the(container).labels.items()


def test_what_the_kernel_knows_it_by_is_told(runtime: Runtime, container: str) -> None:
    runtime.start(container, *SLEEP, labels=LABELS)
    found = the(container)
    proc = Path(f"/proc/{found.pid}")
    cgroup = (proc / "cgroup").read_text().strip().removeprefix("0::")
    assert found.cgroup.removeprefix("/sys/fs/cgroup").strip("/") == cgroup.strip("/")
    assert found.cgroup_id == os.stat(f"/sys/fs/cgroup{cgroup}").st_ino
    assert found.mount_namespace == (proc / "ns/mnt").stat().st_ino != Path("/proc/self/ns/mnt").stat().st_ino
    assert found.pid_namespace == (proc / "ns/pid").stat().st_ino
    assert found.started == int((proc / "stat").read_text().rpartition(")")[2].split()[19])
    assert Path(found.rootfs, SECRET.lstrip("/")).read_text() == SECRET_TEXT


def test_a_container_is_told_while_it_is_there(runtime: Runtime, container: str) -> None:
    scanner = Runtimes()
    assert container not in names(scanner)
    runtime.start(container, *SLEEP, labels=LABELS)
    assert container in names(scanner)
    assert the(container, scanner) == the(container)
    runtime.remove(container)
    assert container not in names(scanner)
    assert all_known(scanner)


def test_containers_of_several_runtimes_are_told_together(runtimes: Ground) -> None:
    started = {name: f"together-{name}" for name in runtimes}
    try:
        for name, runtime in runtimes.items():
            runtime.start(started[name], *SLEEP, labels={"app": name})
        found = {each.name: each for each in Runtimes().scan().containers}
        for name, runtime in runtimes.items():
            each = found[started[name]]
            assert (each.runtime, each.labels["app"]) == (runtime.name, name)
        assert len({each.cgroup_id for each in found.values()}) == len(found)
        # Podman has no records of its own there, but those of its low-level runtimes.
        assert {"containerd", "docker", "runc", "crun"} <= Runtimes().present().keys()
    finally:
        for name, runtime in runtimes.items():
            runtime.remove(started[name])


@pytest.mark.parametrize("program", ["podman-crun", "podman-runc"])
def test_a_container_that_was_created_waits(runtimes: Ground, program: str) -> None:
    podman = runtimes[program]
    assert isinstance(podman, Podman)
    name, scanner = f"waits-{program}", Runtimes()
    try:
        podman.init(name, *SLEEP, labels=LABELS)
        before = the(name, scanner)
        assert before.waits
        assert LABELS.items() <= before.labels.items()
        podman.go(name)
        until(lambda: not the(name, scanner).waits, "its beginning")
        after = the(name, scanner)
        assert (after.pid, after.started, after.cgroup_id) == (before.pid, before.started, before.cgroup_id)
    finally:
        podman.remove(name)


def bundle(archive: Path, place: Path, *program: str) -> None:
    """What runc and crun take by hand: a config.json and a root file system, out of the tests' image."""
    with tarfile.open(archive) as outer:
        (name,) = json.load(outer.extractfile("manifest.json") or pytest.fail("no manifest"))[0]["Layers"]
        with tarfile.open(fileobj=outer.extractfile(name)) as layer:
            layer.extractall(place / "rootfs", filter="fully_trusted")
    must(["runc", "spec", "--bundle", str(place)])
    config = json.loads((place / "config.json").read_text())
    config["process"] |= {"terminal": False, "args": program}
    (place / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("program", ["/usr/sbin/runc", "/usr/bin/crun"])
def test_a_container_that_no_runtime_above_knows_is_told_by_its_id(
    archive: Path, tmp_path: Path, program: str
) -> None:
    name = f"bare-{Path(program).name}"
    bundle(archive, tmp_path, *SLEEP)
    try:
        # The container's program keeps what `create` has for its standard streams.
        create = [program, "create", "--bundle", str(tmp_path), name]
        subprocess.run(create, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, check=True, timeout=TIMEOUT)
        found = the(name)
        assert (found.id, found.runtime, found.waits) == (name, Path(program).name, True)
        must([program, "start", name])
        until(lambda: not the(name).waits, "its beginning")
    finally:
        call([program, "delete", "--force", name])
    assert name not in names()


def test_low_level_runtimes_are_found_to_be_held(runtimes: Ground) -> None:
    held = {path.resolve() for path in Runtimes().programs()}
    assert {runtime.program for runtime in runtimes.values()} <= held


def test_a_container_is_told_while_its_daemon_is_dead(runtimes: Ground) -> None:
    docker, name, scanner = runtimes["docker"], "orphan", Runtimes()
    dockerd = runtimes.daemon("dockerd")
    docker.start(name, *SLEEP, labels=LABELS)
    before = the(name, scanner)
    dockerd.stop(signal.SIGKILL)
    try:
        assert the(name) == the(name, scanner) == before
    finally:
        dockerd.start()
        docker.remove(name)
