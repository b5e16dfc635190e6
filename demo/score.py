# SPDX-License-Identifier: Apache-2.0
"""What the demonstration has shown so far, and whether that is everything it is meant to show.

Fed with the stage's messages (`stage` says what they look like). An attack counts as refused only if it did
not work *and* an alert names the policy and the rule that are there to refuse it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demo.attacks import ATTACKS, Attack

WITHOUT, WITH = "without", "with"


def is_expected(alert: Mapping[str, Any], attack: Attack) -> bool:
    """Whether the alert says that the rule made for this attack refused something."""
    return (
        alert.get("PolicyName") == attack.policy
        and alert.get("Hauberk", {}).get("Rule") == attack.rule
        and alert.get("Action") == "Block"
        and alert.get("Result") == "Permission denied"
    )


@dataclass
class Row:
    """One attack in both rounds. None: not tried yet."""

    attack: Attack
    worked: bool | None = None
    worked_under_policies: bool | None = None
    alerts: Sequence[Mapping[str, Any]] = ()

    @property
    def refusal(self) -> Mapping[str, Any] | None:
        """The alert of the expected rule."""
        return next((alert for alert in self.alerts if is_expected(alert, self.attack)), None)

    @property
    def proven(self) -> bool:
        return bool(self.worked) and self.worked_under_policies is False and self.refusal is not None


@dataclass
class Score:
    """Everything that was seen. `faults` say in sentences what went wrong with the demonstration itself."""

    rows: list[Row] = field(default_factory=lambda: [Row(attack) for attack in ATTACKS])
    answers: int = 0
    missed_answers: list[str] = field(default_factory=list)
    strays: list[Mapping[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    finished: bool = False

    def take(self, message: Mapping[str, Any]) -> None:
        """Count one message of the stage."""
        match message["kind"]:
            case "attack":
                row = self.rows[message["number"]]
                if message["round"] == WITHOUT:
                    row.worked = message["worked"]
                else:
                    row.worked_under_policies = message["worked"]
                    row.alerts = message["alerts"]
            case "answer" if message["right"]:
                self.answers += 1
            case "answer":
                self.missed_answers.append(message["page"])
            case "stray":
                self.strays.append(message["alert"])
            case "fault":
                self.faults.append(message["text"])
            case "finished":
                self.finished = True

    @property
    def complaints(self) -> list[str]:
        """What was to be seen and was not, in words; empty if the demonstration succeeded."""
        said = list(self.faults)
        for row in self.rows:
            title = row.attack.title
            if row.worked is False:
                said.append(f"{title}: did not even work without policies")
            if row.worked_under_policies:
                said.append(f"{title}: worked in spite of the policies")
            elif row.worked_under_policies is False and row.refusal is None:
                named = "; ".join(describe(alert) for alert in row.alerts) or "there was none"
                said.append(
                    f"{title}: no alert named {row.attack.policy} {row.attack.rule} (alerts: {named})"
                )
        said += [f"the service did not answer as it should: {page}" for page in self.missed_answers]
        said += [f"the policies hindered the service itself: {describe(alert)}" for alert in self.strays]
        missing = [
            row.attack.title for row in self.rows if row.worked is None or row.worked_under_policies is None
        ]
        if not said and (missing or not self.answers or not self.finished):
            said.append(f"the demonstration ended early; not tried: {', '.join(missing) or 'nothing'}")
        return said


def describe(alert: Mapping[str, Any]) -> str:
    """An alert in a few words."""
    rule = alert.get("Hauberk", {}).get("Rule", "")
    return " ".join(filter(None, (alert.get("PolicyName"), rule, alert.get("Resource"))))
