# SPDX-License-Identifier: Apache-2.0
"""Symbolic links that a workload may have made itself: they widen what is forbidden, never what is allowed.

When a workload's policies change while it runs, its root file system may be of its own making. A link there
that nobody knew before its first instruction counts for Block and Audit rules only.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from hauberk.automaton.patterns import Directory, Exact, Glob
from hauberk.rules.model import Action, Alias, PolicyId, Rule, RuleSet
from hauberk.rules.normalise import escape_glob


def without_later_links(rules: RuleSet, known: Collection[Alias]) -> tuple[RuleSet, Sequence[str]]:
    """The rule set with its Allow rules cut to what they say by themselves and by the links `known`; and what
    that left out, in words."""
    later = {alias.real: alias.written for alias in rules.aliases if alias not in set(known)}
    if not later:
        return rules, ()
    # The forms of one rule share its policy and index; alone, it is as it was written.
    forms = Counter(map(_key, rules.rules))
    kept: list[Rule] = []
    dropped: dict[str, None] = {}
    for rule in rules.rules:
        if rule.action is not Action.ALLOW:
            kept.append(rule)
            continue
        reals = [real for real in later if _is_of(rule, real)] if forms[_key(rule)] > 1 else []
        if reals:
            dropped.update((_sentence(rule, later[real], real), None) for real in reals)
        else:
            sources = tuple(source for source in rule.sources if source not in later)
            if rule.sources and not sources:
                dropped[_sentence(rule, later[rule.sources[0]], rule.sources[0])] = None
            else:
                kept.append(replace(rule, sources=sources))
    return RuleSet.of(kept, rules.postures, rules.aliases), tuple(dropped)


def _key(rule: Rule) -> tuple[PolicyId, int, bool]:
    return rule.policy, rule.index, rule.base


def _is_of(rule: Rule, real: bytes) -> bool:
    match rule.target:
        case Exact(path) | Directory(path):
            return path == real
        case Glob(text):
            return text.startswith(escape_glob(real) + b"/")
    return False


def _sentence(rule: Rule, written: bytes, real: bytes) -> str:
    written_, real_ = (path.decode(errors="backslashreplace") for path in (written, real))
    where = f"{rule.policy} {rule.where}" if not rule.base else "the base set"
    return f"{where} does not allow {real_}: {written_} leads there by a link that may be the command's own"
