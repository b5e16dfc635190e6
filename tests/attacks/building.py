# SPDX-License-Identifier: Apache-2.0
"""Attacks in C, compiled: once, as the lab sees the files of this machine.

A compiler takes seconds under emulation, so that what `make quick` has built here is used there. The name of
a program carries a digest of its sources, so that none is used that is older than they are.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.attacks.catalogue import HERE, Attack

BUILT = HERE.parent.parent / "build" / "attacks"
VICTIM = {"prog": [], "lib": ["-shared", "-fPIC"]}
"""What lies in the vaults: a program and a library, which say that they have run."""


def build(attacks: Iterable[Attack]) -> dict[str, Path]:
    """What to run for each attack in C, and the victims, by name."""
    sources = {attack.name: (attack.file, ["-static"]) for attack in attacks if attack.file.suffix == ".c"}
    sources |= {name: (HERE / "victim" / f"{name}.c", flags) for name, flags in VICTIM.items()}
    return {name: _compiled(source, flags) for name, (source, flags) in sources.items()}


def _compiled(source: Path, flags: list[str]) -> Path:
    headers = sorted(HERE.glob("*.h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (source, *headers))).hexdigest()[:16]
    program = BUILT / f"{source.stem}-{digest}"
    if not program.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        part = BUILT / f".{program.name}.{os.getpid()}"
        command = ["cc", "-O1", "-s", "-pthread", "-Wall", "-Werror", "-I", HERE, *flags, "-o", part, source]
        subprocess.run(command, check=True)
        part.rename(program)
    return program
