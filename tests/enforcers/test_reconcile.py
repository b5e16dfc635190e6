# SPDX-License-Identifier: Apache-2.0
"""What a keeper wrote down, against what the kernel has."""

import pytest

from hauberk.enforcers.bpf_lsm.reconcile import reconcile
from hauberk.enforcers.bpf_lsm.state import EngineState, InForce, PlacedTable

OLD, NEW = InForce(4, 64, "old"), InForce(5, 640, "new")
WORDS = {each: each.generation << 32 | head for each, head in ((OLD, 128 | 3), (NEW, 704 | 1))}


def written(pending: bool = True) -> EngineState:
    return EngineState(
        generation=5,
        tables={64: PlacedTable(64, 500, 128 | 3, ()), 640: PlacedTable(640, 500, 704 | 1, ())},
        workloads={3: OLD},
        pending={3: NEW} if pending else {},
    )


def test_what_was_switched_to_is_in_force() -> None:
    state = written()
    assert reconcile(state, {3: WORDS[NEW]}) == []
    assert (state.workloads, state.pending, state.retired) == ({3: NEW}, {}, [(3, OLD)])
    assert state.used() == {640}


def test_what_was_never_switched_to_is_dropped() -> None:
    state = written()
    assert reconcile(state, {3: WORDS[OLD]}) == []
    assert (state.workloads, state.pending, state.retired) == ({3: OLD}, {}, [])
    assert state.used() == {64}


def test_what_was_to_be_lifted_is_if_the_kernel_has_no_table_for_it() -> None:
    state = written(False)
    state.lifting = (3,)
    assert reconcile(state, {}) == []
    assert (state.workloads, state.lifting, state.retired) == ({}, (), [(3, OLD)])
    state = written(False)
    state.lifting = (3,)
    assert reconcile(state, {3: WORDS[OLD]}) == []
    assert (state.workloads, state.lifting, state.retired) == ({3: OLD}, (), [])


def test_a_number_is_never_given_twice() -> None:
    state = written()
    reconcile(state, {3: WORDS[OLD]})
    assert state.generation == 5
    reconcile(state, {3: 77 << 32 | 128})
    assert state.generation == 77


def test_the_first_table_of_a_workload_may_never_have_come_into_force() -> None:
    state = EngineState(generation=1, tables=written().tables, pending={3: NEW})
    assert reconcile(state, {}) == []
    assert (state.workloads, state.used()) == ({}, set())


@pytest.mark.parametrize(
    ("word", "pending"),
    [
        (9 << 32 | 128 | 3, True),
        (9 << 32 | 128 | 3, False),
        (4 << 32 | 704, True),
        (5 << 32 | 704 | 2, True),
        (0, False),
        (0, True),
    ],
)
def test_what_nobody_wrote_down_is_told(word: int, pending: bool) -> None:
    state = written(pending)
    (told,) = reconcile(state, {3: word} if word else {})
    assert told == f"workload 3 is under generation {word >> 32}, which nobody wrote down"


def test_a_workload_that_nobody_wrote_down_is_told() -> None:
    state = written(False)
    (told,) = reconcile(state, {3: WORDS[OLD], 8: 2 << 32 | 64})
    assert told == "workload 8 is under generation 2, which nobody wrote down"
    assert state.workloads == {3: OLD}
