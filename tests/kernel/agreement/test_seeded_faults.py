# SPDX-License-Identifier: Apache-2.0
"""Faults put into the BPF programs on purpose: each must show in the agreement of the kernel and `decide`.

A copy of the sources is changed so that a constant of the object chooses a fault, and compiled once. With the
constant at 0 it must do as the real ones do.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import hauberk
from hauberk.enforcers.bpf_lsm import loading
from hauberk.kernel.libbpf import BpfObject
from tests.agreement.draw import Draw, Scene
from tests.kernel.agreement.stage import Cast, Stage
from tests.kernel.arena import Arena

SEED = 4
SCENES = 4
"""A draw in which each of the faults matters."""

FAULTS = {
    "the_last_byte_of_a_short_name_is_skipped": (
        "lib/walk.h",
        "		if (!advance(a, state, word, n))",
        "		bool last = n < 7 && word << (56 - 8 * n) >> 56 && !(word << (48 - 8 * n) >> 56);\n"
        "		if (!(SEEDED && last) && !advance(a, state, word, n))",
    ),
    "the_milder_verdict_counts": (
        "lib/verdict.h",
        "return rank(b) > rank(a) ? b : a;",
        "return SEEDED ? (rank(b) < rank(a) ? b : a) : (rank(b) > rank(a) ? b : a);",
    ),
    "children_have_no_label": (
        "hooks/task.h",
        "	copy = *label;\n",
        "	copy = *label;\n	if (SEEDED)\n		return 0;\n",
    ),
    "the_replaced_program_is_forgotten": (
        "hooks/exec.h",
        "	label->replaced = label->generation == label->next_generation ? label->program : 0;\n",
        "	label->replaced = !SEEDED && label->generation == label->next_generation ? label->program : 0;\n",
    ),
    "nobody_has_a_terminal": (
        "lib/verdict.h",
        "BPF_CORE_READ(task, signal, tty) != NULL",
        "!SEEDED && BPF_CORE_READ(task, signal, tty) != NULL",
    ),
    "nobody_owns_anything": (
        "lib/verdict.h",
        "BPF_CORE_READ(task, cred, fsuid.val) == owner",
        "!SEEDED && BPF_CORE_READ(task, cred, fsuid.val) == owner",
    ),
}
"""File, what is replaced there, and by what."""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The object with all the faults, of which none is active."""
    where = tmp_path_factory.mktemp("faulty") / "bpf"
    shutil.copytree(Path(hauberk.__file__).parent / "bpf", where, ignore=shutil.ignore_patterns("*.o"))
    for number, (file, old, new) in enumerate(FAULTS.values(), 1):
        text = (where / file).read_text()
        assert text.count(old) == 1, f"{file} is no longer as this fault knows it: {old}"
        (where / file).write_text(
            text.replace(old, re.sub(r"\bSEEDED\b", f"(seeded_fault == {number})", new))
        )
    maps = where / "lib" / "maps.h"
    text = maps.read_text()
    mark = "const volatile u32 arena_mask"
    assert text.count(mark) == 1
    maps.write_text(text.replace(mark, f"const volatile u32 seeded_fault = 0;\n{mark}"))
    clang = shutil.which("clang-19") or shutil.which("clang")
    assert clang
    machine = {"x86_64": "x86", "aarch64": "arm64"}[
        subprocess.check_output(["uname", "-m"], text=True).strip()
    ]
    multiarch = subprocess.check_output(["cc", "-print-multiarch"], text=True).strip()
    command = [
        clang,
        "-g",
        "-O2",
        "-mcpu=v3",
        "-target",
        "bpf",
        f"-D__TARGET_ARCH_{machine}",
        "-I",
        str(where),
    ]
    command += ["-idirafter", f"/usr/include/{multiarch}"] if multiarch else []
    subprocess.run([*command, "-c", where / "hauberk.bpf.c", "-o", where / "faulty.o"], check=True)
    return (where / "faulty.o").read_bytes()


@pytest.fixture(scope="module")
def scenes(built: list[Stage]) -> list[Scene]:
    return list(Draw(SEED, [stage.world for stage in built]).scenes(SCENES))


@contextmanager
def arena_with(image: bytes, fault: int, patch: pytest.MonkeyPatch) -> Iterator[Arena]:
    """An engine of that object with a fault."""
    original = BpfObject.open

    def open_(object_: bytes, *, rodata: dict[str, int], **rest: Any) -> BpfObject:
        return original(object_, rodata={**rodata, "seeded_fault": fault}, **rest)

    patch.setattr(loading, "object_image", lambda: image)
    patch.setattr(BpfObject, "open", open_)
    with Arena(table_bytes=4 << 20) as arena:
        yield arena


def first_disagreement(arena: Arena, built: list[Stage], scenes: list[Scene]) -> str:
    """The first access that goes otherwise than `decide` says; empty if none does."""
    for scene in scenes:
        with Cast(arena, built[scene.number % len(built)], scene.meaning, visible=scene.visible) as cast:
            for access, answers in scene.accesses:
                cast.perform(access, answers)
                if cast.disagreements:
                    return str(cast.disagreements[0])
    return ""


def test_without_a_fault_the_changed_programs_agree(
    faulty: bytes, built: list[Stage], scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    with arena_with(faulty, 0, monkeypatch) as arena:
        assert first_disagreement(arena, built, scenes) == ""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_shows(
    fault: str, faulty: bytes, built: list[Stage], scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    with arena_with(faulty, 1 + list(FAULTS).index(fault), monkeypatch) as arena:
        assert first_disagreement(arena, built, scenes) != ""
