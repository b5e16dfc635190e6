# SPDX-License-Identifier: Apache-2.0
"""The build backend: meson-python, with another kind of editable install.

meson-python's own editable install puts a hook into every Python that starts: it runs ninja at the first
import of the package, writes no bytecode and knows only the files there were when it was configured. In the
lab's guest the source tree is read-only and the CPU emulated, so there it would be slow at best. Here an
editable install is one line in a .pth file that names the source tree, and the things that are compiled
are symbolic links in the tree (not in git) into the build directory: `ninja -C build/...` or `make build`
renews them, and importing never does.
"""

import base64
import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mesonpy
from mesonpy import build_sdist, build_wheel, get_requires_for_build_sdist, get_requires_for_build_wheel

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
]

get_requires_for_build_editable = get_requires_for_build_wheel

BUILD = "build/editable"
INTERFACES = ("feeder", "policy", "state_agent")
COMPILED = (
    *(f"hauberk/api/{name}_pb2{end}" for name in INTERFACES for end in (".py", ".pyi")),
    "hauberk/automaton/_core.abi3.so",
    "hauberk/kernel/_shim.abi3.so",
    "hauberk/bpf/hauberk.bpf.o",
    "hauberk/bpf/syscalls.bpf.o",
    "hauberk/workbench/live/programs",
)


def build_editable(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    name = mesonpy.build_editable(wheel_directory, {"build-dir": BUILD, **(config_settings or {})})
    link_compiled()
    path = Path(wheel_directory, name)
    with zipfile.ZipFile(path) as wheel:
        kept = {
            info: wheel.read(info)
            for info in wheel.namelist()
            if ".dist-info/" in info and not info.endswith("/RECORD")
        }
    kept["hauberk.pth"] = f"{os.getcwd()}\n".encode()
    record = next(iter(info for info in kept if info.endswith("/WHEEL"))).removesuffix("WHEEL") + "RECORD"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        rows = io.StringIO()
        table = csv.writer(rows, lineterminator="\n")
        for info, data in kept.items():
            wheel.writestr(info, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            table.writerow((info, f"sha256={digest}", len(data)))
        table.writerow((record, "", ""))
        wheel.writestr(record, rows.getvalue())
    return name


def link_compiled() -> None:
    """Makes the links; relative, so that the tree can be mounted elsewhere."""
    for name in COMPILED:
        link, target = Path(name), Path(BUILD, name)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(target, link.parent))
