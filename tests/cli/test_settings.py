# SPDX-License-Identifier: Apache-2.0
"""Every setting is an option of the agent's command, in KubeArmor's spelling too."""

from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from hauberk.agent.config.load import Loaded
from hauberk.agent.config.table import SETTINGS
from hauberk.cli.settings import settings_options
from hauberk.rules.model import Posture


@click.command()
@click.option("--verbose", "-v", is_flag=True)
@settings_options
def command(reread: Callable[[], Loaded], verbose: bool) -> None:
    """Show what was read."""
    for row in reread().rows():
        click.echo(f"{row.key} {row.value} {row.origin} {verbose}")


@pytest.fixture(autouse=True)
def no_file(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setattr(
        "hauberk.agent.config.load.DEFAULT_FILE", tmp_path_factory.mktemp("empty") / "agent.yaml"
    )


def shown(*arguments: str) -> list[str]:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


@pytest.mark.parametrize("dashes", ["-", "--"])
def test_options_have_the_names_of_settings(dashes: str) -> None:
    lines = shown(f"{dashes}defaultFilePosture=block", f"{dashes}host", "node-7", "-v")
    assert "defaultFilePosture block --defaultFilePosture True" in lines
    assert "host node-7 --host True" in lines
    assert len(lines) == len(SETTINGS)


def test_a_truth_value_without_a_value_is_true() -> None:
    lines = shown("-enableKubeArmorHostPolicy", "--baseSet", "-enableKubeArmorPolicy=false")
    assert "enableKubeArmorHostPolicy true --enableKubeArmorHostPolicy False" in lines
    assert "baseSet true --baseSet False" in lines
    assert "enableKubeArmorPolicy false --enableKubeArmorPolicy False" in lines


def test_others_need_a_value() -> None:
    done = CliRunner().invoke(command, ["--cluster"])
    assert done.exit_code == 2
    assert "requires an argument" in done.output


def test_help_names_every_setting_once() -> None:
    lines = [line.split()[0] for line in shown("--help") if line.startswith("  -")]
    assert lines == ["-v,", "--config", *(setting.flag for setting in SETTINGS), "--help"]


def test_settings_are_read_anew_each_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("etc") / "agent.yaml"
    read: list[Posture] = []

    @click.command()
    @settings_options
    def twice(reread: Callable[[], Loaded]) -> None:
        for posture in ("audit", "block"):
            file.write_text(f"defaultFilePosture: {posture}\n")
            file.chmod(0o600)
            read.append(reread().settings.postures.file)

    CliRunner().invoke(twice, ["--config", str(file)], catch_exceptions=False)
    assert read == [Posture.AUDIT, Posture.BLOCK]
