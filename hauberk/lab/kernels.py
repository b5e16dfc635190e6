# SPDX-License-Identifier: Apache-2.0
"""Where the lab's kernels come from: Debian's own packages, downloaded and unpacked, never installed.

A kernel is named by its series (`6.12`) or by the path of an image. A series is looked for in the cache
first; only if it is not there is apt asked which packages of that series exist, and the newest is fetched.
The full images are taken, not the cloud flavour, which is built without the 9p file system that the guest's
root lives on.
"""

import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hauberk.lab.cache import cache_root, locked, make_entry
from hauberk.lab.errors import KernelNotFoundError, LabError, MissingToolError

DEFAULT_SERIES = "6.12"
SERIES = ("6.1", "6.12")
"""The series that the tests stand on. Any other series that apt knows works as well."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that can be booted: its release string, its image, and the directory of its modules."""

    release: str
    image: Path
    modules: Path

    @property
    def modules_parent(self) -> Path:
        """The directory to be seen as /lib/modules."""
        return self.modules.parent


def find_kernel(name: str, progress: Progress) -> Kernel:
    """The kernel called `name`: a series such as `6.12` (fetched if need be), or the path of an image.

    Raises KernelNotFoundError, with the remedy, if there is no such kernel.
    """
    if "/" in name or Path(name).is_file():
        return kernel_at(Path(name))
    if not re.fullmatch(r"[0-9]+\.[0-9]+", name):
        raise KernelNotFoundError(
            f"{name}: neither a kernel series nor the path of a kernel image",
            f"use {' or '.join(SERIES)}, or a path such as ./vmlinuz",
        )
    if platform.machine() != "x86_64":
        raise LabError("the lab runs x86-64 kernels, and this machine is " + platform.machine())
    root = cache_root()
    with locked(root):
        cached = [k for k in cached_kernels() if in_series(k.release, name)]
        if cached:
            return max(cached, key=lambda k: release_order(k.release))
        return fetch_kernel(name, root, progress)


def kernel_at(image: Path) -> Kernel:
    """The kernel whose image is `image`, with its modules from the package that it was unpacked from.

    `image` may also be the directory that a kernel package was unpacked into. Modules are looked for in
    `lib/modules` beside the image's directory, as in a package or on an installed system.
    """
    image = image.absolute()
    if image.is_dir():
        images = sorted((image / "boot").glob("vmlinuz-*"))
        if len(images) != 1:
            raise KernelNotFoundError(f"{image}: expected one boot/vmlinuz-* in it, found {len(images)}")
        image = images[0]
    if not image.is_file():
        raise KernelNotFoundError(f"{image}: no such kernel image")
    base = image.parent.parent
    found = sorted(p.parent for top in ("lib", "usr/lib") for p in base.glob(f"{top}/modules/*/modules.dep"))
    release = image.name.partition("-")[2]
    same = [path for path in found if path.name == release]
    candidates = same or found
    if not candidates:
        raise KernelNotFoundError(
            f"{image}: no modules found in {base}/lib/modules",
            "the lab needs the kernel's modules with their modules.dep (made by depmod) beside it",
        )
    if len(candidates) > 1 and not same:
        raise KernelNotFoundError(
            f"{image}: several sets of modules in {base}/lib/modules, none named {release!r}"
        )
    return Kernel(candidates[0].name, image, candidates[0])


def cached_kernels() -> list[Kernel]:
    """The kernels in the cache, oldest first."""
    found = [
        kernel_at(path) for path in (cache_root() / "kernels").glob("*") if not path.name.startswith(".")
    ]
    return sorted(found, key=lambda k: release_order(k.release))


def available_packages() -> list[str]:
    """The kernel packages that apt knows of and the lab could run, oldest first. Empty without apt."""
    if shutil.which("apt-cache") is None:
        return []
    listing = run_tool(["apt-cache", "search", "--names-only", "^linux-image-[0-9]+[.]"])
    names = [line.split(" ", 1)[0] for line in listing.splitlines()]
    return sorted((n for n in names if package_release(n)), key=package_order)


def package_release(package: str) -> str:
    """The kernel release that a package holds, or an empty string if it is not a full amd64 image."""
    match = re.fullmatch(
        r"linux-image-([0-9]+\.[0-9]+\.[0-9]+(?:[-+~][0-9a-z.]+)*?-amd64)(?:-unsigned)?", package
    )
    return match[1] if match and not re.search(r"-(cloud|rt)-", match[1]) else ""


def in_series(release: str, series: str) -> bool:
    """Whether a release such as `6.1.0-56-amd64` belongs to a series such as `6.1`."""
    return release.startswith(series + ".")


def release_order(release: str) -> tuple[int, ...]:
    """A sort key by which a newer release of a series comes after an older one."""
    return tuple(int(number) for number in re.findall(r"[0-9]+", release.removesuffix("-amd64")))


def package_order(package: str) -> tuple[tuple[int, ...], bool]:
    """A sort key by release; of one release's two packages the signed one comes last."""
    return release_order(package_release(package)), not package.endswith("-unsigned")


def newest_package(series: str) -> str:
    """The newest package of `series` that apt knows of, or an empty string."""
    names = [n for n in available_packages() if in_series(package_release(n), series)]
    return names[-1] if names else ""


def fetch_kernel(series: str, root: Path, progress: Progress) -> Kernel:
    """Fetch the newest kernel of `series` into the cache. The caller holds the cache's lock."""
    package = newest_package(series)
    if not package:
        update_index(progress)
        package = newest_package(series)
    if not package:
        raise KernelNotFoundError(
            f"apt knows no full kernel package of series {series}",
            "add the suite that has it to apt's sources (bookworm has 6.1, its security suite 6.12), "
            "or give the path of a kernel image",
        )
    tools = fetch_busybox(root, progress)

    def fill(scratch: Path) -> None:
        progress(f"fetching {package}")
        download(package, scratch, progress)
        release = package_release(package)
        progress(f"indexing the modules of {release}")
        run_tool([str(tools), "depmod", "-b", str(scratch), release])

    return kernel_at(make_entry(root / "kernels" / package, fill))


def fetch_busybox(root: Path, progress: Progress) -> Path:
    """The static busybox that the guest starts with, fetched if need be. The caller holds the lock."""

    def fill(scratch: Path) -> None:
        progress("fetching busybox-static")
        download("busybox-static", scratch, progress)

    entry = make_entry(root / "busybox", fill)
    for place in ("bin/busybox", "usr/bin/busybox"):
        if (entry / place).is_file():
            return entry / place
    raise LabError(f"{entry}: the package holds no busybox", f"rm -r {entry}")


def download(package: str, directory: Path, progress: Progress) -> None:
    """Download `package` and unpack it into `directory`, updating apt's index if it is out of date."""
    # The sandbox user cannot write to a directory of root's; what is fetched is checked against the index
    # either way.
    command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package]
    archives = directory / ".deb"
    archives.mkdir()
    try:
        run_tool(command, cwd=archives)
    except LabError:
        update_index(progress)
        run_tool(command, cwd=archives)
    for archive in archives.glob("*.deb"):
        run_tool(["dpkg", "-x", str(archive), str(directory)])
    shutil.rmtree(archives)


def update_index(progress: Progress) -> None:
    """Let apt fetch its package index. Needs root."""
    progress("updating apt's index")
    run_tool(["apt-get", "update", "-q"])


def run_tool(command: list[str], cwd: Path | None = None) -> str:
    """Run a program of the system and return its output.

    Raises MissingToolError if it is not installed, LabError with its last words if it fails.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise MissingToolError(
            f"{command[0]} is not installed, and the lab fetches its kernels with it",
            "run on a Debian or Ubuntu system, or give the path of a kernel image",
        ) from error
    if done.returncode:
        words = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise LabError(f"{' '.join(command)} failed with status {done.returncode}: {words}")
    return done.stdout
