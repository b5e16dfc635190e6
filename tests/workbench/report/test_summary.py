# SPDX-License-Identifier: Apache-2.0
"""Summing up: what is counted adds up, whatever is left unnamed."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hauberk.workbench.report.summary import OTHERS, TOP, Count, Summing, Tally


def event(
    time: int = 0, resource: str = "/etc/shadow", action: str = "Block", count: int = 1
) -> dict[str, Any]:
    told = {"Timestamp": time, "Resource": resource, "Operation": "File", "HostName": "node-1"}
    told |= {"Hauberk": {"Count": count, "Call": "open"}, "NamespaceName": "shop", "ContainerName": "web"}
    return told | ({"Action": action, "PolicyName": "guard"} if action else {"Result": "Passed"})


def test_an_alert_counts_as_many_accesses_as_it_stands_for() -> None:
    summing = Summing(0, 60, bins=6)
    summing.add(event(5, count=1000))
    summing.add(event(55, action="Audit"))
    summing.add(event(59, action=""))
    summary = summing.finish()
    assert summary.total == Tally(1000, 1, 1)
    assert summary.events == 3
    assert [(each.refused, each.audited, each.passed) for each in summary.bins] == [
        (1000, 0, 0),
        *[(0, 0, 0)] * 4,
        (0, 1, 1),
    ]
    assert [(each.name, each.refused) for each in summary.workloads] == [("shop/web", 1000)]
    assert [(each.name, each.alerts) for each in summary.rules] == [("guard", 1001)]
    assert summary.nodes == ["node-1"]


def test_what_lies_on_the_edge_or_has_no_time_is_counted_all_the_same() -> None:
    summing = Summing(100, 200, bins=4)
    for each in (
        event(0),
        event(200),
        event(10**12),
        {"Action": "Block"},
        {"Timestamp": "x", "Action": "Block"},
    ):
        summing.add(each)
    summary = summing.finish()
    assert sum(each.refused for each in summary.bins) == summary.total.refused == 5


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(["refused", "audited", "passed"]), st.integers(1, 9))
    )
)
def test_the_rows_add_up_to_everything(counted: list[tuple[int, str, int]]) -> None:
    counts = Count(most=20)
    whole = Tally()
    for name, state, accesses in counted:
        counts.add(str(name), state, accesses)
        whole.add(state, accesses)
    rows = counts.top()
    assert len(rows) <= TOP + 1
    assert sum(row.refused for row in rows) == whole.refused
    assert sum(row.audited for row in rows) == whole.audited
    assert sum(row.passed for row in rows) == whole.passed
    named = [row.alerts for row in rows if row.name != OTHERS]
    assert named == sorted(named, reverse=True)


def test_what_is_missing_is_told_by_its_reason() -> None:
    summing = Summing(0, 1)
    summing.miss(3, "a")
    summing.miss(4, "a")
    summing.miss(0, "b")
    assert [(each.accesses, each.why) for each in summing.finish().missing] == [(7, "a"), (0, "b")]
