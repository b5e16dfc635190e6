# SPDX-License-Identifier: Apache-2.0
"""Builds karmor, KubeArmor's command line client, with Go: `python scripts/build_karmor.py`.

It goes into a cache outside of the tree, where tests look for it. A module of our own requires it and has its
go.sum: `go install MODULE@VERSION` asks the proxy for a list of versions, which not every proxy gives, and
two of the modules are in karmor's go.sum but not in the public checksum database.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

MODULE: Final = "github.com/kubearmor/kubearmor-client"
VERSION: Final = "v1.4.7"


def binary() -> Path:
    """Where it is when it is built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "hauberk-tests" / f"karmor-{VERSION}" / "karmor"


def build() -> Path:
    """Have it built. Raises OSError or CalledProcessError, also if there is no Go."""
    target = binary()
    if target.exists():
        return target
    module = target.parent / "module"
    module.mkdir(parents=True, exist_ok=True)
    found = subprocess.run(
        ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"], check=True, stdout=subprocess.PIPE
    )
    source = Path(json.loads(found.stdout)["Dir"])
    own = source.joinpath("go.mod").read_text().splitlines()
    go = next(line for line in own if line.startswith("go "))
    module.joinpath("go.mod").write_text(f"module karmor\n\n{go}\n\nrequire {MODULE} {VERSION}\n")
    # Without the mode of the cache's files, which are read-only.
    shutil.copyfile(source / "go.sum", module / "go.sum")
    unfinished = target.with_suffix(".new")
    command = ["go", "build", "-mod=mod", "-buildvcs=false", "-o", str(unfinished), MODULE]
    subprocess.run(command, cwd=module, check=True)
    unfinished.replace(target)
    return target


if __name__ == "__main__":
    try:
        print(build())
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"karmor cannot be built: {error}")
