# SPDX-License-Identifier: Apache-2.0
"""A machine of files for each test."""

from pathlib import Path

import pytest

from tests.workloads.containers.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)
