# SPDX-License-Identifier: Apache-2.0
"""The runtimes of one session of tests."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.kernel.runtimes.commands import Containerd, Docker, Podman, Runtime
from tests.kernel.runtimes.daemons import DAEMONS, Daemon

RUNTIMES: Final[dict[str, Runtime]] = {
    "containerd": Containerd(),
    "docker": Docker(),
    "podman-crun": Podman(Path("/usr/bin/crun")),
    "podman-runc": Podman(Path("/usr/sbin/runc")),
}


class Ground(Mapping[str, Runtime]):
    """All runtimes by name. Each is started, and has the tests' image, when it is first asked for."""

    def __init__(self, archive: Path, ending: ExitStack) -> None:
        self._archive, self._ending = archive, ending
        self._daemons: dict[str, Daemon] = {}
        self._loaded: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        return iter(RUNTIMES)

    def __len__(self) -> int:
        return len(RUNTIMES)

    def __getitem__(self, name: str) -> Runtime:
        runtime = RUNTIMES[name]
        if runtime.name not in self._loaded:
            self._loaded.add(runtime.name)
            for each in runtime.daemons:
                self.daemon(each)
            runtime.load(self._archive)
            self._ending.callback(_remove_all, runtime)
        return runtime

    def daemon(self, name: str) -> Daemon:
        """containerd or dockerd."""
        if name not in self._daemons:
            self._daemons[name] = daemon = DAEMONS[name]()
            daemon.start()
            self._ending.callback(daemon.stop)
        return self._daemons[name]


def _remove_all(runtime: Runtime) -> None:
    for container in runtime.ids():
        runtime.remove(container)
