# SPDX-License-Identifier: Apache-2.0
"""What all tests stand on: examples that repeat in CI, and signals as a shell in the foreground gives them.

A job that a script starts in the background ignores SIGINT and SIGQUIT, one under nohup SIGHUP, and so would
everything that the tests start.

gRPC, once a test has used it, has threads that take signals for the process, the alarm of a test's timeout
among them, and would have every later fork wait until they are at rest, which they may never be. So the tests
that use it run last, and what they fork has no use for it.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A run that decides whether a change lands tries the same examples each time; others try new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("grpc") is not None)


@pytest.fixture(autouse=True)
def _no_threads_of_grpc_yet(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("grpc") is None:
        assert not any(_is_of_grpc(task) for task in Path("/proc/self/task").iterdir()), (
            "this test has used gRPC: it wants the marker `grpc`"
        )


def _is_of_grpc(task: Path) -> bool:
    try:
        return task.joinpath("comm").read_text().startswith("grpc_global_tim")
    except (FileNotFoundError, ProcessLookupError):
        return False
