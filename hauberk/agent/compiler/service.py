# SPDX-License-Identifier: Apache-2.0
"""The jobs, one method each: they run in the compiler's process, which knows the policies in use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from hauberk.agent.compiler.closed import closed_rules
from hauberk.agent.compiler.compiling import Workshop
from hauberk.agent.compiler.explaining import explain
from hauberk.agent.compiler.jobs import UNIT_LABEL, Began, Checked, CheckedPolicy, Compiled, Facts, Source
from hauberk.agent.compiler.selecting import binds, ref_of
from hauberk.agent.control.messages import Explain, Explanation
from hauberk.agent.rulesets import degraded_fields
from hauberk.enforcers.bpf_lsm.tables import compile_table
from hauberk.errors import HauberkError
from hauberk.policy.load import Loaded, load_texts
from hauberk.policy.models import KubeArmorPolicy, Policy
from hauberk.policy.texts import texts_of
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import RuleSet
from hauberk.rules.normalise import policy_id
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE
from hauberk.workloads.homes import homes_of
from hauberk.workloads.mounts import mounts_of

_CHOICES = 4096
"""Workloads whose policies are remembered."""
_INIT = 1


@dataclass(frozen=True, slots=True)
class _Policy:
    """A policy in use, and what stands for its rules: its text, and where that is."""

    policy: Policy
    digest: bytes


class Service:
    """The compiler's memory. `keeper` is the agent's process, `own_files` what it writes."""

    def __init__(self, keeper: int, own_files: Sequence[str]) -> None:
        self._workshop = Workshop(keeper, own_files)
        self._policies: tuple[_Policy, ...] = ()
        self._choices: dict[bytes, tuple[_Policy, ...]] = {}

    def check(self, sources: Sequence[Source]) -> Checked:
        """See `Compiler.check`."""
        policies: list[CheckedPolicy] = []
        faults: list[str] = []
        for source, loaded in zip(sources, _load(sources), strict=True):
            faults += map(str, loaded.faults)
            if loaded.faults:
                continue
            try:
                policies += _checked(source, loaded)
            except HauberkError as error:
                faults.append(f"{source.name}: {error.message} ({error.remedy})")
        return Checked(tuple(policies), tuple(faults))

    def use(self, sources: Sequence[Source]) -> None:
        """See `Compiler.use`."""
        found = _load(sources)
        if faults := [str(fault) for loaded in found for fault in loaded.faults]:
            lines = "".join(f"\n  {fault}" for fault in faults)
            raise HauberkError(f"the policies have faults:{lines}", "`hauberk policy check` explains them")
        self._policies = tuple(
            _Policy(policy, sha256(f"{source.name}\0{policy.line}\0{text}".encode()).digest())
            for source, loaded in zip(sources, found, strict=True)
            for policy, text in zip(loaded.policies, texts_of(source.text, loaded.policies), strict=True)
        )
        self._choices.clear()

    def choose(self, facts: Sequence[Facts]) -> list[str]:
        """See `Compiler.choose`."""
        return [self._fingerprint(each) for each in facts]

    def compile(self, facts: Facts, base: int, began: Began | None, known: frozenset[bytes]) -> Compiled:
        """See `Compiler.compile`."""
        chosen = [each.policy for each in self._chosen(facts)]
        if not chosen and not facts.visible:
            return Compiled()
        return self._workshop.compile(chosen, facts, base, began, known)

    def closed(self, base: int) -> Compiled:
        """See `Compiler.closed`."""
        rules = closed_rules()
        table = compile_table(Meaning(rules), base, mounts_of(_INIT), homes_of(_INIT))
        return Compiled(rules=rules.rules, table=table, key=table.key)

    def explain(self, facts: Facts, query: Explain, began: Began | None) -> tuple[Explanation, ...]:
        """See `Compiler.explain`."""
        chosen = [each.policy for each in self._chosen(facts)]
        files = {policy_id(policy): policy.file for policy in chosen}
        with self._workshop.drawn(chosen, facts, began) as draft:
            # Without policies there is no table, so that not even the engine's own rules hold.
            bare = not chosen and not facts.visible
            meaning = self._workshop.meaning(RuleSet.of((), facts.postures) if bare else draft.rules)
            table = compile_table(meaning, 0, draft.began.mounts, draft.began.homes, facts.visible)
            return explain(query, meaning, table, files, draft.root)

    def units(self) -> tuple[str, ...]:
        """See `Compiler.units`."""
        policies = (each.policy for each in self._policies if isinstance(each.policy, KubeArmorPolicy))
        named = {policy.spec.selector.match_labels.get(UNIT_LABEL, "") for policy in policies}
        return tuple(sorted(named - {""}))

    def _fingerprint(self, facts: Facts) -> str:
        chosen = self._chosen(facts)
        if not chosen and not facts.visible:
            return ""
        digest = sha256(b"".join(each.digest for each in chosen))
        other = (facts.postures, sorted(facts.visible), facts.base_set, facts.guarded)
        digest.update(msgspec.msgpack.encode(other))
        return digest.hexdigest()

    def _chosen(self, facts: Facts) -> tuple[_Policy, ...]:
        """The policies that bind a workload, in an order that is not that of their arrival."""
        key = msgspec.msgpack.encode(
            (
                facts.kind, facts.namespace, facts.name, facts.labels,
                facts.node, facts.node_labels, sorted(facts.forced),
            ),
            order="deterministic",
        )  # fmt: skip
        found = self._choices.get(key)
        if found is None:
            if len(self._choices) >= _CHOICES:
                self._choices.clear()
            bound = (each for each in self._policies if binds(each.policy, facts))
            found = self._choices[key] = tuple(sorted(bound, key=lambda each: ref_of(each.policy)))
        return found


def _load(sources: Sequence[Source]) -> list[Loaded]:
    """Policies as this node reads them: no orchestrator is asked here, so what names no namespace is about
    the containers that have none."""
    return load_texts(((source.name, source.text) for source in sources), namespace=DEFAULT_NAMESPACE)


def _checked(source: Source, loaded: Loaded) -> Iterator[CheckedPolicy]:
    warnings: dict[int, list[str]] = {at: [] for at in range(len(loaded.policies))}
    for warning in loaded.warnings:
        # It stands in its policy's document, or (line 0) speaks of the whole file.
        at = max((at for at, policy in enumerate(loaded.policies) if policy.line <= warning.line), default=0)
        warnings[at].append(str(warning))
    texts = texts_of(source.text, loaded.policies)
    for at, (policy, text) in enumerate(zip(loaded.policies, texts, strict=True)):
        digest = sha256(text.encode()).hexdigest()
        yield CheckedPolicy(ref_of(policy), text, digest, (*warnings[at], *degraded_fields(policy)))
