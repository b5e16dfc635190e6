# SPDX-License-Identifier: Apache-2.0
"""What was written down, and what the kernel has: brought together after a keeper's sudden end.

A keeper writes first and switches then. So a pending generation that the kernel has came into force, and one
that it has not never did; what was to be lifted is lifted if the kernel has no table for it. Anything else
was done by somebody else, or the state is not this engine's: then what is in force is left alone and said
loudly.
"""

from collections.abc import Mapping

from hauberk.enforcers.bpf_lsm.state import EngineState, InForce


def reconcile(state: EngineState, heads: Mapping[int, int]) -> list[str]:
    """Make `state` say what the words in `heads` say (by workload, none of them 0); returns what it could not
    explain, in words.

    Tables that nothing uses any more stay in `state.tables`, for the caller to free.
    """
    unknown = []
    for workload in sorted({*heads, *state.workloads, *state.pending}):
        word = heads.get(workload, 0)
        held, pending = state.workloads.get(workload), state.pending.pop(workload, None)
        if pending is not None and _word(state, pending) == word:
            state.workloads[workload] = pending
            if held is not None:
                state.retired.append((workload, held))
        elif workload in state.lifting and not word:
            if held is not None:
                state.retired.append((workload, state.workloads.pop(workload)))
        elif word != (_word(state, held) if held is not None else 0):
            unknown.append(f"workload {workload} is under generation {word >> 32}, which nobody wrote down")
    state.lifting = ()
    given = (word >> 32 for word in heads.values())
    state.generation = max(state.generation, *given) if heads else state.generation
    return unknown


def _word(state: EngineState, force: InForce) -> int:
    """What `heads` holds when this is in force; 0, which is never pending, if the table is not known."""
    table = state.tables.get(force.table)
    return force.generation << 32 | table.head if table is not None else 0
