# SPDX-License-Identifier: Apache-2.0
"""What has to come of an attack: free it succeeds, bound it is refused and alerted for the right reason."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pytest

from tests.attacks.catalogue import PLACES, Attack
from tests.attacks.pending import PENDING
from tests.kernel.attacks.stage import Attempt


class Walked(AssertionError):
    """An attack that the engine did not stop, or not for the reason that it should."""


class Attempts(Protocol):
    """Where attacks are made."""

    def attempt(self, attack: Attack, place: str, *, free: bool) -> Attempt: ...


def cases(catalogue: Sequence[Attack], run: Callable[[Attack], bool] = lambda _: True) -> Iterator[Any]:
    """Each attack in each of its places. Of those that still succeed, only what `run` says is let loose."""
    for place in PLACES:
        for attack in catalogue:
            if place in attack.places:
                reason = PENDING.get(attack.name)
                expected = pytest.mark.xfail(raises=Walked, reason=reason, strict=True, run=run(attack))
                marks = [expected] if reason else []
                yield pytest.param(attack, place, id=f"{attack.name}-{place}", marks=marks)


def judge(field: Attempts, attack: Attack, place: str) -> None:
    """Make the attack, free and bound. Raises Walked if it is not stopped as it should be."""
    free = field.attempt(attack, place, free=True)
    if free.status == "status 77" and attack.may_lack:
        pytest.skip(f"{attack.may_lack}: {free.output.strip()}")
    assert free.won, f"does not work free: {free}"
    bound = field.attempt(attack, place, free=False)
    if attack.beyond:
        assert bound.won, f"refused, though docs/threat-model.md says that it succeeds: {bound}"
        return
    if bound.won:
        raise Walked(f"succeeds: {bound}")
    refused = {alert.PolicyName for alert in bound.alerts if alert.Result == "Permission denied"}
    if attack.alerted and not any(alert.Resource.endswith("/secret") for alert in bound.alerts):
        raise Walked("no alert tells of the secret")
    if not refused or not refused <= attack.reasons:
        raise Walked(f"not refused by {', '.join(attack.reasons)}: {bound}")
