# SPDX-License-Identifier: Apache-2.0
"""Container runtimes for the tests: Debian's packages, unpacked into the lab's cache, not installed.

    python -m tests.runtimes.packages         fetches what is not there yet, and says where it is

In the lab, `install` puts the unpacked tree over the guest's root file system, which is thrown away with the
guest: there every program lies where its package puts it. No maintainer's script runs; what the programs need
besides (storage that overlayfs can stand on) is prepared by tests/kernel/runtimes/daemons.py.

CRI-O is not among them: Debian 12 has no package of it.
"""

import hashlib
import os
import shutil
import stat
import sys
from pathlib import Path

from hauberk.lab.cache import cache_root, locked, make_entry
from hauberk.lab.kernels import Progress, download

PACKAGES = (
    *("containerd", "runc", "docker.io"),
    *("podman", "crun", "conmon", "golang-github-containers-common"),
    "apparmor",  # Docker starts nothing on a kernel with AppArmor without its parser.
    # What the above are linked with, and a machine that can boot the lab may lack.
    *(
        "libassuan0",
        "libdevmapper1.02.1",
        "libglib2.0-0",
        "libgpgme11",
        "libseccomp2",
        "libsubid4",
        "libyajl2",
    ),
)

NEEDLESS = (
    *("usr/share/doc", "usr/share/man", "usr/share/bash-completion", "usr/share/lintian", "etc/init.d"),
    *("usr/bin/dnet", "usr/sbin/ovrouter", "usr/bin/containerd-shim", "usr/bin/containerd-shim-runc-v1"),
)
"""What no test reads or calls: the guest keeps its copies in memory."""


LARGE = 16 << 20
"""Bytes from which on a file is not copied: daemons and clients, of which nothing has to be known."""


def packages_directory() -> Path:
    """Where the packages are unpacked, or would be. The name tells one list of packages from another."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    return cache_root() / "runtimes" / key


def fetch(progress: Progress) -> Path:
    """The directory with the unpacked packages, fetched if need be.

    Raises LabError if apt cannot fetch a package.
    """

    def fill(scratch: Path) -> None:
        for package in PACKAGES:
            progress(f"fetching {package}")
            download(package, scratch, progress)
        for path in NEEDLESS:
            found = scratch / path
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)

    with locked(cache_root()):
        return make_entry(packages_directory(), fill)


def install(tree: Path, root: Path = Path("/")) -> None:
    """Put the files of `tree` where they belong below `root`, through directories that are links there
    (`/lib` on a merged root). Files that are there stay. Those that are large become links to `tree`."""
    for directory, _, names in os.walk(tree):
        target = root / Path(directory).relative_to(tree)
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            source = Path(directory, name)
            if os.path.lexists(target / name):
                continue
            found = source.lstat()
            if stat.S_ISLNK(found.st_mode):
                (target / name).symlink_to(source.readlink())
            elif found.st_size >= LARGE:
                (target / name).symlink_to(source)
            else:
                shutil.copy2(source, target / name)


if __name__ == "__main__":
    print(fetch(lambda text: print(text, file=sys.stderr, flush=True)))
