# SPDX-License-Identifier: Apache-2.0
"""The programs of programs.c: one file, which does what the name says that it was copied to."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from hauberk.workbench.live.scenario import ScenarioError

NAMES: Final = ("hello", "readwrite", "read", "write", "pause", "touch-lines")


def put(name: str, target: Path) -> None:
    """Make the program `target`. Raises ScenarioError if that has another name, by which it does nothing."""
    if target.name != name:
        raise ScenarioError(f"{target.name} must be called {name}: the program goes by its name")
    target.parent.mkdir(parents=True, exist_ok=True)
    with as_file(files("hauberk").joinpath("workbench", "live", "programs")) as source:
        shutil.copyfile(source, target)
    target.chmod(0o755)
