# SPDX-License-Identifier: Apache-2.0
"""`hauberk logs`: from a history, from an agent's feeder, on terminals and into pipes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.wire import Feeding
from hauberk.cli import lines, recalling
from hauberk.cli.logs import logs
from hauberk.errors import HauberkError
from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.clock import unix_time
from hauberk.events.text import escape
from hauberk.sinks.history import History

HAUBERK = str(Path(sys.executable).with_name("hauberk"))
DAY = 1_795_824_000
"""2026-11-28 00:00 UTC."""


def at(hour: float, kind: type[Alert] | type[Log] = Alert, **fields: object) -> Alert | Log:
    second, text = unix_time(int((DAY + hour * 3600) * 1e9))
    if kind is Alert:
        fields = {"Action": "Block", "PolicyName": "no-secrets"} | fields
    else:
        fields = {"Type": "ContainerLog", "Result": "Passed"} | fields
    known = {"Operation": "File", "Source": "/usr/bin/cat", "HostPID": 181, "NamespaceName": "shop"}
    known |= {"ContainerName": "web", "Hauberk": Extras(Call="open", Rule="spec.file.matchPaths[0]")}
    return kind(PPID=0, UID=0, Timestamp=second, UpdatedTime=text, **(known | fields))


EVENTS = (
    at(1, Resource="/etc/shadow"),
    at(2, Resource="/etc/shadow", Hauberk=Extras(Call="open", Count=4)),
    at(3, Log, Resource="/srv/page"),
    at(
        4,
        Resource="tcp",
        Operation="Network",
        Action="Audit",
        ContainerName="db",
        Hauberk=Extras(Call="connect"),
    ),
    at(5, Resource="/usr/bin/id", Operation="Process", NamespaceName="", ContainerName=""),
)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    with closing(History(path, 4)) as made:
        made.write(list(enumerate(EVENTS, 100)))
    return path


def run(history: Path, *arguments: str) -> Result:
    return CliRunner().invoke(logs, [*arguments, "--history", str(history)], catch_exceptions=False)


def objects(history: Path, *arguments: str) -> list[str]:
    done = run(history, *arguments, "-o", "jsonl")
    assert done.exit_code == 0, done.output
    return [json.loads(line)["Resource"] for line in done.stdout.splitlines()]


def test_a_line_tells_who_did_what_and_which_rule_decided(history: Path) -> None:
    assert run(history).stdout.splitlines() == [
        "2026-11-28 01:00:00.000Z  refused  shop/web  File open /etc/shadow  by /usr/bin/cat[181]"
        "  (no-secrets spec.file.matchPaths[0])",
        "2026-11-28 02:00:00.000Z  refused  shop/web  File open /etc/shadow  by /usr/bin/cat[181]"
        "  (no-secrets)  x4",
        "2026-11-28 04:00:00.000Z  audited  shop/db  Network connect tcp  by /usr/bin/cat[181]  (no-secrets)",
        "2026-11-28 05:00:00.000Z  refused  host  Process open /usr/bin/id  by /usr/bin/cat[181]"
        "  (no-secrets spec.file.matchPaths[0])",
    ]
    assert "passed   shop/web  File open /srv/page" in run(history, "--kind", "logs").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "/etc/shadow /etc/shadow tcp /usr/bin/id"),
        (("--kind", "both"), "/etc/shadow /etc/shadow /srv/page tcp /usr/bin/id"),
        (("--kind", "both", "-n", "2"), "tcp /usr/bin/id"),
        (("--since", "2026-11-28T02:00"), "/etc/shadow tcp /usr/bin/id"),
        (("--since", "2026-11-28T03:00+01:00", "--until", "2026-11-28T05:00"), "/etc/shadow tcp"),
        (("--since", "102"), "tcp /usr/bin/id"),
        (("--namespace", "shop", "--workload", "db"), "tcp"),
        (("--container", "d*"), "tcp"),
        (("--workload", "db", "--workload", "web", "--operation", "Network"), "tcp"),
        (("--operation", "Network", "--operation", "Process"), "tcp /usr/bin/id"),
        (("--action", "Audit"), "tcp"),
        (("--policy", "other"), ""),
        (("--process", "*/cat", "--resource", "/usr/*"), "/usr/bin/id"),
        (("--where", "Hauberk.Call!=open"), "tcp"),
        (("--where", "Hauberk.Count=4"), "/etc/shadow"),
    ],
)
def test_spans_and_filters(history: Path, arguments: tuple[str, ...], expected: str) -> None:
    assert objects(history, *arguments) == expected.split()


def test_the_number_goes_on_where_it_was(history: Path) -> None:
    first = json.loads(run(history, "-o", "jsonl").stdout.splitlines()[0])
    assert first["Hauberk"]["Number"] == 100
    assert objects(history, "--since", "100") == objects(history)[1:]


def test_a_list_is_a_json_list(history: Path, tmp_path: Path) -> None:
    assert [event["Hauberk"]["Number"] for event in json.loads(run(history, "-o", "json").stdout)] == [
        100,
        101,
        103,
        104,
    ]
    assert json.loads(run(history, "-o", "json", "--policy", "none-such").stdout) == []


def test_a_table_has_a_row_for_each(history: Path) -> None:
    heading, *rows = run(history, "-o", "table").stdout.splitlines()
    assert heading.split() == list(lines.HEADINGS)
    assert len(rows) == 4
    assert rows[1].split()[-2:] == ["no-secrets", "4"]


def test_what_is_the_same_is_counted(history: Path) -> None:
    heading, *rows = run(history, "--aggregate").stdout.splitlines()
    assert heading.split()[:2] == ["COUNT", "DONE"]
    assert rows[0].split() == [
        *("5", "refused", "shop/web", "File", "open", "/etc/shadow", "no-secrets"),
        *("2026-11-28T01:00:00.000000Z", "2026-11-28T02:00:00.000000Z"),
    ]
    groups = json.loads(run(history, "--aggregate", "-o", "json").stdout)
    assert [(group["count"], group["object"]) for group in groups] == [
        (5, "/etc/shadow"),
        (1, "/usr/bin/id"),
        (1, "tcp"),
    ]
    assert "5x  refused  shop/web  File open /etc/shadow" in run(history, "--aggregate", "-o", "line").stdout


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {"Source": "/usr/bin/cat", "HostPID": 7, "ParentProcessName": "/bin/sh", "HostPPID": 6},
            ["/bin/sh (6)", "/usr/bin/cat (7)"],
        ),
        (
            {
                "Source": "/bin/sh",
                "HostPID": 7,
                "HostPPID": 6,
                "Hauberk": {"Call": "exec", "Parent": "/sbin/init"},
            },
            ["/sbin/init (6)", "/bin/sh (7)"],
        ),
        (
            {
                "Source": "/usr/bin/cat",
                "HostPID": 7,
                "Hauberk": {
                    "Ancestry": [
                        {"PID": 6, "Name": "sh", "Path": "/bin/sh"},
                        {"PID": 1, "Name": "in\x1b[2Jit", "Path": ""},
                    ]
                },
            },
            ["in\\x1b[2Jit (1)", "/bin/sh (6)", "/usr/bin/cat (7)"],
        ),
    ],
)
def test_the_tree_begins_with_the_eldest(event: dict[str, object], expected: list[str]) -> None:
    drawn = list(lines.tree(event | {"Operation": "File", "Resource": "/etc/shadow", "Action": "Block"}))
    assert [text.strip(" └─") for text in drawn[:-1]] == expected
    assert "/etc/shadow" in drawn[-1]
    indents = [len(text) - len(text.lstrip(" └─")) for text in drawn]
    assert indents == sorted(set(indents)), "each deeper than the one before"


def test_the_tree_is_drawn_below_each(history: Path) -> None:
    assert len(run(history, "--tree").stdout.splitlines()) == 4 * 3


HOSTILE = (
    b"/tmp/\x1b]0;owned\x07",
    b"/tmp/\x1b[2J\x1b[1;1H",
    b"/tmp/a\nrefused  forged",
    "/tmp/\u202egnp.exe\u2066\u2028".encode(),
    b"/tmp/\xff\xfe\x80",
    b"/tmp/\xc2\x9b31m\x7f\r",
)


@pytest.mark.parametrize("raw", HOSTILE, ids=repr)
@pytest.mark.parametrize("output", ["line", "table", "json", "jsonl"])
@pytest.mark.parametrize("escaped", [True, False])
def test_no_name_reaches_the_terminal_or_breaks_a_line(
    tmp_path: Path, raw: bytes, output: str, escaped: bool
) -> None:
    # Not escaped: as if somebody had written to the file.
    name = escape(raw) if escaped else raw.decode(errors="replace")
    event = at(1, Resource=name, ContainerName=name, PolicyName=name, Source=name)
    with closing(History(tmp_path / "history.db", 4)) as history:
        history.write([(1, event)])
    for more in ([], ["--tree"] if output == "line" else ["--aggregate"]):
        done = run(tmp_path / "history.db", "-o", output, *more)
        text = done.stdout
        assert done.exit_code == 0
        assert all(line.isprintable() for line in text.split("\n"))
        expected = {"line": 3 if more else 1, "table": 2, "json": 3, "jsonl": 1}[output]
        assert text.count("\n") == expected
        if output == "jsonl" and not more:
            assert json.loads(text)["Resource"] == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--where", "Hauberk.Cal=open"), "there is no field `Hauberk.Cal`"),
        (("--since", "yesterday"), "'yesterday' is neither a time (2026-11-28T10:00) nor how long ago"),
        (("--follow", "--aggregate"), "--follow goes without"),
        (("--tree", "-o", "json"), "--tree goes with -o line only"),
        (("--limit", "0"), "0 is not in the range"),
    ],
)
def test_what_is_asked_wrongly_is_told(history: Path, arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(logs, [*arguments])
    assert done.exit_code != 0
    assert message in done.output + str(done.exception)


def test_what_is_missing_is_told_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(History(path, 4)) as history:
        history.write([(1, at(1, Resource="a"))])
        history.miss(7, "it was not there")
        history.write([(2, at(2, Resource="b"))])
    _, gap, _ = run(path).stdout.splitlines()
    assert gap == "-- 7 accesses are missing here: it was not there --"
    told = json.loads(run(path, "-o", "jsonl").stdout.splitlines()[1])
    assert told == {"Type": "SystemEvent", "Message": "7 accesses are missing here: it was not there"}
    assert "7 accesses are missing here" in run(path, "--aggregate").stderr


def test_rows_that_cannot_be_read_are_counted(history: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(history)) as connection, connection:
        connection.execute("UPDATE alert SET event = CAST(X'FFFE' AS TEXT) WHERE number = 100")
    done = run(history)
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == "hauberk: 1 events in the history cannot be read\n"


# With an agent


def until(feeder: Feeder, what: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        left = deadline - time.monotonic()
        assert left > 0, f"it has not come to that: {feeder.told}, {feeder.findings}"
        select.select([feeder], [], [], left)
        feeder.on_ready()


def tell(feeder: Feeder, *events: Alert | Log) -> None:
    feeder.write(events)
    number = feeder._number
    until(feeder, lambda: feeder.told.number == number)


def start(directory: Path) -> Feeder:
    feeder = Feeder(
        Feeding(
            cluster="",
            node_name="",
            socket=str(directory / "agent.sock"),
            state_directory=str(directory),
            history_mib=4,
        )
    )
    feeder.start(tuple)
    return feeder


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    with closing(start(tmp_path)) as feeder:
        tell(feeder, at(1, Resource="first"))
        yield feeder


def following(directory: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [HAUBERK, "logs", "-f", "-o", "jsonl", *arguments, "--socket", str(directory / "agent.sock")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def next_object(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return str(json.loads(process.stdout.readline())["Resource"])


def test_following_goes_on_over_a_restart_and_ctrl_c_ends_it_quietly(feeder: Feeder, tmp_path: Path) -> None:
    with following(tmp_path) as process:
        assert next_object(process) == "first"
        tell(feeder, at(2, Resource="second"))
        assert next_object(process) == "second"
        os.kill(feeder.pid, signal.SIGKILL)
        until(feeder, lambda: not feeder.pid)
        until(feeder, lambda: bool(feeder.pid))
        tell(feeder, at(3, Resource="third"))
        assert next_object(process) == "third"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert out == ""
    assert "Traceback" not in err
    assert set(err.splitlines()) <= {
        "",
        "hauberk: no agent runs: nothing new comes until one does",
        "hauberk: the agent is there",
    }


AGENT = """
import select, sys, time
from pathlib import Path
from tests.cli.test_logs import at, start
feeder = start(Path(sys.argv[1]))
feeder.write([at(1, Resource="before")])
while feeder.told.number < 1:
    select.select([feeder], [], [])
    feeder.on_ready()
print("told", flush=True)
time.sleep(600)
"""


def test_what_happened_is_there_after_the_agent_was_killed_and_another_started(tmp_path: Path) -> None:
    # Whoever holds a feeder is its agent.
    with subprocess.Popen([sys.executable, "-c", AGENT, str(tmp_path)], stdout=subprocess.PIPE) as agent:
        assert agent.stdout
        assert agent.stdout.readline() == b"told\n"
        agent.kill()
    with closing(start(tmp_path)) as feeder:
        tell(feeder, at(2, Resource="after"))
        done = subprocess.run(
            [
                HAUBERK,
                "logs",
                "--since",
                "2026-11-28",
                "-o",
                "jsonl",
                "--socket",
                str(tmp_path / "agent.sock"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["Resource"] for event in told] == ["before", "after"]
    assert told[0]["Hauberk"]["Number"] + 1 == told[1]["Hauberk"]["Number"]


def test_a_closed_pipe_ends_it_quietly(history: Path) -> None:
    with closing(History(history, 4)) as made:
        made.write([(number, at(6, Resource="x" * 200)) for number in range(1000, 3000)])
    with subprocess.Popen(
        [HAUBERK, "logs", "-n", "5000", "--history", str(history)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_without_an_agent_the_history_is_read_and_it_is_said_that_nothing_new_comes(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalling, "DEFAULT", history)
    done = CliRunner().invoke(logs, ["-n", "1", "--socket", str(history.with_name("agent.sock"))])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == f"hauberk: no agent runs, so nothing new comes: this is what {history} has\n"


def test_an_agent_that_comes_later_is_followed(tmp_path: Path) -> None:
    with following(tmp_path) as process, closing(start(tmp_path)) as feeder:
        tell(feeder, at(1, Resource="first"))
        assert next_object(process) == "first"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_who_may_not_read_the_history_is_told(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(recalling, "DEFAULT", history)
    monkeypatch.setattr(Path, "stat", refuse)
    done = CliRunner().invoke(logs, ["--socket", str(history.with_name("agent.sock"))])
    assert isinstance(done.exception, HauberkError)
    assert "no agent listens" in done.exception.message
    assert f"reading the history at {history}: Permission denied" in done.exception.message
