# SPDX-License-Identifier: Apache-2.0
"""Space in the arena: never given out twice, never lost."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hauberk.enforcers.bpf_lsm.regions import ALIGNMENT, Regions, aligned

BEGIN, END = 64, 64 + 64 * 40


class Arena(RuleBasedStateMachine):
    """Against a list of who has each unit of ALIGNMENT bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.regions = Regions(BEGIN, END)
        self.taken: dict[int, int] = {}

    def units(self) -> list[bool]:
        used = [False] * ((END - BEGIN) // ALIGNMENT)
        for begin, size in self.taken.items():
            for unit in range((begin - BEGIN) // ALIGNMENT, (begin - BEGIN + aligned(size)) // ALIGNMENT):
                assert not used[unit]
                used[unit] = True
        return used

    def first_fit(self, size: int) -> int | None:
        used, need = self.units(), aligned(size) // ALIGNMENT
        for unit in range(len(used) - need + 1):
            if not any(used[unit : unit + need]):
                return BEGIN + unit * ALIGNMENT
        return None

    @rule(size=st.integers(1, 64 * 15))
    def take_where_it_fits_first(self, size: int) -> None:
        begin = self.regions.find(size)
        assert begin == self.first_fit(size)
        if begin is not None:
            assert self.regions.fits(begin, size)
            self.regions.take(begin, size)
            self.taken[begin] = size

    @rule(begin=st.integers(0, END + 64), size=st.integers(1, 64 * 15))
    def take_somewhere(self, begin: int, size: int) -> None:
        end = begin + aligned(size)
        inside = begin % ALIGNMENT == 0 and begin >= BEGIN and end <= END
        first, last = (begin - BEGIN) // ALIGNMENT, (end - BEGIN) // ALIGNMENT
        free = inside and not any(self.units()[first:last])
        assert self.regions.fits(begin, size) == free
        if free:
            self.regions.take(begin, size)
            self.taken[begin] = size
        else:
            with pytest.raises(ValueError, match="not free"):
                self.regions.take(begin, size)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        begin = data.draw(st.sampled_from(sorted(self.taken)))
        self.regions.release(begin)
        del self.taken[begin]

    @invariant()
    def the_largest_is_what_can_be_had(self) -> None:
        largest = self.regions.largest
        if largest:
            assert self.first_fit(largest) is not None
        assert self.first_fit(largest + 1) is None


TestArena = Arena.TestCase


def test_nothing_has_no_room() -> None:
    assert Regions(64, 64).find(1) is None
    assert Regions(64, 64).largest == 0
    assert not Regions(64, 128).fits(64, 0)


@pytest.mark.parametrize(("begin", "end"), [(1, 64), (0, 65), (128, 64), (-64, 0)])
def test_space_is_aligned_and_runs_upwards(begin: int, end: int) -> None:
    with pytest.raises(ValueError, match="no space"):
        Regions(begin, end)


def test_what_was_not_given_out_cannot_come_back() -> None:
    with pytest.raises(KeyError):
        Regions(64, 128).release(64)
