# SPDX-License-Identifier: Apache-2.0
"""`hauberk agent`: its options are the settings, and each of its tasks gets them as they are meant."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from hauberk.agent.config.load import load
from hauberk.agent.config.settings import Settings
from hauberk.agent.config.table import SETTINGS
from hauberk.agent.node import main as node
from hauberk.cli.agent import agent, place_command
from hauberk.errors import HauberkError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text("cluster: of-the-file\ndefaultFilePosture: block\n")
    return path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Settings]]:
    """What a fake node was asked to do."""
    done: list[tuple[str, Settings]] = []

    def fake_run(settings: Settings, reread: Callable[[], Settings], command: Sequence[str]) -> None:
        done.append(("run", settings))
        done.append(("reread", reread()))

    def fake_uninstall(settings: Settings) -> list[str]:
        done.append(("uninstall", settings))
        return ["nothing is left"]

    monkeypatch.setattr(node, "run", fake_run)
    monkeypatch.setattr(node, "uninstall", fake_uninstall)
    monkeypatch.setattr(node, "place_once", lambda settings: done.append(("place_once", settings)))
    return done


def test_every_setting_is_an_option() -> None:
    assert {setting.flag for setting in SETTINGS} <= {option for each in agent.params for option in each.opts}


def test_print_config_shows_each_value_and_where_it_is_from(file: Path) -> None:
    arguments = ["--config", str(file), "--print-config", "--host", "edge-1"]
    result = CliRunner().invoke(agent, arguments, env={"DEFAULTNETWORKPOSTURE": "allow"})
    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()}
    assert rows.keys() == {"SETTING", *(setting.key for setting in SETTINGS)}
    assert rows["cluster"] == ["of-the-file", f"{file}:1"]
    assert rows["defaultNetworkPosture"] == ["allow", "DEFAULTNETWORKPOSTURE"]
    assert rows["host"] == ["edge-1", "--host"]
    assert rows["onAgentLoss"] == ["run-last-known", "default"]


def test_faults_of_settings_are_told_before_anything_is_done(ran: list[tuple[str, Settings]]) -> None:
    result = CliRunner().invoke(agent, ["--defaultFilePosture", "deny"])
    assert isinstance(result.exception, HauberkError)
    assert "--defaultFilePosture" in result.exception.message
    assert ran == []


def test_the_agent_runs_with_its_settings_and_can_read_them_again(
    ran: list[tuple[str, Settings]], file: Path
) -> None:
    assert CliRunner().invoke(agent, ["--config", str(file), "--host", "n"]).exit_code == 0
    assert [(what, each.cluster, each.node_name) for what, each in ran] == [
        ("run", "of-the-file", "n"),
        ("reread", "of-the-file", "n"),
    ]


@pytest.mark.parametrize("task", ["uninstall", "place_once"])
def test_other_tasks_do_not_run_the_loop(ran: list[tuple[str, Settings]], task: str) -> None:
    result = CliRunner().invoke(agent, [f"--{task.replace('_', '-')}"])
    assert [what for what, _ in ran] == [task]
    assert result.output == ("nothing is left\n" if task == "uninstall" else "")


def test_two_tasks_at_once_are_refused(ran: list[tuple[str, Settings]]) -> None:
    assert CliRunner().invoke(agent, ["--uninstall", "--place-once"]).exit_code == 2
    assert ran == []


def test_what_places_without_an_agent_has_the_same_settings_in_any_environment(file: Path) -> None:
    flags = {"host": "edge-1", "nodeLabels": "zone=a", "namespacePostures": "shop/file=block"}
    loaded = load(file, {"HAUBERK_ONAGENTLOSS": "refuse", "VISIBILITY": "process,file"}, flags)
    argv = place_command(loaded, file)
    done = subprocess.run(
        [*argv[: argv.index("--place-once")], "--print-config", *argv[argv.index("--place-once") + 1 :]],
        env={},
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    told = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[1:]}
    assert told == {row.key: row.value or "''" for row in loaded.rows()}


def test_asking_for_the_settings_loads_no_pydantic() -> None:
    code = "import sys, hauberk.cli.agent; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
