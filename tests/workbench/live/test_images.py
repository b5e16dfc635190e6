# SPDX-License-Identifier: Apache-2.0
"""Images are put together below a directory, and nothing outside of it is touched."""

import os
import subprocess
from pathlib import Path

import pytest

from hauberk.workbench.live import packages, programs
from hauberk.workbench.live.images import MULTIUBUNTU, dress, find_image, find_program, put_file
from hauberk.workbench.live.runtime import specification
from hauberk.workbench.live.scenario import Container, ScenarioError, User, WantedFile

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


@pytest.mark.parametrize(
    ("name", "directory", "tree"),
    [
        ("multiubuntu", "/", packages.unmerged),
        ("multiubuntu tag 0.2 (adds ls.py)", "/", packages.unmerged),
        ("nginx (Debian based, has apt)", "/", packages.merged),
        ("nginx alpine (busybox sh and cat)", "/", None),
        ("wordpress 4.8-apache (Debian with separate /bin)", "/var/www/html", packages.unmerged),
        ("wordpress latest in plain docker", "/var/www/html", packages.merged),
        ("debian", "/", packages.merged),
    ],
)
def test_an_image_is_known_by_words_of_its_name(name: str, directory: str, tree: object) -> None:
    found = find_image(name)
    assert (found.directory, found.tree) == (directory, tree)


def test_an_unknown_image_is_refused_with_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="`windows` is no image") as refused:
        find_image("windows")
    assert "multiubuntu, nginx alpine" in refused.value.remedy


@ROOT_ONLY
def test_what_scenarios_are_about_is_put_over_the_tree(tmp_path: Path) -> None:
    extra = (User("user2", "/home/user2"),)
    files = (WantedFile("/srv/key", "user2", 0o600, "the key"), WantedFile("/secret.txt", content="other"))
    uids = dress(tmp_path, MULTIUBUNTU, "web-1", extra, files)
    assert (tmp_path / "secret.txt").read_text() == "secret file\n"
    assert (tmp_path / "etc/hostname").read_text() == "web-1\n"
    owner = (tmp_path / "home/user1/dir1/key1.txt").stat()
    assert owner.st_uid == uids["user1"] == (tmp_path / "home/user1/dir1").stat().st_uid
    key = (tmp_path / "srv/key").stat()
    assert (key.st_uid, key.st_mode & 0o777) == (uids["user2"], 0o600)
    assert os.readlink(tmp_path / "var/run") == "/run"
    assert "user1:x:1000:1000::/home/user1:/bin/" in (tmp_path / "etc/passwd").read_text()


@ROOT_ONLY
def test_a_file_of_a_user_who_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such user"):
        put_file(tmp_path, WantedFile("/a", "nobody-here"), {"root": 0})


def test_programs_are_found_as_a_shell_does_and_links_do_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    program = tmp_path / "usr/bin/tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "usr/bin/outside").symlink_to("/bin/ls")
    assert find_program(tmp_path, "tool") == find_program(tmp_path, "/bin/tool") == program
    assert find_program(tmp_path, "/bin/outside") is None
    assert find_program(tmp_path, "nothing") is None


def run(path: Path, *arguments: str) -> str:
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False).stdout


def test_the_programs_do_what_their_names_say(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("secret\n")
    for name in ("hello", "readwrite", "read", "write"):
        programs.put(name, tmp_path / name)
    assert run(tmp_path / "hello") == "helloworld\n"
    assert run(tmp_path / "readwrite", "-r", str(file)) == "s\n"
    assert run(tmp_path / "readwrite", "-w", str(file)) == ""
    assert file.read_text() == "secret\nb"
    assert run(tmp_path / "readwrite", "-r", "/nonexistent") == "Error!\n"
    assert run(tmp_path / "read", str(file)) == f"read secret from {file}\n"
    assert run(tmp_path / "read", "/no") == "failed to open /no with the READONLY mode\n"
    assert run(tmp_path / "write").startswith("Usage")


def test_a_program_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="must be called hello"):
        programs.put("hello", tmp_path / "greet")


def test_labels_and_namespace_are_where_hauberk_looks_for_them() -> None:
    container = Container(target="web", name="web", namespace="shop", image="debian", labels={"app": "web"})
    spec = specification(container, Path("/root"), "/srv", ["sh"], {"/run/token": Path("/x")})
    assert spec["annotations"] == {"app": "web", "kubearmor.io/namespace": "shop"}
    assert spec["process"]["cwd"] == "/srv"
    assert "CAP_SYS_ADMIN" not in spec["process"]["capabilities"]["effective"]
    assert {mount["destination"] for mount in spec["mounts"]} >= {"/proc", "/dev/pts", "/run/token"}


def test_a_privileged_container_has_every_capability() -> None:
    container = Container(target="w", name="w", namespace="s", image="debian", privileged=True)
    spec = specification(container, Path("/root"), "/", ["sh"], {})
    assert len(spec["process"]["capabilities"]["effective"]) == 41
