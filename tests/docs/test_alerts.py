# SPDX-License-Identifier: Apache-2.0
"""docs/alerts.md against the alert as it is written."""

import json
import re

import msgspec

from hauberk.events import mask
from hauberk.events.alert import Alert, Extras, parse_event
from hauberk.events.throttle import REST
from hauberk.events.translate import UNRESOLVED_NAME
from hauberk.rules.model import SPECIAL_NAMES
from hauberk.sinks import log_records
from tests.docs.pages import ROOT, blocks, tables

PAGE = ROOT / "docs" / "alerts.md"


def named(position: int) -> set[str]:
    """The names in the first column of a table."""
    table = list(tables(PAGE))[position]
    return {name for row in table.rows for name in re.findall(r"`(\w+)`", row[0])}


def fields(struct: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


def test_every_key_is_told_and_no_other() -> None:
    assert named(0) == fields(Alert)
    assert named(2) == fields(Extras)


def test_every_special_name_is_told() -> None:
    assert named(1) == {*SPECIAL_NAMES.values(), UNRESOLVED_NAME, REST}


def test_the_bounds_of_masks_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"at most {mask.MOST}, of at most {mask.LONGEST} characters" in text


def test_the_fields_of_the_journal_are_told() -> None:
    alert = Alert(PPID=0, UID=0, Hauberk=Extras())
    told = set(re.findall(r"`(HAUBERK_\w+)`", PAGE.read_text()))
    assert told == {name for name, _ in log_records._fields(alert) if name.startswith("HAUBERK_")}


def test_the_example_is_an_alert_and_its_keys_stand_in_order() -> None:
    (block,) = blocks(PAGE, "json")
    alert = parse_event(block.text)
    assert isinstance(alert, Alert)
    assert json.loads(msgspec.json.encode(alert)) == json.loads(block.text)
    keys = list(json.loads(msgspec.json.encode(alert)))
    assert keys == list(json.loads(block.text))


def test_the_example_is_what_the_policy_of_the_readme_leads_to() -> None:
    (block,) = blocks(PAGE, "json")
    alert = json.loads(block.text)
    policy = (ROOT / "docs" / "examples" / "web.yaml").read_text().splitlines()
    assert policy[alert["Hauberk"]["Line"] - 1].strip() == f"- path: {alert['Resource']}"
