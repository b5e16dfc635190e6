# SPDX-License-Identifier: Apache-2.0
"""A stored result that meets every target, and events that do."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("result.json").read_text())
    return found


@pytest.fixture
def events() -> dict[str, Any]:
    return {"alerts_per_second": 130_000, "grown_kib": 512}
