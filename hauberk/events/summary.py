# SPDX-License-Identifier: Apache-2.0
"""What has happened so far, by policy and rule: for the last words of a run and for a live table.

Fed by a pipeline, or from alerts read back from a file (`alert.parse_event`).
"""

from collections.abc import Iterable

import msgspec

from hauberk.events.alert import Alert, Log


class Row(msgspec.Struct, kw_only=True):
    """How often one rule (or posture, or guard) decided one kind of operation, and the latest time it did."""

    policy: str
    policy_kind: str
    policy_namespace: str
    rule: str
    line: int
    operation: str
    action: str
    count: int = 0
    latest: Alert


class Summary:
    """Counts of accesses: `refused` and `audited` those that alerts stand for, `logged` those without one."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str, str, str, str], Row] = {}
        self.refused = 0
        self.audited = 0
        self.logged = 0

    def add(self, events: Iterable[Alert | Log]) -> None:
        """Count these."""
        for event in events:
            if not isinstance(event, Alert):
                self.logged += 1
            elif event.Action:  # a mark in a file that events are missing has none
                self._add_alert(event)

    def _add_alert(self, alert: Alert) -> None:
        extras = alert.Hauberk
        if alert.Action == "Block":
            self.refused += extras.Count
        else:
            self.audited += extras.Count
        policy = (alert.PolicyName, extras.PolicyKind, extras.PolicyNamespace)
        key = (*policy, extras.Rule, alert.Operation, alert.Action)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(
                policy=alert.PolicyName,
                policy_kind=extras.PolicyKind,
                policy_namespace=extras.PolicyNamespace,
                rule=extras.Rule,
                line=extras.Line,
                operation=alert.Operation,
                action=alert.Action,
                latest=alert,
            )
        row.count += extras.Count
        # an alert for repeats comes after some that are later
        if alert.UpdatedTime >= row.latest.UpdatedTime:
            row.latest = alert

    def rows(self) -> list[Row]:
        """One row for each rule and operation, in order of their first alert."""
        return list(self._rows.values())
