# SPDX-License-Identifier: Apache-2.0
"""Real runtimes in the lab's guest: unpacked once a session, started when a test first needs them.

These tests copy programs over the root file system, so they run nowhere but in the lab. `make containers`
fetches the packages and boots the machines; without the packages the tests are skipped, and say what fetches
them.
"""

import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hauberk.lab.cache import cache_root
from tests.kernel.runtimes import daemons
from tests.kernel.runtimes.agent import Agent, policy
from tests.kernel.runtimes.commands import Runtime
from tests.kernel.runtimes.ground import RUNTIMES, Ground
from tests.runtimes import images, packages


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure comes what the agent says of itself."""
    report = yield
    if report.failed and call.when == "call" and isinstance(item, pytest.Function):
        agents = [value for value in item.funcargs.values() if isinstance(value, Agent)]
        report.sections += [("the agent", agent.told()) for agent in agents]
    return report


@pytest.fixture(scope="session")
def unpacked() -> None:
    """The programs of all runtimes are where their packages put them."""
    if not Path("/run/hauberk-lab").is_dir():
        pytest.skip("only in the lab, whose root file system is thrown away")
    tree = packages.packages_directory()
    if not tree.is_dir():
        pytest.skip("no runtimes in the lab's cache: python -m tests.runtimes.packages fetches them")
    packages.install(tree)
    daemons.prepare()


@pytest.fixture(scope="session")
def archive(unpacked: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' image."""
    busybox = next(path for path in (cache_root() / "busybox").glob("**/bin/busybox") if path.is_file())
    return images.write(busybox, tmp_path_factory.mktemp("image") / "tiny.tar")


@pytest.fixture(scope="session")
def runtimes(archive: Path) -> Iterator[Ground]:
    with ExitStack() as ending:
        yield Ground(archive, ending)


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest, runtimes: Ground) -> Runtime:
    return runtimes[request.param]


@pytest.fixture
def container(runtime: Runtime) -> Iterator[str]:
    """A name for a container, which is removed afterwards."""
    name = f"c-{uuid.uuid4().hex[:8]}"
    yield name
    runtime.remove(name)


@pytest.fixture(scope="module")
def agent(unpacked: None) -> Iterator[Agent]:
    """An agent for the module, with a policy that binds containers of `app: bound`."""
    agent = Agent()
    agent.start()
    agent.apply(policy("bound", "bound"))
    yield agent
    agent.uninstall()
