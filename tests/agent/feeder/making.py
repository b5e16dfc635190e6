# SPDX-License-Identifier: Apache-2.0
"""What feeders in tests are told to serve."""

from pathlib import Path
from typing import Any

from hauberk.agent.feeder.wire import Feeding


def feeding_in(directory: Path, **fields: Any) -> Feeding:
    """For an agent whose socket and state lie in a directory."""
    return Feeding(
        cluster="default",
        node_name="node",
        socket=str(directory / "agent.sock"),
        state_directory=str(directory),
        **fields,
    )
