# SPDX-License-Identifier: Apache-2.0
"""QEMU's command line."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from hauberk.lab import qemu
from hauberk.lab.errors import LabError, MissingToolError

MACHINE = qemu.Machine(
    image=Path("/k/vmlinuz"),
    initrd=Path("/k/initrd"),
    modules=Path("/k/modules"),
    memory="512M",
    accel="tcg",
    channels={"control": 5, "stdin": 6, "stdout": 7, "stderr": 8, "console": 9},
)


def options(machine: qemu.Machine) -> list[tuple[str, str]]:
    return list(pairwise(qemu.arguments("qemu", machine)))


def test_the_root_is_shared_read_only() -> None:
    shares = [value for option, value in options(MACHINE) if option == "-fsdev"]
    assert len(shares) == 2
    assert all(share.endswith(",readonly=on") for share in shares)
    assert ",path=/," in shares[0]


def test_a_writable_directory_is_shared_without_read_only_and_its_commas_are_quoted() -> None:
    machine = replace(MACHINE, shares={"writable0": Path("/a,b")})
    (share,) = [v for o, v in options(machine) if o == "-fsdev" and "id=writable0" in v]
    assert "path=/a,,b," in share
    assert "readonly" not in share


def test_the_guest_has_no_network_and_a_panic_ends_it() -> None:
    command = qemu.arguments("qemu", MACHINE)
    assert ("-nic", "none") in options(MACHINE)
    assert "-no-reboot" in command
    boot = dict(options(MACHINE))["-append"].split()
    assert {"panic=-1", "oops=panic"} <= set(boot)


def test_the_kernel_arguments_of_the_user_come_last() -> None:
    boot = dict(options(replace(MACHINE, append="lsm=bpf quiet")))["-append"]
    assert boot.endswith(" lsm=bpf quiet")


def test_instructions_are_counted_only_when_asked_for() -> None:
    assert "-icount" not in qemu.arguments("qemu", MACHINE)
    assert ("-icount", "shift=0,sleep=off") in options(replace(MACHINE, icount=True))


def test_every_port_has_its_channel() -> None:
    given = options(MACHINE)
    for name, number in MACHINE.channels.items():
        assert ("-chardev", f"socket,id={name},fd={number}") in given
    for name in qemu.PORTS:
        assert ("-device", f"virtserialport,chardev={name},name=hauberk.{name}") in given


@pytest.mark.parametrize("size", ["512M", "2G", "16G"])
def test_a_memory_size_is_taken(size: str) -> None:
    assert qemu.check_memory(size) == size


@pytest.mark.parametrize("size", ["", "2", "0G", "2g", "2G,x=y", "lots"])
def test_anything_else_as_memory_size_is_refused(size: str) -> None:
    with pytest.raises(LabError, match="not a memory size"):
        qemu.check_memory(size)


def test_a_missing_emulator_is_an_error_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingToolError) as caught:
        qemu.find_qemu()
    assert caught.value.remedy == "apt-get install qemu-system-x86"
