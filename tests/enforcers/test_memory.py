# SPDX-License-Identifier: Apache-2.0
"""The account of memory where there is nothing, or nothing that may be seen; the rest needs a kernel
(`tests/kernel/test_memory.py`)."""

from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import memory
from hauberk.kernel.errors import PinError


def test_without_pins_there_is_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "PIN_ROOT", tmp_path / "none")
    assert memory.engines() == []


def test_an_engine_that_is_only_half_there_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "run-1" / "maps").mkdir(parents=True)
    monkeypatch.setattr(memory, "PIN_ROOT", tmp_path)
    assert memory.engines() == []


def test_pins_that_cannot_be_read_are_an_error_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "file"
    place.touch()
    monkeypatch.setattr(memory, "PIN_ROOT", place)
    with pytest.raises(PinError, match="cannot be read") as caught:
        memory.engines()
    assert caught.value.remedy == "run as root"
