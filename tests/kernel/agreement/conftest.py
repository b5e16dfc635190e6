# SPDX-License-Identifier: Apache-2.0
"""The worlds that all tests of agreement play in."""

import subprocess
from pathlib import Path

import pytest

from tests.agreement.access import CAPABILITIES, SOCKETS, USES, Access, Actor
from tests.kernel.agreement.stage import Cast, Stage, learn, nothing, stages
from tests.kernel.arena import Arena


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, arena: Arena) -> list[Stage]:
    """Worlds with their programs, and known errors for calls that fail there under no rules."""
    where = tmp_path_factory.mktemp("agreement")
    program = where / "actor"
    source = Path(__file__).with_name("actor.c")
    subprocess.run(["cc", "-O1", "-static", "-s", "-o", program, source], check=True)
    found = stages(where, program)
    with Cast(arena, found[0], nothing()) as cast:
        learn(cast, [Access(Actor(), "socket", numbers=numbers) for numbers in SOCKETS])
        learn(cast, [Access(Actor(), verb, numbers=numbers) for verb, numbers in USES.items()])
        learn(cast, [Access(Actor(), "capability", numbers=(number,)) for number in CAPABILITIES])
    return found
