# SPDX-License-Identifier: Apache-2.0
"""What runtimes need of the machine that they run on, and their daemons.

The guest's root is an overlay already, and overlayfs takes no overlay as its upper layer: storage lies on
tmpfs. Docker gets neither bridge nor iptables, for the guest has no network; with AppArmor in the kernel it
insists on `apparmor_parser`. As in Debian's unit, dockerd uses the containerd that ctr uses, in a namespace
of its own (`moby`).
"""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.kernel.run.hauberk import until
from tests.kernel.runtimes.commands import call, must

STORAGE = ("containerd", "docker", "containers")
LOGS = Path("/run/runtimes")
CONTAINERD = ("containerd",)
DOCKERD = (
    *("dockerd", "--containerd=/run/containerd/containerd.sock", "--storage-driver=overlay2"),
    *("--bridge=none", "--iptables=false", "--ip6tables=false"),
)


def prepare() -> None:
    """Mount what the storage of all runtimes lies on."""
    LOGS.mkdir(exist_ok=True)
    for name in STORAGE:
        place = Path("/var/lib", name)
        place.mkdir(exist_ok=True)
        if not os.path.ismount(place):
            must(["mount", "-t", "tmpfs", "-o", "mode=0711", name, str(place)])


class Daemon:
    """A runtime's daemon, in a session of its own, and what tells that it answers."""

    def __init__(self, argv: Sequence[str], answers: Sequence[str]) -> None:
        self._argv, self._answers = argv, answers
        self._process: subprocess.Popen[bytes] | None = None
        self.log = LOGS / f"{argv[0]}.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until(self._ready, f"an answer of {self._argv[0]}")

    def _ready(self) -> bool:
        assert self._process
        assert self._process.poll() is None, f"{self._argv[0]} ended: {self.log.read_text()[-2000:]}"
        return call(self._answers).returncode == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the daemon. Its containers stay: they hang on their shims."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(timeout=240)
            self._process = None


DAEMONS: Final[dict[str, Callable[[], Daemon]]] = {
    "containerd": lambda: Daemon(CONTAINERD, ("ctr", "version")),
    "dockerd": lambda: Daemon(DOCKERD, ("docker", "version")),
}
