# SPDX-License-Identifier: Apache-2.0
"""Alerts are read as they come, and compared field by field."""

from pathlib import Path

import msgspec
import pytest

from hauberk.events.alert import Extras, Log
from hauberk.workbench.live.alerts import AlertFile, LogFile, last_time, matching
from hauberk.workbench.live.scenario import AlertPattern, Condition
from tests.workbench.live.fakes import alert

ONE = alert(Resource="/bin/sleep 1", Severity="5")


def test_only_what_comes_later_is_read_and_each_alert_once(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    path.write_bytes(msgspec.json.encode(ONE) + b"\n")
    file = AlertFile(path)
    assert file.new() == []
    line = msgspec.json.encode(alert(Resource="x"))
    with path.open("ab") as out:
        out.write(line[:20])
    assert file.new() == []
    with path.open("ab") as out:
        out.write(line[20:] + b"\nno alert\n" + line + b"\n")
    assert [each.Resource for each in file.new()] == ["x", "x"]
    assert file.new() == []


def test_alerts_and_logs_of_one_file_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    alerts, logs = AlertFile(path), LogFile(path)
    log = Log(PPID=0, UID=0, Hauberk=Extras(), Type="ContainerLog", Resource="y", Result="Passed")
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in (ONE, log)))
    assert (alerts.new(), logs.new()) == ([ONE], [log])
    wanted = (Condition("resource", "is", "y"), Condition("result", "is", "Passed"))
    assert matching([log], AlertPattern(wanted)) == [log]
    assert matching([log], AlertPattern((Condition("policy", "is", "p"),))) == []


def test_a_file_that_is_not_there_yet_has_none(tmp_path: Path) -> None:
    file = AlertFile(tmp_path / "alerts")
    assert file.new() == []
    (tmp_path / "alerts").write_bytes(msgspec.json.encode(ONE) + b"\n")
    assert file.new() == [ONE]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("severity", "is", "5"), True),
        (Condition("resource", "is", "/bin/sleep"), False),
        (Condition("resource", "contains", "sleep"), True),
        (Condition("resource", "contains", "cat"), False),
        (Condition("resource", "matches", "^/bin/s"), True),
        (Condition("resource", "matches", "^sleep"), False),
        (Condition("result", "not", "Passed"), True),
        (Condition("action", "not", "Block"), False),
        (Condition("uid", "is", "0"), True),
    ],
)
def test_a_condition(condition: Condition, holds: bool) -> None:
    assert bool(matching([ONE], AlertPattern((condition,)))) is holds


def test_all_conditions_have_to_hold_and_without_any_all_alerts_are_meant() -> None:
    both = AlertPattern((Condition("severity", "is", "5"), Condition("policy", "is", "q")))
    assert matching([ONE], both) == []
    assert matching([ONE], AlertPattern()) == [ONE]


def test_the_last_time_of_many_is_told() -> None:
    assert last_time(ONE) == 0
    assert last_time(alert(extras=Extras(LastTime="1970-01-01T00:01:00.500000Z"))) == 60.5
