# SPDX-License-Identifier: Apache-2.0
"""Which run is meant."""

import pytest

from hauberk.agent import adoption
from hauberk.agent.adoption import Candidate, find
from hauberk.errors import HauberkError

WEB = Candidate("run-1-a", "web", ("nginx",), 3, False)
OTHER = Candidate("run-2-b", "web", ("nginx", "-g"), 1, False)
HELD = Candidate("run-3-c", "db", ("postgres",), 1, True)
LOST = Candidate("run-4-d", "", (), 1, False)


def found(monkeypatch: pytest.MonkeyPatch, name: str, *there: Candidate) -> str:
    monkeypatch.setattr(adoption, "candidates", lambda: iter(there))
    return find(name)


def test_the_only_one_that_nobody_looks_after_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, "", WEB, HELD) == "run-1-a"


def test_a_run_is_named_by_itself_or_by_its_workload(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, "run-4-d", WEB, OTHER, LOST) == "run-4-d"
    assert found(monkeypatch, "web", WEB, HELD, LOST) == "run-1-a"


def test_several_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HauberkError) as caught:
        found(monkeypatch, "", WEB, OTHER, HELD, LOST)
    assert caught.value.message.splitlines() == [
        "there are 3 runs that nobody looks after:",
        "  run-1-a (web: nginx; 3 tasks)",
        "  run-2-b (web: nginx -g; 1 tasks)",
        "  run-4-d (its state is lost; 1 tasks)",
    ]
    with pytest.raises(HauberkError, match="there are 2 runs"):
        found(monkeypatch, "web", WEB, OTHER, HELD)


def test_one_that_is_looked_after_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HauberkError, match="looks after it already:\n  run-3-c"):
        found(monkeypatch, "db", WEB, HELD)


def test_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HauberkError, match="there is no run 'nothing'"):
        found(monkeypatch, "nothing", WEB)
    with pytest.raises(HauberkError, match="there is no run that nobody looks after"):
        found(monkeypatch, "")
