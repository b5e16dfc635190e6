# SPDX-License-Identifier: Apache-2.0
"""KVM is used only after a guest has been seen to boot under it, and that is tried once."""

from pathlib import Path

import pytest

from hauberk.lab import accel
from hauberk.lab.kernels import Kernel

KERNEL = Kernel("6.5.1", Path("/k/vmlinuz"), Path("/k/modules"))


class Probe:
    """Stands for the probe, and counts how often it was made."""

    def __init__(self, works: bool) -> None:
        self.works, self.made = works, 0

    def __call__(self, kernel: Kernel, base: bytes) -> bool:
        self.made += 1
        return self.works


@pytest.fixture
def kvm_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(accel.os, "access", lambda path, mode: path == "/dev/kvm")
    boot = tmp_path / "boot_id"
    boot.write_text("first\n")
    monkeypatch.setattr(accel, "BOOT_ID", boot)
    return boot


@pytest.mark.parametrize(("works", "expected"), [(True, "kvm"), (False, "tcg")])
def test_the_probe_decides_once_for_each_boot_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kvm_there: Path, works: bool, expected: str
) -> None:
    probe = Probe(works)
    monkeypatch.setattr(accel, "boots_under_kvm", probe)
    for _ in range(3):
        assert accel.choose_accel(KERNEL, b"", False, tmp_path, print) == expected
    assert probe.made == 1
    kvm_there.write_text("second\n")
    assert accel.choose_accel(KERNEL, b"", False, tmp_path, print) == expected
    assert probe.made == 2


@pytest.mark.usefixtures("kvm_there")
def test_counting_instructions_needs_emulation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    probe = Probe(True)
    monkeypatch.setattr(accel, "boots_under_kvm", probe)
    assert accel.choose_accel(KERNEL, b"", True, tmp_path, print) == "tcg"
    assert probe.made == 0


def test_without_the_device_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(accel.os, "access", lambda path, mode: False)
    probe = Probe(True)
    monkeypatch.setattr(accel, "boots_under_kvm", probe)
    assert accel.choose_accel(KERNEL, b"", False, tmp_path, print) == "tcg"
    assert probe.made == 0


def test_a_guest_that_says_nothing_has_not_booted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual machine that resets at once ends as quietly as one that was told to."""
    monkeypatch.setattr(accel, "find_qemu", lambda: "true")
    monkeypatch.setattr(accel, "probe_arguments", lambda *_: ["true"])
    assert not accel.boots_under_kvm(KERNEL, b"")
    monkeypatch.setattr(accel, "probe_arguments", lambda *_: ["echo", "hauberk-lab: alive"])
    assert accel.boots_under_kvm(KERNEL, b"")


def test_a_guest_that_hangs_has_not_booted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(accel, "find_qemu", lambda: "sleep")
    monkeypatch.setattr(accel, "probe_arguments", lambda *_: ["sleep", "60"])
    assert not accel.boots_under_kvm(KERNEL, b"")
