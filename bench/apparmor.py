# SPDX-License-Identifier: Apache-2.0
"""AppArmor's compiler, from Debian's package: unpacked into the lab's cache, never installed."""

from pathlib import Path

from hauberk.lab.cache import cache_root, locked, make_entry
from hauberk.lab.kernels import Progress, download


def parser(progress: Progress) -> Path:
    """The path of apparmor_parser, fetched if need be. It needs no library but libc. Raises LabError."""

    def fill(scratch: Path) -> None:
        progress("fetching apparmor")
        download("apparmor", scratch, progress)

    root = cache_root()
    with locked(root):
        return make_entry(root / "apparmor", fill) / "sbin" / "apparmor_parser"
