# SPDX-License-Identifier: Apache-2.0
"""The BPF object of these tests, compiled once. Its programs observe; none of them can refuse anything."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hauberk.kernel.libbpf import BpfObject

SOURCE = Path(__file__).with_name("fixture.bpf.c")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if item.path.parent == SOURCE.parent and "image" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="loading BPF programs needs root"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    clang = shutil.which("clang-19") or shutil.which("clang")
    assert clang, "clang is part of `make setup`"
    target = tmp_path_factory.mktemp("bpf") / "fixture.o"
    machine = platform.machine()
    subprocess.run(
        [
            *(clang, "-g", "-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3"),
            *("-idirafter", f"/usr/include/{machine}-linux-gnu"),
            *("-c", str(SOURCE), "-o", str(target)),
        ],
        check=True,
    )
    return target.read_bytes()


@pytest.fixture
def load(image: bytes) -> Iterator[Callable[..., BpfObject]]:
    """Opens and loads the object, without the program that no verifier takes; closes it after the test."""
    with ExitStack() as stack:

        def opened(*, disabled: tuple[str, ...] = ("unsafe_read",), **options: Any) -> BpfObject:
            obj = stack.enter_context(BpfObject.open(image, disabled=disabled, **options))
            obj.load()
            return obj

        yield opened
