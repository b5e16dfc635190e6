# SPDX-License-Identifier: Apache-2.0
"""What images are made of, and a container runtime: Debian's packages, in the lab's cache.

apt is asked for packages as if nothing were installed, so it fetches everything that they depend on. They are
unpacked and never installed: no maintainer's script runs. Debian 12's packages keep /bin and /usr/bin apart
when they are unpacked into an empty directory; where images are merged, it is done afterwards.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hauberk.lab.cache import cache_root, locked, make_entry
from hauberk.lab.errors import LabError
from hauberk.lab.kernels import Progress, fetch_busybox, run_tool, update_index
from hauberk.workbench.live.scenario import ScenarioError

LAB: Final = Path("/run/hauberk-lab")
"""Is there in the lab's machines, whose root file system is thrown away with them."""
IMAGE: Final = (
    *("bash", "dash", "coreutils", "util-linux", "mount", "login", "passwd", "base-passwd", "procps", "grep"),
    *("sed", "findutils", "diffutils", "ncurses-base", "libpam-modules", "ca-certificates", "apt", "python3"),
    *("net-tools", "iputils-ping", "arping", "curl", "wget", "netcat-openbsd"),
    "usr-is-merged",  # the other choice, usrmerge, takes perl along
)
RUNTIME: Final = ("crun", "libyajl2", "libseccomp2")
"""crun, and what it is linked with beyond the libraries of every Debian system."""

_NEEDLESS: Final = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
_MERGED: Final = ("bin", "sbin", "lib", "lib64")
_APT: Final = (
    *("apt-get", "-q", "-y", "--download-only", "-o", "APT::Sandbox::User=root"),
    *("-o", "APT::Install-Recommends=false", "-o", "Debug::NoLocking=1"),
)
_REMEDY: Final = "`hauberk test --live --prepare` fetches what live tests need, where there is a network"


def prepare(progress: Progress) -> None:
    """Fetch everything that is not there yet. Raises LabError."""
    with locked(cache_root()):
        make_entry(_entry("merged", IMAGE), lambda scratch: _merged(scratch, progress))
        make_entry(_entry("runtime", RUNTIME), lambda scratch: _unpack(RUNTIME, scratch, progress, False))
        fetch_busybox(cache_root(), progress)


def ensure(progress: Progress) -> None:
    """Fetch what is not there yet, unless this is the lab's machine, which has no network.

    Raises LabError, or ScenarioError with what has to be done outside.
    """
    if not LAB.is_dir():
        prepare(progress)
    for there in (unmerged, merged, runtime, busybox):
        there()


def unmerged() -> Path:
    """A root file system with /bin and /usr/bin apart. Raises ScenarioError if it has not been prepared."""
    return _there(_entry("unmerged", IMAGE))


def merged() -> Path:
    """The same with /bin a link to /usr/bin. Raises ScenarioError if it has not been prepared."""
    return _there(_entry("merged", IMAGE))


def runtime() -> Path:
    """A tree with crun in it. Raises ScenarioError if it has not been prepared."""
    return _there(_entry("runtime", RUNTIME))


def busybox() -> Path:
    """A static busybox. Raises ScenarioError if it has not been prepared."""
    found = sorted((cache_root() / "busybox").glob("**/bin/busybox"))
    return _there(found[0] if found else cache_root() / "busybox")


def add_files(tree: Path, root: Path) -> None:
    """Copy the files and links of `tree` that are not there yet to `root`, through directories that are links
    there. For the lab's machine alone: nothing keeps account of them."""
    for directory, _, names in os.walk(tree):
        target = root / Path(directory).relative_to(tree)
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not os.path.lexists(target / name):
                shutil.copy2(Path(directory, name), target / name, follow_symlinks=False)


def _entry(name: str, packages: Sequence[str]) -> Path:
    key = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    return cache_root() / "live" / f"{name}-{key}"


def _there(path: Path) -> Path:
    if not path.exists():
        raise ScenarioError(f"{path} is not there", _REMEDY)
    return path


def _merged(scratch: Path, progress: Progress) -> None:
    apart = make_entry(
        _entry("unmerged", IMAGE), lambda tree: _unpack(IMAGE, tree, progress, with_dependencies=True)
    )
    run_tool(["cp", "-a", "--", f"{apart}/.", str(scratch)])
    for name in _MERGED:
        for directory, _, files in os.walk(scratch / name):
            target = scratch / "usr" / Path(directory).relative_to(scratch)
            target.mkdir(exist_ok=True)
            for file in files:
                if not os.path.lexists(target / file):
                    os.rename(Path(directory, file), target / file)
        _move_links(scratch / name, scratch / "usr" / name)
        shutil.rmtree(scratch / name)
        (scratch / name).symlink_to(f"usr/{name}")


def _move_links(directory: Path, target: Path) -> None:
    """Links to directories, which `os.walk` takes for directories."""
    for path in directory.rglob("*"):
        if path.is_symlink() and not os.path.lexists(target / path.relative_to(directory)):
            os.rename(path, target / path.relative_to(directory))


def _unpack(packages: Sequence[str], tree: Path, progress: Progress, with_dependencies: bool) -> None:
    archives = tree / ".archives"
    (archives / "partial").mkdir(parents=True)
    (archives / "status").touch()
    command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *packages]
    if with_dependencies:
        none = ("-o", f"Dir::State::status={archives}/status", "-o", f"Dir::Cache::archives={archives}")
        command = [*_APT, *none, "install", *packages]
    progress(f"fetching Debian packages for live tests ({', '.join(packages[:3])}, ...)")
    try:
        run_tool(command, cwd=archives)
    except LabError:
        update_index(progress)
        run_tool(command, cwd=archives)
    progress("unpacking them")
    for archive in sorted(archives.glob("*.deb")):
        run_tool(["dpkg-deb", "-x", str(archive), str(tree)])
    shutil.rmtree(archives)
    for path in _NEEDLESS:
        shutil.rmtree(tree / path, ignore_errors=True)
