# SPDX-License-Identifier: Apache-2.0
"""System services, by systemd's directories in the cgroup tree."""

from pathlib import Path

from hauberk.workloads.units import EXEMPT_UNITS, MAX_DEPTH, Unit, running_units


def tree(root: Path, *paths: str) -> None:
    (root / "cgroup.controllers").write_text("cpu\n")
    for path in paths:
        (root / path).mkdir(parents=True)


def test_services_are_found_in_slices_of_the_system_slice(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "system.slice/nginx.service",
        "system.slice/system-postgresql.slice/postgresql@15-main.service",
        "system.slice/docker-0123.scope",
        "system.slice/containerd.service/nested.service",
        "user.slice/user-0.slice/user@0.service",
        "init.scope",
    )
    (tmp_path / "system.slice/cgroup.procs").write_text("")
    found = running_units(tmp_path)
    assert [(each.name, each.cgroup) for each in found] == [
        ("containerd.service", "/system.slice/containerd.service"),
        ("nginx.service", "/system.slice/nginx.service"),
        ("postgresql@15-main.service", "/system.slice/system-postgresql.slice/postgresql@15-main.service"),
    ]
    assert all(isinstance(each, Unit) for each in found)
    assert all((tmp_path / each.cgroup.lstrip("/")).stat().st_ino == each.cgroup_id for each in found)


def test_without_systemd_or_cgroup_v2_there_are_none(tmp_path: Path) -> None:
    assert running_units(tmp_path) == []
    (tmp_path / "system.slice/nginx.service").mkdir(parents=True)
    assert running_units(tmp_path) == []


def test_slices_are_followed_only_so_deep(tmp_path: Path) -> None:
    tree(tmp_path, "system.slice" + "/a.slice" * (MAX_DEPTH + 3) + "/x.service")
    assert running_units(tmp_path) == []


def test_consoles_and_hauberk_are_exempt() -> None:
    assert {"hauberk.service", "system-getty.slice", "system-serial\\x2dgetty.slice"} <= EXEMPT_UNITS
    assert all(len(each) <= 63 for each in EXEMPT_UNITS), "the kernel's table has no room for longer names"
