# SPDX-License-Identifier: Apache-2.0
"""Completion: the shells accept what is printed for them, and commands and options are offered."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hauberk.cli.main import COMMANDS

HAUBERK = str(Path(sys.executable).with_name("hauberk"))


def script(shell: str) -> str:
    return subprocess.run([HAUBERK, "completion", shell], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    assert f"_HAUBERK_COMPLETE={shell}_complete" in script(shell)
    if shutil.which(shell):
        subprocess.run([shell, "-n", "/dev/stdin"], input=script(shell), text=True, check=True)


def test_bash_completes_by_it() -> None:
    lines = "\n".join(
        (
            f'PATH={Path(HAUBERK).parent}:$PATH; eval "$(hauberk completion bash)"',
            "COMP_WORDS=(hauberk ru); COMP_CWORD=1; $(complete -p hauberk | grep -o '_[a-z_]*') hauberk",
            'echo "${COMPREPLY[@]}"',
        )
    )
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "run"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("hauberk ", {*COMMANDS, "version"}),
        ("hauberk run --allow", {"--allow-unenforced", "--allow-unselected"}),
        ("hauberk completion ", {"bash", "fish", "zsh"}),
    ],
)
def test_commands_and_options_are_offered(words: str, offered: set[str]) -> None:
    environment = {
        "_HAUBERK_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [HAUBERK], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == offered
