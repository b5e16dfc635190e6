# SPDX-License-Identifier: Apache-2.0
"""One workload's policies become its rules, and these a table: on the ground that it began on."""

import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hauberk.agent.compiler.jobs import Began, Compiled, Facts, RejectedError
from hauberk.agent.own import guarded_for
from hauberk.agent.rulesets import look_for_links, rules_under, status_of, with_caveats
from hauberk.automaton.dfa import StateLimitError
from hauberk.automaton.errors import AutomatonError, PatternError
from hauberk.enforcers.bpf_lsm.sharing import content_key, key_with_homes
from hauberk.enforcers.bpf_lsm.tables import compile_table
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.errors import HauberkError
from hauberk.policy.models import Policy
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import PolicyId, RuleSet
from hauberk.rules.normalise import policy_id
from hauberk.workloads.homes import homes_of
from hauberk.workloads.mounts import mounts_of
from hauberk.workloads.roots import Place, open_root, place_of

_MEANINGS: Final = 4
"""Rule sets whose automata are kept: containers of one image have the same rules and other mounts."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The rules of a workload, what they leave out, the ground that they stand on, and a path to its root
    that holds while the draft is in use."""

    rules: RuleSet
    dropped: Sequence[str]
    began: Began
    root: bytes


class Workshop:
    """Where rules and tables are made. `keeper` is the agent's process, `own_files` what it writes."""

    def __init__(self, keeper: int, own_files: Sequence[str]) -> None:
        self._keeper = keeper
        self._own_files = tuple(own_files)
        self._meanings: OrderedDict[bytes, Meaning] = OrderedDict()

    def compile(
        self,
        policies: Sequence[Policy],
        facts: Facts,
        base: int,
        began: Began | None,
        known: Collection[bytes],
    ) -> Compiled:
        """What is to be in force for a workload that `policies` bind; see `Compiler.compile`."""
        with self.drawn(policies, facts, began) as draft:
            ground, rules = draft.began, draft.rules
            key = key_with_homes(content_key(rules, ground.mounts, facts.visible), ground.homes)
            table = None
            if key not in known:
                try:
                    meaning = self.meaning(rules)
                    table = compile_table(meaning, base, ground.mounts, ground.homes, facts.visible)
                except AutomatonError as error:
                    raise rejected(policies, error, _culprits(rules, error)) from error
            linked, caveats = look_for_links(rules.rules, draft.root)
        statuses = with_caveats(map(status_of, policies), caveats)
        return Compiled(
            statuses=statuses,
            rules=rules.rules,
            table=table,
            key=key,
            linked=linked,
            aliases=rules.aliases,
            warnings=tuple(draft.dropped),
            began=ground,
        )

    @contextmanager
    def drawn(self, policies: Sequence[Policy], facts: Facts, began: Began | None) -> Iterator[Draft]:
        """The rules of `policies` for a workload. Raises RejectedError; HauberkError if its root is gone."""
        with _root_of(facts, began) as (place, root):
            if began is not None:
                guarded = began.guarded
            elif facts.guarded:
                guarded = tuple(guarded_for(facts.pid, self._keeper, self._own_files))
            else:
                guarded = ()

            def rules_of(policies: Sequence[Policy]) -> tuple[RuleSet, Sequence[str]]:
                return rules_under(
                    policies,
                    facts.postures,
                    root,
                    base_set=facts.base_set,
                    guarded=guarded,
                    links=began.links if began else None,
                )

            try:
                rules, dropped = rules_of(policies)
            except PatternError as error:
                culprits = {policy_id(policy) for policy in policies if not _has_rules(rules_of, policy)}
                raise rejected(policies, error, culprits) from error
            ground = began or Began(
                place=place,
                mounts=tuple(mounts_of(facts.pid)),
                homes=tuple(homes_of(facts.pid)),
                guarded=guarded,
                links=rules.aliases,
            )
            yield Draft(rules, dropped, ground, root)

    def meaning(self, rules: RuleSet) -> Meaning:
        """What the rules mean, with the automata of an earlier time if they were the same."""
        key = content_key(rules, ())
        meaning = self._meanings.pop(key, None) or Meaning(rules)
        self._meanings[key] = meaning
        if len(self._meanings) > _MEANINGS:
            self._meanings.popitem(last=False)
        return meaning


@contextmanager
def _root_of(facts: Facts, began: Began | None) -> Iterator[tuple[Place, bytes]]:
    """The place of the workload's first root, and a path to it that holds whatever its processes do."""
    try:
        place = began.place if began else place_of(facts.pid)
        fd = open_root(place, (facts.pid,))
    except OSError:
        fd = None
    if fd is None:
        raise HauberkError(
            f"no process is left in the root directory that {facts.name or facts.kind} began in, so that "
            "links in the paths of rules cannot be followed",
            "what is in force stays so",
        )
    try:
        yield place, b"/proc/self/fd/%d" % fd
    finally:
        os.close(fd)


def _has_rules(rules_of: Callable[[Sequence[Policy]], object], policy: Policy) -> bool:
    try:
        rules_of((policy,))
    except PatternError:
        return False
    return True


def _culprits(rules: RuleSet, error: AutomatonError) -> set[PolicyId]:
    """The policies whose patterns the error names; none if it names none."""
    if not isinstance(error, StateLimitError):
        return set()
    patterns = {cost.pattern for cost in error.costs}
    return {rule.policy for rule in rules.rules if rule.target in patterns}


def rejected(
    policies: Sequence[Policy], error: AutomatonError, culprits: Collection[PolicyId]
) -> RejectedError:
    """What to raise if the rules of `policies` cannot be compiled because of `culprits`."""
    reason = f"its rules cannot be compiled: {error.message}"
    guilty = [name for name in map(policy_id, policies) if name in culprits or not culprits]
    names = ", ".join(map(str, guilty))
    statuses = tuple(
        PolicyStatus(name, State.REJECTED, (reason if name in guilty else f"not without {names}",))
        for name in map(policy_id, policies)
    )
    return RejectedError(f"the rules of {names} cannot be compiled: {error.message}", error.remedy, statuses)
