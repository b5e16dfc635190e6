# SPDX-License-Identifier: Apache-2.0
"""`hauberk report`: a page, or its numbers, from a history."""

import json
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from hauberk.cli.report import report
from hauberk.events.alert import Alert, Extras
from hauberk.events.clock import unix_time
from hauberk.sinks.history import History


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """An alert an hour, for three hours."""
    path = tmp_path / "history.db"
    with closing(History(path, 4)) as made:
        for hours in (3, 2, 1):
            second, text = unix_time(time.time_ns() - hours * 3_600_000_000_000)
            event = Alert(PPID=0, UID=0, Timestamp=second, UpdatedTime=text, Action="Block", Hauberk=Extras())
            event.ContainerName = f"web-{hours}"
            made.write([(made.next, event)])
        made.miss(9, "nobody was there")
    return path


def numbers(history: Path, *arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(
        report, ["--history", str(history), "--format", "json", *arguments], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_the_span_and_the_filters_say_what_is_counted(history: Path) -> None:
    assert numbers(history)["total"] == {"refused": 3, "audited": 0, "passed": 0}
    assert numbers(history, "--since", "150m")["total"] == {"refused": 2, "audited": 0, "passed": 0}
    assert numbers(history, "--until", "90m")["total"] == {"refused": 2, "audited": 0, "passed": 0}
    assert numbers(history, "--workload", "web-2")["total"] == {"refused": 1, "audited": 0, "passed": 0}
    assert numbers(history)["missing"] == [{"accesses": 9, "why": "nobody was there"}]


def test_the_page_is_written_whole_and_for_its_owner(history: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("before")
    done = CliRunner().invoke(report, ["--history", str(history), "-o", str(page)])
    assert done.exit_code == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "web-3" in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "report" in each.name] == ["report.html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "1h", "--until", "2h"), "--until is before --since"),
        (("--since", "17"), "'17' is neither a time"),
        (("-o", "/nowhere/report.html"), "writing /nowhere/report.html: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_told(history: Path, arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(report, ["--history", str(history), *arguments])
    assert done.exit_code != 0
    assert message in done.output + str(done.exception)
