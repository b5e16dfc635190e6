# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian's that tests try sinks with: unpacked into the lab's cache, not installed."""

import shutil
from pathlib import Path

import pytest

from hauberk.lab.cache import cache_root, locked, make_entry
from hauberk.lab.errors import LabError
from hauberk.lab.kernels import download


def unpacked(package: str, *others: str) -> Path:
    """Where the files of a package are, and of others that it needs. Skips the test where they cannot be
    had."""

    def fill(scratch: Path) -> None:
        for each in (package, *others):
            download(each, scratch, lambda text: None)
        shutil.rmtree(scratch / "usr/share/doc", ignore_errors=True)

    try:
        with locked(cache_root()):
            return make_entry(cache_root() / "programs" / package, fill)
    except LabError as error:
        pytest.skip(f"{package} cannot be had: {error.message}")
