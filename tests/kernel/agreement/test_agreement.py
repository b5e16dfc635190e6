# SPDX-License-Identifier: Apache-2.0
"""The kernel's verdict and the rule it reports are those of `decide`, on thousands of random accesses.

Every policy set goes the whole way: YAML, normalisation, tables, the programs in the kernel.
HAUBERK_AGREEMENT_SEED and HAUBERK_AGREEMENT_SETS choose another run; a failure prints the seed.
"""

import os

import pytest

from hauberk.workloads.mounts import mounts_of
from tests.agreement.draw import Draw
from tests.agreement.tally import COMBINATIONS
from tests.kernel.agreement.stage import Cast, Stage
from tests.kernel.arena import Arena, shell

SEED = int(os.environ.get("HAUBERK_AGREEMENT_SEED", "20261"))
SETS = int(os.environ.get("HAUBERK_AGREEMENT_SETS", "56"))


def test_the_kernel_and_decide_agree(
    arena: Arena, built: list[Stage], capsys: pytest.CaptureFixture[str]
) -> None:
    draw = Draw(SEED, [stage.world for stage in built])
    wrong: list[str] = []
    execs = 0
    for scene in draw.scenes(SETS):
        stage = built[scene.number % len(built)]
        with Cast(arena, stage, scene.meaning, visible=scene.visible) as cast:
            for access, answers in scene.accesses:
                cast.perform(access, answers)
        execs += cast.execs
        if cast.disagreements:
            wrong.append("\n".join((scene.title, scene.policies, *map(str, cast.disagreements))))
    tally = draw.tally
    with capsys.disabled():
        print(
            f"\nseed {SEED}, {SETS} policy sets, {execs} execs on the way of tasks to where they act\n{tally}"
        )
    assert not wrong, f"HAUBERK_AGREEMENT_SEED={SEED}: {len(wrong)} sets disagree\n" + "\n\n".join(wrong[:6])
    assert arena.engine.counters() == dict.fromkeys(arena.engine.counters(), 0)
    if SETS >= 56:
        assert tally.pairs >= 2000
        assert tally.by_rule * 2 >= tally.pairs
        assert tally.merged[True] * 2 == tally.pairs
        assert all(tally.combinations[combination] >= 20 for combination in COMBINATIONS)


def test_half_of_the_worlds_are_named_by_the_fast_walk(built: list[Stage]) -> None:
    """The root file system is there once and whole, which is what that walk is for."""
    mounts = mounts_of(os.getpid())
    (root,) = (mount for mount in mounts if not mount.path)
    assert root.whole
    assert sum(mount.dev == root.dev for mount in mounts) == 1
    assert sum(not stage.is_root for stage in built) * 2 == len(built)


NESTED = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: nested, namespace: default}
spec:
  selector: {}
  file:
    matchDirectories:
    - dir: /hauberk-split/data/
      recursive: true
    matchPaths:
    - path: /hauberk-split/data/f
      readOnly: true
  action: Block
"""


def test_an_open_to_read_and_write_names_the_narrowest_rule(arena: Arena, built: list[Stage]) -> None:
    ran = arena.run(NESTED, shell("exec 3<>/hauberk-split/data/f"))
    (record,) = ran.refused()
    assert ran.meaning.rules[record.rule].where == "spec.file.matchPaths[0]"
