# SPDX-License-Identifier: Apache-2.0
"""KVM or emulation, found out by trying.

`/dev/kvm` can exist, accept a virtual machine, and still not run a stock kernel (nested and paravirtual
hosts). So a guest is booted with a short deadline, once for each time this machine was started, and only a
guest that reached its init script proves anything.
"""

import os
import subprocess
from pathlib import Path

from hauberk.lab.initramfs import run_archive
from hauberk.lab.kernels import Kernel, Progress
from hauberk.lab.qemu import find_qemu, probe_arguments

PROBE_SECONDS = 4.0
"""Under KVM a guest reaches its init script in about one second."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def choose_accel(kernel: Kernel, base: bytes, icount: bool, root: Path, progress: Progress) -> str:
    """`kvm` if guests run under it here, else `tcg`. Counting instructions needs `tcg`.

    The caller holds the lock of the cache `root`, where the answer is kept.
    """
    if icount or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    boot = BOOT_ID.read_text().strip()
    answer = root / "accel"
    known = answer.read_text().split() if answer.is_file() else []
    if len(known) == 2 and known[0] == boot:
        return known[1]
    progress("trying KVM")
    accel = "kvm" if boots_under_kvm(kernel, base) else "tcg"
    answer.write_text(f"{boot} {accel}\n")
    return accel


def boots_under_kvm(kernel: Kernel, base: bytes) -> bool:
    """Whether a guest reaches its init script under KVM within the deadline."""
    with os.fdopen(os.memfd_create("initrd"), "wb") as initrd:
        initrd.writelines((base, run_archive({"settings.sh": b"PROBE=1\n"})))
        initrd.flush()
        command = probe_arguments(find_qemu(), kernel.image, Path(f"/proc/self/fd/{initrd.fileno()}"), "kvm")
        try:
            done = subprocess.run(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=[initrd.fileno()],
                start_new_session=True,
                timeout=PROBE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0 and b"hauberk-lab: alive" in done.stdout
