# SPDX-License-Identifier: Apache-2.0
"""The commands that the pages show: they can be given, and print what is shown.

Those that confine something need a kernel that can; they run in the lab, all of them in one boot.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from hauberk import lab
from hauberk.cli.main import hauberk
from tests.docs.pages import PAGES, ROOT, Command, commands, prose

BIN = Path(sys.executable).parent
IN_LAB = "hauberk lab run "
COMMANDS = [command for page in PAGES for command in commands(page)]
NATIVE = [
    command
    for command in COMMANDS
    if command.line.startswith("hauberk ") and not command.line.startswith(IN_LAB)
]
LAB = [command for command in COMMANDS if command.line.startswith(IN_LAB)]
# In the text: `hauberk policy base`, but not `hauberk lab:`, which begins a message.
MENTIONED = sorted(
    {
        " ".join(found.split())
        for page in PAGES
        for found in re.findall(r"`((?:hauberk|python|make) [^`]*[^`:])`", prose(page))
    }
    | {command.line for command in COMMANDS}
)

# Run in the machine: each command through a shell, and what became of all of them as JSON.
DRIVER = """
import json, subprocess, sys
pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
done = [subprocess.run(each, shell=True, text=True, **pipes) for each in json.load(sys.stdin)]
print(json.dumps([{"status": each.returncode, "output": each.stdout} for each in done]))
"""


@dataclass
class Done:
    """How a command ended, and what it wrote to both streams."""

    status: int
    output: str


def test_both_kinds_of_commands_are_shown() -> None:
    assert NATIVE
    assert LAB


@pytest.mark.parametrize("line", MENTIONED)
def test_commands_are_such_as_can_be_given(line: str) -> None:
    words = shlex.split(line)
    match words[0]:
        case "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(words[1:]) <= set(targets)
        case "hauberk":
            accept(words[1:])
        case "python":
            assert_paths_exist(words)
        case _:
            assert words[:2] == [".", ".venv/bin/activate"], line


def test_the_examples_of_the_help_texts_can_be_given() -> None:
    lines = [
        re.split(r" {2,}|[|>]", line.strip())[0]
        for command in _every_command(hauberk, click.Context(hauberk))
        for line in (command.help or "").splitlines()
        if line.lstrip().startswith("hauberk ")
    ]
    assert len(lines) > 10
    for line in lines:
        accept(shlex.split(line)[1:])


def _every_command(command: click.Command, context: click.Context) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _every_command(below, context)


@pytest.mark.parametrize("command", NATIVE, ids=lambda command: command.place)
def test_what_a_command_prints_is_what_is_shown(command: Command) -> None:
    done = subprocess.run(
        [str(BIN / "hauberk"), *shlex.split(command.line)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == command.output


@pytest.fixture(scope="module")
def in_the_lab() -> dict[str, Done]:
    """What came of every command that is shown to run in the lab."""
    lines = list(dict.fromkeys(inner(command) for command in LAB))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("PATH", f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        patch.setenv("LC_ALL", "C.UTF-8")
        done = lab.capture([sys.executable, "-c", DRIVER], stdin=json.dumps(lines).encode())
    assert done.status == 0, done.stderr
    return {line: Done(**each) for line, each in zip(lines, json.loads(done.stdout), strict=True)}


@pytest.mark.lab
@pytest.mark.parametrize("command", LAB, ids=lambda command: f"{command.place}:{command.line}")
def test_what_a_command_prints_in_the_lab_is_what_is_shown(
    command: Command, in_the_lab: dict[str, Done]
) -> None:
    done = in_the_lab[inner(command)]
    assert done.status == 0, done.output
    if command.output:
        assert done.output == command.output


def inner(command: Command) -> str:
    """What is to run in the machine."""
    return command.line.partition(" -- ")[2]


def accept(words: list[str]) -> None:
    """Have click read a command line; where it calls for more words, the text left them out."""
    context = hauberk.make_context("hauberk", words, resilient_parsing=True)
    command: click.Command = hauberk
    while isinstance(command, click.Group) and words:
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = click.Context(command, parent=context, info_name=name)
    try:
        _, rest, _ = command.make_parser(context).parse_args(words)
    except click.BadOptionUsage:
        return
    if command.name == "run" and "hauberk" in rest[:1]:
        accept(rest[1:])
    assert_paths_exist(words)


def assert_paths_exist(words: list[str]) -> None:
    for word in words:
        if re.match(r"(tests|docs|demo)/", word):
            assert (ROOT / word).exists(), word
