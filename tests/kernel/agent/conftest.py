# SPDX-License-Identifier: Apache-2.0
"""One agent for the tests of this directory, and a file that policies protect."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.agent.agent import CGROUPS, GROUND, Agent


@pytest.fixture(scope="module")
def node() -> Iterator[Agent]:
    """An agent that runs."""
    if not Path("/run/hauberk-lab").is_dir():
        pytest.skip("only in the lab: an agent would hold this machine")
    if not (CGROUPS / "cgroup.procs").exists():
        subprocess.run(["mount", "-t", "cgroup2", "none", str(CGROUPS)], check=True)
    GROUND.mkdir(exist_ok=True)
    agent = Agent()
    agent.start()
    yield agent
    if agent.process is None:
        agent.start()
    agent.uninstall()


@pytest.fixture
def agent(node: Agent) -> Iterator[Agent]:
    """The agent, without policies."""
    if node.process is None:
        node.start()
    yield node
    if node.process is None:
        node.start()
    node.clear()


@pytest.fixture
def secret() -> Path:
    """A file that everybody can read. It stays: policies that refuse to change it may be in force."""
    path = Path("/srv/agent-secret")
    if not path.exists():
        path.write_text("secret\n")
    return path
