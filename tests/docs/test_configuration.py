# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md and the sample file are those of the table of settings."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from hauberk.agent.config import file
from hauberk.agent.config.kinds import Number
from hauberk.agent.config.load import MAX_VALUES, Loaded, load
from hauberk.agent.config.settings import Settings
from hauberk.agent.config.table import SETTINGS, Setting
from tests.docs.pages import ROOT, blocks, tables

PAGE = ROOT / "docs" / "configuration.md"
SAMPLE = ROOT / "docs" / "examples" / "agent.yaml"


def test_every_setting_is_in_the_table_as_it_is() -> None:
    (table,) = (table for table in tables(PAGE) if table.headings[-1] == "Meaning")
    assert list(table.rows) == [
        (*row, shown[-1]) for row, shown in zip(_expected(), table.rows, strict=True) if shown[-1]
    ]


def test_the_sample_has_every_setting_and_the_defaults(tmp_path: Path) -> None:
    written = yaml.safe_load(SAMPLE.read_text())
    assert written.keys() == {setting.key for setting in SETTINGS}
    loaded = _load(tmp_path, SAMPLE.read_text())
    others = {setting.key for setting in SETTINGS if setting.of(loaded.settings) != setting.of(Settings())}
    assert others == {"namespacePostures", "host", "nodeLabels"}


def test_the_file_that_is_shown_has_no_faults(tmp_path: Path) -> None:
    (shown,) = (block.text for block in blocks(PAGE, "text"))
    assert _load(tmp_path, shown).settings.namespace_postures == {"payments": {"file": "block"}}


def test_the_limits_are_those_of_the_code() -> None:
    found = re.search(r"more than (\d+) MiB or more than ([\d,]+) values", PAGE.read_text())
    assert found is not None
    assert (int(found[1]) << 20, int(found[2].replace(",", ""))) == (file.MAX_BYTES, MAX_VALUES)


def _load(directory: Path, text: str) -> Loaded:
    path = directory / "agent.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path, {}, {})


def _expected() -> Iterator[tuple[str, str, str, str]]:
    for setting in SETTINGS:
        yield f"`{setting.key}`", _value(setting), setting.default, "yes" if setting.kubearmor else ""


def _value(setting: Setting) -> str:
    if isinstance(setting.kind, Number):
        return f"{setting.kind.least} to {setting.kind.most}{', none' if setting.kind.none else ''}"
    return setting.kind.form.replace("|", ", ")
