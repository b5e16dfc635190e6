# SPDX-License-Identifier: Apache-2.0
"""What the pages point at is there, and what they show as policies are policies."""

import re
from pathlib import Path

import click
import pytest

from hauberk.cli.main import hauberk
from hauberk.policy.load import load_text
from tests.docs.pages import PAGES, ROOT, Block, anchors, blocks, prose, tables
from tests.docs.wrap import whole

EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

FOLDERS = ("bench", "demo", "deploy", "docs", "hauberk", "scripts", "tests", ".ci")
"""Where a path in the text points into the tree."""

YAML = [block for page in PAGES for block in blocks(page, "yaml")]


def test_the_pages_of_the_readme_are_those_there_are() -> None:
    linked = {(ROOT / target).resolve() for target in _links(ROOT / "README.md") if target.endswith(".md")}
    assert linked == set(PAGES) - {ROOT / "README.md"}


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    for target in _links(page):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@EVERY_PAGE
def test_files_and_folders_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`([\w.-]+(?:/[\w.*-]*)+)`", prose(page))
    for path in named:
        if path.split("/")[0] in FOLDERS:
            assert any(ROOT.glob(path.rstrip("/"))), path


@EVERY_PAGE
def test_options_that_are_named_exist(page: Path) -> None:
    known = _options(hauberk, click.Context(hauberk))
    for option in re.findall(r"`(?:[^`]* )?(--[a-z][a-z-]+)", prose(page)):
        assert option in known, option


@EVERY_PAGE
def test_nothing_speaks_of_one_persons_machine(page: Path) -> None:
    assert not re.search(r"/(work|home|Users)/\w", page.read_text())


def test_the_architecture_names_every_hook_in_its_file() -> None:
    hooks = ROOT / "hauberk" / "bpf" / "hooks"
    there = {
        path.name: set(re.findall(r'^SEC\("lsm/(\w+)"\)', path.read_text(), flags=re.MULTILINE))
        for path in hooks.glob("*.h")
    }
    (table,) = (
        table
        for table in tables(ROOT / "docs" / "architecture.md")
        if "`hauberk/bpf/hooks/`" in table.headings[0]
    )
    assert {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in table.rows} == there


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.place)
def test_policies_have_no_faults(block: Block) -> None:
    loaded = load_text(whole(block.text), block.place)
    assert [str(fault) for fault in loaded.faults] == []
    assert [str(warning) for warning in loaded.warnings] == []
    assert loaded.policies


def test_the_policy_of_the_readme_is_the_one_in_the_examples() -> None:
    shown = [block.text for block in blocks(ROOT / "README.md", "yaml")]
    file = (ROOT / "docs" / "examples" / "web.yaml").read_text()
    assert shown == [file.removeprefix("# SPDX-License-Identifier: Apache-2.0\n")]


def _links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in found if isinstance(target, str)]


def _options(command: click.Command, context: click.Context) -> set[str]:
    """Every option of a command and of those below it."""
    found = {option for parameter in command.get_params(context) for option in parameter.opts}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found |= _options(below, context)
    return found
