# SPDX-License-Identifier: Apache-2.0
"""The object that is shipped: BPF, with its types, without what only a debugger reads."""

import subprocess
from pathlib import Path

import pytest

from hauberk.kernel import loader
from hauberk.kernel.errors import LoadError
from hauberk.kernel.libbpf import BpfObject


def sections(image: bytes, tmp_path: Path) -> set[str]:
    path = tmp_path / "object.o"
    path.write_bytes(image)
    done = subprocess.run(["readelf", "-SW", str(path)], check=True, capture_output=True, text=True)
    return {word for line in done.stdout.splitlines() for word in line.split() if word.startswith(".")}


def test_the_shipped_object_has_its_types_and_no_debug_info(tmp_path: Path) -> None:
    found = sections(loader.object_image(), tmp_path)
    assert {".BTF", ".BTF.ext", ".maps"} <= found
    assert not {name for name in found if "debug" in name}


def test_the_shipped_object_opens_and_has_lsm_programs() -> None:
    with BpfObject.open(loader.object_image()) as obj:
        assert {"file_open", "bprm_check_security", "task_alloc"} <= set(obj.program_names())


def test_an_installation_without_an_object_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loader, "files", lambda package: tmp_path)
    with pytest.raises(LoadError, match="make setup"):
        loader.object_image()
