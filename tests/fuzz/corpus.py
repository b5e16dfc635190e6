# SPDX-License-Identifier: Apache-2.0
"""The inputs that are kept: one a line, as Python writes bytes.

`corpus/TARGET.txt` has the fewest that reach all that was reached, `found/TARGET.txt` those that once broke
something.
"""

from ast import literal_eval
from collections.abc import Iterable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus"
FOUND: Final = HERE / "found"


def read(directory: Path, target: str) -> list[bytes]:
    """The inputs kept for a target, maybe none."""
    file = directory / f"{target}.txt"
    return [literal_eval(line) for line in file.read_text().splitlines()] if file.exists() else []


def write(directory: Path, target: str, inputs: Iterable[bytes]) -> None:
    """Keep these instead, short ones first."""
    directory.mkdir(exist_ok=True)
    lines = [f"{data!r}\n" for data in sorted(set(inputs), key=lambda data: (len(data), data))]
    (directory / f"{target}.txt").write_text("".join(lines))
