# SPDX-License-Identifier: Apache-2.0
"""One hook's proof: the act is refused and reported as what it is, and with that one program detached it
succeeds."""

from collections.abc import Callable

import pytest

from hauberk.automaton.patterns import matches
from hauberk.enforcers.bpf_lsm.programs import OPTIONAL
from hauberk.events.record import Call, Record
from hauberk.kernel.features import available_hooks
from hauberk.rules.base import is_own
from tests.kernel.helpers.act import REFUSED, Done, Session, without


def only_refused_by(
    session: Session,
    program: str,
    script: str,
    call: Call,
    path: str = "",
    *,
    prepare: Callable[[], object] = lambda: None,
    because: str = "test",
    error: str = REFUSED,
) -> Record:
    """`script`, of which the last statement is the act, is refused by the LSM program `program` and by no
    other.

    Returns the record of the refusal. Skips on a kernel that has no such hook.
    """
    if program in OPTIONAL and program not in available_hooks(OPTIONAL):
        pytest.skip(f"this kernel has no hook {program}")
    prepare()
    done = session.do(script)
    record = expect_refusal(done, call, path, because=because, error=error)
    with without(session.arena, program):
        prepare()
        done = session.do(script)
    assert done.results == ["ok"] * len(done.results), done
    assert not done.refusals
    return record


def expect_refusal(
    done: Done, call: Call, path: str = "", *, because: str = "test", error: str = REFUSED
) -> Record:
    """All statements but the last were ok; that one was refused, once, as `call` on `path` by a rule that
    speaks of it."""
    assert done.results == ["ok"] * (len(done.results) - 1) + [error], done
    (record,) = done.refusals
    assert (record.call, record.object) == (call, path.encode())
    assert done.because(record) == because
    rule = done.rule(record)
    if rule is not None and path:
        assert not is_own(rule.target)
        assert matches(rule.target, path.encode())
    return record
