# SPDX-License-Identifier: Apache-2.0
"""The commands of container runtimes, so that one test can speak to all of them.

What they have in common is small: a container has a name that its user chose, labels, and a program; it runs
to its end or in the background; programs can be started in it later. What differs is worth knowing:

- Docker and ctr have the low-level runtime create and start a container in one go; `docker create` and
  `ctr container create` write records only. `podman init` creates, and leaves the program waiting.
- ctr asks for an id, which is all the name there is; its labels are containerd's, kept in its database.
- Without a bridge only `--network none` and `host` work with Docker, and for `none` it executes itself twice,
  which takes as long as all the rest under emulation. With Podman both spare netavark.
- conmon, Podman's monitor, outlives the command; so does containerd's shim.
"""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.runtimes.images import NAME

Done = subprocess.CompletedProcess[str]

TIMEOUT = 300
"""Seconds for one command: under emulation, on a busy machine, they are slow."""


def call(argv: Sequence[str]) -> Done:
    """Run a command to its end, whatever its status is."""
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


def must(argv: Sequence[str]) -> str:
    """Run a command that has to succeed; what it wrote to standard output."""
    done = call(argv)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr or done.stdout}"
    return done.stdout


class Runtime(ABC):
    """A runtime's commands. `name` is that by which Hauberk knows it; `program` is its low-level runtime."""

    name: str
    program: Path
    daemons: tuple[str, ...] = ()
    """Those it needs, in the order of their starts."""

    @abstractmethod
    def load(self, archive: Path) -> None:
        """Take the image of an archive."""

    @abstractmethod
    def run_command(
        self, container: str, program: Sequence[str], labels: Mapping[str, str], *options: str
    ) -> list[str]:
        """The command that starts a container of the tests' image."""

    @abstractmethod
    def exec_command(self, container: str, program: Sequence[str]) -> list[str]:
        """The command that starts a program in a running container."""

    @abstractmethod
    def pid(self, container: str) -> int:
        """Its first process, as the runtime says."""

    @abstractmethod
    def remove(self, container: str) -> None:
        """End the container, if it is there, and forget it."""

    @abstractmethod
    def ids(self) -> list[str]:
        """Ids of all containers it knows."""

    def run(self, container: str, *program: str, labels: Mapping[str, str]) -> Done:
        """Run a program in a container of its own, to the end of both."""
        return call(self.run_command(container, program, labels, "--rm"))

    def start(self, container: str, *program: str, labels: Mapping[str, str]) -> None:
        """Start a container in the background."""
        must(self.run_command(container, program, labels, "-d"))

    def exec(self, container: str, *program: str) -> Done:
        """Run a program in a running container."""
        return call(self.exec_command(container, program))


class Containerd(Runtime):
    """containerd by ctr, in the namespace `default`, with runc."""

    name = "containerd"
    program = Path("/usr/sbin/runc")
    daemons = ("containerd",)

    def __init__(self) -> None:
        self._execs = 0

    def load(self, archive: Path) -> None:
        must(["ctr", "image", "import", str(archive)])

    def run_command(
        self, container: str, program: Sequence[str], labels: Mapping[str, str], *options: str
    ) -> list[str]:
        return ["ctr", "run", *options, *_labels(labels), NAME, container, *program]

    def exec_command(self, container: str, program: Sequence[str]) -> list[str]:
        self._execs += 1
        return ["ctr", "task", "exec", "--exec-id", f"exec-{self._execs}", container, *program]

    def pid(self, container: str) -> int:
        lines = must(["ctr", "task", "ls"]).splitlines()[1:]
        return next(int(words[1]) for words in map(str.split, lines) if words[0] == container)

    def remove(self, container: str) -> None:
        call(["ctr", "task", "rm", "--force", container])
        call(["ctr", "container", "rm", container])

    def ids(self) -> list[str]:
        return must(["ctr", "container", "ls", "-q"]).split()


class Docker(Runtime):
    """Docker's engine, with the same containerd and runc below it."""

    name = "docker"
    program = Path("/usr/sbin/runc")
    daemons = ("containerd", "dockerd")
    at_once: tuple[str, ...] = ()
    """What makes `rm -f` not wait for a first process that ignores SIGTERM."""

    @property
    def client(self) -> list[str]:
        return ["docker"]

    def load(self, archive: Path) -> None:
        must([*self.client, "load", "-i", str(archive)])

    def run_command(
        self, container: str, program: Sequence[str], labels: Mapping[str, str], *options: str
    ) -> list[str]:
        fixed = ["--network", "host", "--name", container]
        return [*self.client, "run", *fixed, *_labels(labels), *options, NAME, *program]

    def exec_command(self, container: str, program: Sequence[str]) -> list[str]:
        return [*self.client, "exec", container, *program]

    def pid(self, container: str) -> int:
        return int(must([*self.client, "inspect", "-f", "{{.State.Pid}}", container]))

    def remove(self, container: str) -> None:
        call([*self.client, "rm", "-f", *self.at_once, container])

    def ids(self) -> list[str]:
        return must([*self.client, "ps", "-aq", "--no-trunc"]).split()


class Podman(Docker):
    """Podman, which needs no daemon, with one of the low-level runtimes. Both see the same containers."""

    name = "podman"
    daemons = ()
    at_once = ("-t", "0")

    def __init__(self, program: Path) -> None:
        self.program = program

    @property
    def client(self) -> list[str]:
        return ["podman", "--runtime", str(self.program)]

    def init(self, container: str, *program: str, labels: Mapping[str, str]) -> None:
        """Create a container whose program waits; `go` lets it begin."""
        fixed = ["--network", "host", "--name", container]
        must([*self.client, "create", *fixed, *_labels(labels), NAME, *program])
        must([*self.client, "init", container])

    def go(self, container: str) -> None:
        must([*self.client, "start", container])


def _labels(labels: Mapping[str, str]) -> list[str]:
    return [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
