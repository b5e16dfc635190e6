# SPDX-License-Identifier: Apache-2.0
"""Not one success of what is forbidden, and not one refusal of what is permitted, while keepers are killed at
any moment, others adopt what they leave, and policies change.

HAUBERK_FULL=1 makes it a million tries at the forbidden file, 200 kills and 1,000 changes; without it a
tenth.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.events.record import decode_each
from hauberk.kernel.ring import records
from tests.kernel.helpers import SHARE
from tests.kernel.nogap.stage import EACCES, OPENED, Attack, judge, keeper, until

pytestmark = pytest.mark.preempt

TRIES, KILLS, CHANGES = 1_000_000 // SHARE, 200 // SHARE, 1_000 // SHARE
MOST_CHANGES_IN_A_LIFE = 11


def look_after(attack: Attack, name: str) -> None:
    """What a keeper does: adopts, changes policies a few times, reads what is reported."""
    progress = memoryview(attack.progress).cast("Q")
    engine = Engine.adopt(name)
    assert engine.findings == []
    progress[0] += 1
    for change in range(1 << 30):
        if change < MOST_CHANGES_IN_A_LIFE:
            attack.alternate(engine)
            progress[1] += 1
        for ring in (engine.violations, engine.events):
            for record in decode_each(records(ring.drain())):
                assert not isinstance(record, Exception)
        if change >= MOST_CHANGES_IN_A_LIFE:
            time.sleep(0.01)


@pytest.mark.timeout(3000)
def test_through_kills_adoptions_and_changes_every_try_comes_out_as_a_policy_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, trouble = f"test-nogap-{os.getpid()}", tmp_path / "trouble"
    attack = Attack(tmp_path, tries=TRIES * 2)
    progress = memoryview(attack.progress).cast("Q")
    chance = random.Random(3)
    kills, began = 0, time.monotonic()
    with attack.load(name) as engine:
        # compiled here, so that keepers find them
        for policy in "baba":
            attack.change(engine, policy)
        with attack.under_way(engine):
            engine.close()
            while kills < KILLS or progress[1] < CHANGES or attack.tries < TRIES * 5 // 4:
                before = progress[1]
                pid = keeper(lambda: look_after(attack, name), trouble)
                wanted = before + chance.randrange(MOST_CHANGES_IN_A_LIFE)
                until(lambda: progress[1] >= wanted or trouble.exists(), f"change {wanted}")  # noqa: B023
                time.sleep(chance.random() / 100)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                kills += 1
                assert not trouble.exists(), trouble.read_text()
        outcomes = attack.outcomes()
    adopted = Engine.adopt(name)
    generation, counters = adopted._state.generation, adopted.counters()
    adopted.remove()
    totals = {target: sum(n for (t, *_), n in outcomes.items() if t == target) for target in ("forbidden",)}
    with capsys.disabled():
        print(
            f"\n{totals['forbidden']} tries at what is forbidden, {attack.tries} in all; {kills} kills, "
            f"{progress[0]} adoptions, {progress[1]} changes, generation {generation}, "
            f"{counters['lost_violations']} alerts lost; {time.monotonic() - began:.0f} s\n{dict(outcomes)}"
        )
    assert judge(outcomes) == []
    assert totals["forbidden"] >= TRIES
    assert kills >= KILLS
    assert progress[1] >= CHANGES
    # It could fail: each policy is seen to make its difference.
    for target, refused, opened in (("only-a", "a", "b"), ("only-b", "b", "a")):
        assert outcomes[target, refused, EACCES] > 0
        assert outcomes[target, opened, OPENED] > 0


def test_a_success_and_a_refusal_that_no_policy_explains_are_found() -> None:
    told = {("forbidden", "a", EACCES): 5, ("allowed", "b", OPENED): 5, ("only-a", "ab", EACCES): 1}
    assert judge(told) == []
    assert judge({("forbidden", "ab", OPENED): 1}) == ["forbidden under ab: 1 x opened"]
    assert judge({("allowed", "ab", EACCES): 2}) == ["allowed under ab: 2 x Permission denied"]
    assert judge({("only-b", "b", OPENED): 3}) == ["only-b under b: 3 x opened"]
    assert judge({("only-b", "a", EACCES): 3}) == ["only-b under a: 3 x Permission denied"]
