# SPDX-License-Identifier: Apache-2.0
"""Prints the files of the package that are installed as they are, one a line (called by meson)."""

from pathlib import Path

SUFFIXES = {".py", ".pyi", ".typed", ".yaml", ".sh"}
GENERATED = "_pb2"
"""How the names of modules end that the build makes; in a tree for development they are links."""


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    for path in sorted((root / "hauberk").rglob("*")):
        if (path.suffix in SUFFIXES or path.name == "py.typed") and not path.stem.endswith(GENERATED):
            print(path.relative_to(root).as_posix())


if __name__ == "__main__":
    main()
