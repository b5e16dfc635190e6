# SPDX-License-Identifier: Apache-2.0
"""A server of LogService and a client of it."""

from collections.abc import Iterator

import grpc
import pytest

from tests.agent.feeder.grpc.served import Served


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as found:
        yield found


@pytest.fixture
def channel(served: Served) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(served.address) as found:
        yield found
