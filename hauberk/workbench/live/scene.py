# SPDX-License-Identifier: Apache-2.0
"""What a scenario plays on: its containers, or the files that it wants of this machine. Set up before, and
taken away afterwards."""

import os
import pwd
import shutil
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final

from hauberk.kernel.network import call_loopback, in_network_of
from hauberk.kernel.overlay import mount_overlay, unmount
from hauberk.workbench.live import packages
from hauberk.workbench.live.commands import Identity, Outcome, run_command
from hauberk.workbench.live.images import WAITS, Image, dress, find_image, find_program, put_file
from hauberk.workbench.live.internet import Internet
from hauberk.workbench.live.runtime import Runtime, specification
from hauberk.workbench.live.scenario import Container, Requirements, Scenario, ScenarioError, Step

RUNNER: Final = "test runner"
"""What scenarios call the user who runs them."""


class Stage(ABC):
    """Where steps are run."""

    @abstractmethod
    def run(self, step: Step) -> Outcome:
        """Run a step's command to its end. Raises ScenarioError."""

    @abstractmethod
    def require(self, programs: tuple[str, ...]) -> None:
        """See that these programs are there. Raises ScenarioError."""


class Scene:
    """The stages of a scenario, from `set_up` to `close`."""

    def __init__(self, scenario: Scenario, runtime: Runtime, directory: Path) -> None:
        """`directory` is empty, and not on an overlay."""
        self._scenario, self._runtime, self._directory = scenario, runtime, directory
        self._ending = ExitStack()
        self._stages: dict[str, Stage] = {}

    def set_up(self, late: bool) -> None:
        """Start the containers that are there before the policies, or those that come later; the host's files
        are there before. Raises HauberkError."""
        requires = self._scenario.requires
        if self._scenario.is_of_host and not late:
            host = HostStage(requires, self._scenario.containers)
            self._ending.callback(host.close)
            self._stages["host"] = host
            host.set_up()
        for container in self._scenario.containers:
            if container.is_late == late:
                stage = ContainerStage(container, requires, self._runtime, self._directory / container.name)
                self._ending.callback(stage.close)
                self._stages[container.target] = stage
                stage.set_up()
        for target in {step.target for step in self._scenario.steps} & set(self._stages):
            self._stages[target].require(requires.programs)

    def run(self, step: Step) -> Outcome:
        """Run a step's command. Raises ScenarioError."""
        return self._stages[step.target].run(step)

    def close(self) -> None:
        """Take everything away."""
        self._ending.close()


class ContainerStage(Stage):
    """A container: an image, what is put over it, and the runtime's doings."""

    def __init__(
        self, container: Container, requires: Requirements, runtime: Runtime, directory: Path
    ) -> None:
        self._container, self._requires, self._runtime = container, requires, runtime
        self._directory, self._root = directory, directory / "root"
        self._ending = ExitStack()
        self._uids: dict[str, int] = {}
        self._cwd = "/"

    def set_up(self) -> None:
        container, requires = self._container, self._requires
        image = find_image(container.image)
        self._cwd = image.directory if requires.working_directory == "/" else requires.working_directory
        self._mount(image)
        self._uids = dress(
            self._root, image, container.target.rpartition("/")[2], requires.users, requires.files
        )
        mounts = {}
        for number, place in enumerate(requires.mounts):
            token = self._directory / f"token-{number}"
            token.write_text("a token\n")
            mounts[_inside(self._root, place)] = token
        argv = container.command or (f"/{WAITS}",)
        spec = specification(container, self._root, self._cwd, argv, mounts)
        self._ending.callback(self._runtime.remove, container.name)
        pid = self._runtime.create(container, spec)
        # Debian's arping tries BSD's name too when it is refused, and says only that it does not exist.
        in_network_of(pid, partial(call_loopback, "lo0"))
        if requires.network:
            self._ending.callback(Internet(pid).close)
        self._runtime.start(container)

    def require(self, programs: tuple[str, ...]) -> None:
        for name in programs:
            if find_program(self._root, name) is None:
                raise ScenarioError(f"the image {self._container.image} has no program {name}")

    def run(self, step: Step) -> Outcome:
        uid = self._uids.get(step.user)
        if uid is None:
            raise ScenarioError(f"the container has no user {step.user}")
        home = "/root" if uid == 0 else f"/home/{step.user}"
        argv = self._runtime.exec_command(
            self._container.name, step.argv, user=uid, home=home, cwd=step.cwd or self._cwd, tty=step.tty
        )
        return run_command(argv, tty=step.tty)

    def close(self) -> None:
        self._ending.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _mount(self, image: Image) -> None:
        self._directory.mkdir(parents=True)
        self._root.mkdir()
        if image.tree is not None:
            mount_overlay(image.tree(), self._directory, self._root)
            self._ending.callback(unmount, self._root)


class HostStage(Stage):
    """This machine. Files that a scenario wants are made, and removed afterwards; none is overwritten."""

    def __init__(self, requires: Requirements, containers: tuple[Container, ...]) -> None:
        self._requires = requires
        self._made: list[Path] = []
        self._has_containers = bool(containers)

    def set_up(self) -> None:
        if self._has_containers:
            return  # the requirements are those of the containers
        for user in self._requires.users:
            _identity(user.name)
        for file in self._requires.files:
            path = Path(file.path)
            if os.path.lexists(path):
                raise ScenarioError(f"{path} is to be made for the scenario, and is there already")
            self._made += reversed([*(each for each in path.parents if not each.exists())])
            self._made.append(path)
            owner = _identity(file.owner).uid
            put_file(Path("/"), file, {file.owner: owner})

    def require(self, programs: tuple[str, ...]) -> None:
        if self._has_containers:
            return
        for name in programs:
            if find_program(Path("/"), name) is None and not (packages.LAB.is_dir() and _lend(name)):
                raise ScenarioError(f"the program {name} is not installed here")

    def run(self, step: Step) -> Outcome:
        return run_command(step.argv, tty=step.tty, who=_identity(step.user), cwd=step.cwd or "/")

    def close(self) -> None:
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        self._made.clear()


def _identity(user: str) -> Identity:
    """Who a user is. One that does not exist here gets an id that is nobody's: no account is made for a test.

    Whoever runs the tests is root.
    """
    if user in (RUNNER, "root"):
        return Identity(0, "/root")
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return Identity(_nobody_s(user), f"/home/{user}")
    return Identity(found.pw_uid, found.pw_dir)


def _nobody_s(user: str) -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(61000 + len(user), 65000) if uid not in taken)


def _lend(name: str) -> bool:
    """In the lab's throwaway machine: copy a program that is missing from the image, with its libraries."""
    source = find_program(packages.merged(), name) or find_program(packages.merged(), f"{name}.openbsd")
    if source is None:
        return False
    shutil.copy2(source, Path("/usr/bin") / name.rpartition("/")[2])
    for libraries in (packages.merged() / "usr/lib").glob("*-linux-gnu"):
        for library in libraries.glob("*.so.*"):
            target = Path("/usr/lib", libraries.name, library.name)
            if not os.path.lexists(target):
                shutil.copy2(library, target, follow_symlinks=False)
    return True


def _inside(root: Path, place: str) -> str:
    """Make an empty file for a mount, below `root`; where that is, whatever links lead to it."""
    if place.startswith("/var/run/"):
        place = place.removeprefix("/var")
    target = root / place.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    return place
