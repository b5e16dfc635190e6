# SPDX-License-Identifier: Apache-2.0
"""How long a change of policies takes.

Seconds from the call with the compiled table until it is in force, and until what it replaces has been freed;
and the seconds that compiling took.
"""

import os
import statistics
import time

from bench.cost import AUDIT
from bench.policy import policy
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.placing import room_for
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.normalise import rule_set
from hauberk.workloads.mounts import mounts_of

WORKLOAD = 0


def change(rules: int = 100, times: int = 12) -> dict[str, float]:
    """Two policies of so many rules take turns in an engine of their own: medians, and the slowest."""
    meanings = [
        Meaning(rule_set(load_text(text, "<bench>").policies, AUDIT))
        for text in (policy(rules), policy(rules).replace("/usr/share/app-", "/usr/share/web-"))
    ]
    mounts = mounts_of(os.getpid())

    def compiler(meaning: Meaning, base: int) -> Table:
        return TableCompiler(meaning, base).compile(mounts)

    first = compiler(meanings[0], 64)
    compiling: list[float] = []
    force: list[float] = []
    freed: list[float] = []
    with Engine.load(
        f"bench-{os.getpid()}", table_bytes=2 * room_for(first), disabled=needless(first.flags)
    ) as engine:
        store = engine._heads.store_u64
        switched = 0.0

        def observed(offset: int, value: int) -> None:
            nonlocal switched
            store(offset, value)
            switched = time.monotonic()

        engine._heads.store_u64 = observed  # type: ignore[method-assign]
        try:
            for number in range(times + 2):
                meaning = meanings[number % 2]
                begin = time.monotonic()
                table = engine.compile(WORKLOAD, lambda base: compiler(meaning, base))  # noqa: B023
                compiled = time.monotonic()
                engine.install(WORKLOAD, table, meaning.rules)
                end = time.monotonic()
                # The first one replaces nothing, the second warms up.
                if number >= 2:
                    compiling.append(compiled - begin)
                    force.append(switched - compiled)
                    freed.append(end - compiled)
        finally:
            engine.remove()
    return {
        "rules": rules,
        "compile": statistics.median(compiling),
        "force": statistics.median(force),
        "slowest_force": max(force),
        "freed": statistics.median(freed),
    }
