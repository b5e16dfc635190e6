# SPDX-License-Identifier: Apache-2.0
"""Conditions on events: what they mean is the same for an event and for its JSON."""

import msgspec
import pytest

from hauberk.events.alert import Alert, ExecContext, Extras
from hauberk.events.where import WhereError, matcher, parse_term, text_of

ALERT = Alert(
    PPID=0,
    UID=1000,
    HostPID=42,
    Operation="File",
    Resource="/etc/shadow",
    EventData={"Flags": "O_RDONLY"},
    ATags=("MITRE", "PCI"),
    ExecEvent=ExecContext(ExecutableName="cat"),
    Hauberk=Extras(Call="open", Args=("cat", "-n")),
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Operation=File", True),
        ("Operation=Process", False),
        ("Operation!=Process", True),
        ("Operation!=File", False),
        ("Resource~/etc/*", True),
        ("Resource~/etc/s?adow", True),
        ("Resource~/etc", False),
        ("UID=1000", True),
        ("HostPID=42", True),
        ("Hauberk.Call=open", True),
        ("Hauberk.Call!=open", False),
        ("Hauberk.Count=1", True),
        ("Hauberk.Count!=1", False),
        ("Hauberk.Args=-n", True),
        ("Hauberk.Args!=-n", False),
        ("ATags~PC*", True),
        ("ATags=", False),
        ("EventData.Flags=O_RDONLY", True),
        ("EventData.Lsm=", True),
        ("ExecEvent.ExecutableName=cat", True),
        ("Owner.Name=", True),
        ("PodName=", True),
        ("PodName~?*", False),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    wanted = matcher(((parse_term(text),),))
    assert wanted(ALERT) is holds
    assert wanted(msgspec.json.decode(msgspec.json.encode(ALERT))) is holds


def test_all_clauses_hold_each_by_any_of_its_terms() -> None:
    wanted = matcher(
        ((parse_term("Operation=File"), parse_term("Operation=Process")), (parse_term("UID=1000"),))
    )
    assert wanted(ALERT)
    assert not matcher(((parse_term("Operation=File"),), (parse_term("UID=1"),)))(ALERT)
    assert matcher(())(ALERT)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("Operatoin=File", "there is no field `Operatoin`", "did you mean `Operation`?"),
        ("Call=open", "there is no field `Call`", "did you mean `Hauberk.Call`?"),
        ("hauberk.call=open", "there is no field `hauberk.call`", "did you mean `Hauberk.Call`?"),
        ("Quux=1", "there is no field `Quux`", "docs/alerts.md lists the fields"),
        (
            "Operation",
            "`Operation` is no condition",
            "write FIELD=VALUE, FIELD!=VALUE or FIELD~GLOB: Operation=File",
        ),
    ],
)
def test_what_is_none_is_told(text: str, message: str, remedy: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse_term(text)
    assert (caught.value.message, caught.value.remedy) == (message, remedy)


def test_text_of_a_field() -> None:
    assert text_of(ALERT, "Hauberk.Args") == "cat -n"
    assert text_of(ALERT, "Hauberk.Count") == "1"
