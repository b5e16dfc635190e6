# SPDX-License-Identifier: Apache-2.0
"""What user space relies on in the programs and no layout shows."""

import re
from pathlib import Path

import pytest

import hauberk
from hauberk.enforcers.bpf_lsm import abi

SOURCES = sorted((Path(hauberk.__file__).parent / "bpf").rglob("*.[ch]"))


def test_no_program_sleeps() -> None:
    """A table is freed after a grace period of RCU, which does not wait for programs that may sleep."""
    sections = [name for path in SOURCES for name in re.findall(r'SEC\("([^"]+)"\)', path.read_text())]
    assert "lsm/file_open" in sections
    assert [name for name in sections if re.match(r"\w+\.s(/|$)", name)] == []


def test_the_version_changes_with_whatever_is_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {abi.version()}
    monkeypatch.setattr(abi, "FORMAT", abi.FORMAT + 1)
    seen.add(abi.version())
    monkeypatch.setattr(abi, "COUNTERS", (*abi.COUNTERS, "another"))
    seen.add(abi.version())
    monkeypatch.setitem(abi.LAYOUTS, "hb_label", [*abi.LAYOUTS["hb_label"], ("more", 24, 4)])
    seen.add(abi.version())
    assert len(seen) == 4
