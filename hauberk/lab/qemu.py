# SPDX-License-Identifier: Apache-2.0
"""How QEMU is called: one pure function from what is wanted to the argument list."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hauberk.lab.errors import LabError, MissingToolError

PORTS = ("control", "stdin", "stdout", "stderr")
"""The virtio-serial ports between the host and the guest's agent, in the guest called `hauberk.NAME`."""

BOOT_ARGUMENTS = (
    "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic mitigations=off random.trust_cpu=on no_timer_check "
    "rdinit=/init"
)
# mitigations=off: page table isolation and retpolines make an emulated CPU several times slower, and the lab
# is no boundary against its own guest.


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine to be started. `channels`: a connected socket for each port and `console`."""

    image: Path
    initrd: Path
    modules: Path
    memory: str
    accel: str
    channels: Mapping[str, int]
    append: str = ""
    icount: bool = False
    root_owner: bool = True
    shares: Mapping[str, Path] = field(default_factory=dict)


def find_qemu() -> str:
    """The path of the emulator. Raises MissingToolError with the remedy."""
    if path := shutil.which("qemu-system-x86_64"):
        return path
    raise MissingToolError(
        "qemu-system-x86_64 is not installed, and the lab runs its machines with it",
        "apt-get install qemu-system-x86",
    )


def check_memory(text: str) -> str:
    """`text` if it is a memory size such as 512M or 2G. Raises LabError otherwise."""
    if not re.fullmatch(r"[1-9][0-9]*[MG]", text):
        raise LabError(f"{text}: not a memory size", "write it as 512M or 2G")
    return text


def quote(value: str | Path) -> str:
    """A value inside one of QEMU's comma-separated options."""
    return str(value).replace(",", ",,")


def share_arguments(tag: str, directory: Path, readonly: bool, root_owner: bool) -> list[str]:
    """A directory shared over 9p. `multidevs=remap`: a host's root has several file systems below it."""
    model = "passthrough" if root_owner else "none"
    options = f"local,id={tag},path={quote(directory)},security_model={model},multidevs=remap"
    if readonly:
        options += ",readonly=on"
    return ["-fsdev", options, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def base_arguments(qemu: str, image: Path, initrd: Path, accel: str, memory: str, append: str) -> list[str]:
    """A machine that boots a kernel and has nothing else."""
    return [
        *(qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35,sata=off,smbus=off,usb=off,vmport=off", "-accel", accel),
        *("-cpu", "host" if accel == "kvm" else "Haswell-noTSX", "-smp", "1", "-m", memory),
        *("-nic", "none", "-rtc", "base=utc", "-kernel", str(image), "-initrd", str(initrd)),
        *("-append", f"{BOOT_ARGUMENTS} {append}".strip()),
    ]


def probe_arguments(qemu: str, image: Path, initrd: Path, accel: str) -> list[str]:
    """A machine with a console on standard output, to see whether it boots."""
    return [*base_arguments(qemu, image, initrd, accel, "512M", ""), "-serial", "stdio"]


def arguments(qemu: str, machine: Machine) -> list[str]:
    """QEMU's whole command line for `machine`."""
    command = base_arguments(
        qemu, machine.image, machine.initrd, machine.accel, machine.memory, machine.append
    )
    if machine.icount:
        command += ["-icount", "shift=0,sleep=off"]
    command += share_arguments("root", Path("/"), readonly=True, root_owner=machine.root_owner)
    command += share_arguments("modules", machine.modules, readonly=True, root_owner=machine.root_owner)
    for tag, directory in machine.shares.items():
        command += share_arguments(tag, directory, readonly=False, root_owner=machine.root_owner)
    for name, number in machine.channels.items():
        command += ["-chardev", f"socket,id={name},fd={number}"]
    command += ["-serial", "chardev:console", "-device", "virtio-serial-pci,max_ports=8"]
    for name in PORTS:
        command += ["-device", f"virtserialport,chardev={name},name=hauberk.{name}"]
    return command
