# SPDX-License-Identifier: Apache-2.0
"""Each test of runs finds the kernel as it was, and leaves it so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.run.hauberk import end_started, kernel_ids, pinned, until


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = kernel_ids()
    assert pinned() == []
    yield
    end_started()
    assert pinned() == []
    # The kernel frees on its own time; what others made meanwhile would be a defect of the tests.
    until(lambda: all(kernel_ids()[kind] <= before[kind] for kind in before), "the kernel without leftovers")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("the secret\n")
    return path
