# SPDX-License-Identifier: Apache-2.0
"""Rules and rule sets for tests: by hand in one line, or at random from a small world.

The small world has few directory names, so that random rules meet, nest and conflict all the time.
"""

from functools import cache
from itertools import product

from hypothesis import strategies as st
from msgspec.structs import replace

from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches
from hauberk.rules.base import base_rules
from hauberk.rules.decide import CapabilityObject, FileObject, Object, SocketObject, Subject
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import (
    DECIDED,
    Action,
    Capability,
    Operation,
    PolicyId,
    Posture,
    Postures,
    Protocol,
    Rule,
    RuleSet,
    Scope,
    Section,
    Target,
)
from hauberk.rules.sockets import PROTOCOLS

Access = tuple[Subject, Operation, Object]

POLICIES = {
    "one": (PolicyId("KubeArmorPolicy", "default", "one"), Scope.NAMESPACE),
    "two": (PolicyId("KubeArmorPolicy", "default", "two"), Scope.NAMESPACE),
    "cluster": (PolicyId("KubeArmorClusterPolicy", "", "cluster"), Scope.CLUSTER),
    "host": (PolicyId("KubeArmorHostPolicy", "", "host"), Scope.HOST),
}


def pattern(text: str) -> Pattern:
    """`/a` a path, `/a/` a directory, `/a/**` a directory with all below, `glob:...`, `name:...`."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "glob":
        return Glob(rest.encode())
    if colon and kind == "name":
        return Name(rest.encode())
    if text.endswith("/**"):
        return Directory(text[:-2].encode(), True)
    return Directory(text.encode()) if text.endswith("/") else Exact(text.encode())


def rule(
    action: str,
    target: str | Target,
    *,
    section: Section = Section.FILE,
    sources: tuple[str, ...] = (),
    policy: str = "one",
    **flags: bool,
) -> Rule:
    """One rule; `target` as `pattern` reads it, unless it is a target already."""
    identity, scope = POLICIES[policy]
    return Rule(
        policy=identity,
        scope=scope,
        index=0,
        where="somewhere",
        line=0,
        section=section,
        action=Action(action),
        target=pattern(target) if isinstance(target, str) else target,
        sources=tuple(source.encode() for source in sources),
        **flags,
    )


def meaning(
    *rules: Rule,
    file: Posture = Posture.AUDIT,
    network: Posture = Posture.AUDIT,
    capabilities: Posture = Posture.AUDIT,
    base_set: bool = False,
) -> Meaning:
    """What the rules mean. Rules of one policy get ascending indices, in the order given."""
    numbered: list[Rule] = []
    for one in rules:
        taken = sum(other.policy == one.policy for other in numbered)
        where = f"spec.{one.section.name.lower()}.rules[{taken}]"
        numbered.append(replace(one, index=taken, where=where, line=taken + 1))
    if base_set:
        numbered += base_rules(lambda target: (target,))
    return Meaning(RuleSet.of(numbered, Postures(file, network, capabilities)))


COMPONENTS = ("a", "b", "ab", "ac", "lib")
WORLD = tuple(
    "".join(f"/{part}" for part in parts).encode()
    for depth in range(5)
    for parts in product(COMPONENTS, repeat=depth)
)
"""Every path of the small world; rich enough that one of PATTERNS lies inside another if it does so here."""

PATTERNS = tuple(
    map(
        pattern,
        (
            "/a", "/b", "/a/b", "/a/a", "/a/b/a", "/lib/a", "/lib/a/b", "/b/ab",
            "/", "/**", "/a/", "/a/**", "/a/b/**", "/a/b/", "/b/**", "/lib/", "/lib/**", "/lib/a/**",
            "name:a", "name:b", "name:ab",
            "glob:/a/*", "glob:/a/**", "glob:/**/b", "glob:/{a,b}/b", "glob:/a/[^b]*", "glob:/a?",
            "glob:/lib/*", "glob:/**/{a,b}", "glob:/*/b/**",
        ),
    )
)  # fmt: skip

PROGRAMS = (b"/a/b", b"/b", b"/a/ab", b"/lib/ld-linux.so.2")

other_targets: dict[Section, st.SearchStrategy[Target]] = {
    Section.NETWORK: st.sampled_from(PROTOCOLS).map(Protocol),
    Section.CAPABILITIES: st.sampled_from((Capability(0), Capability(13), Capability(21))),
}
source_lists = st.one_of(
    st.just(()), st.lists(st.sampled_from(PROGRAMS), min_size=1, max_size=2, unique=True).map(tuple)
)


@st.composite
def rules(
    draw: st.DrawFn, actions: tuple[Action, ...] = tuple(Action), pool: tuple[Pattern, ...] = PATTERNS
) -> Rule:
    """A rule of the small world, its path one of `pool`."""
    section = draw(st.sampled_from((*[Section.FILE] * 4, *[Section.PROCESS] * 3, *DECIDED)))
    on_paths = section in (Section.FILE, Section.PROCESS)
    identity, scope = POLICIES[draw(st.sampled_from(sorted(POLICIES)))]
    return Rule(
        policy=identity,
        scope=scope,
        index=draw(st.integers(0, 5)),
        where="somewhere",
        line=0,
        section=section,
        action=draw(st.sampled_from(actions)),
        target=draw(st.sampled_from(pool) if on_paths else other_targets[section]),
        sources=draw(source_lists),
        owner_only=on_paths and draw(rarely),
        read_only=section is Section.FILE and draw(rarely),
        tty_only=draw(rarely),
    )


rarely = st.sampled_from((False, False, True))
postures = st.builds(Postures, *[st.sampled_from(Posture)] * 3)


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    """Rules of the small world, with or without the base set."""
    # Few paths, so that several rules speak of each.
    pool = tuple(draw(st.lists(st.sampled_from(PATTERNS), min_size=2, max_size=5, unique=True)))
    chosen = draw(st.lists(rules(pool=pool), min_size=draw(st.sampled_from((1, 4, 6))), max_size=8))
    if draw(st.booleans()):
        chosen += base_rules(lambda target: (target,))
    return RuleSet.of(chosen, draw(postures))


programs = st.sampled_from((*PROGRAMS, b"/nobody", None))
subjects = st.builds(Subject, programs, programs, st.booleans())
paths = st.sampled_from(WORLD)
sockets = st.builds(
    SocketObject,
    st.sampled_from((1, 2, 10, 16, 17, 40, 43, 44)),
    st.integers(1, 6),
    st.sampled_from((0, 1, 6, 17, 33, 58, 132, 136, 255, 262)),
)
ON_PATHS = (Operation.EXEC, Operation.MAP, Operation.READ, Operation.WRITE)


@cache
def matched_paths(target: Pattern) -> tuple[bytes, ...]:
    """The paths of the small world that a pattern matches."""
    return tuple(path for path in WORLD if matches(target, path))


@st.composite
def accesses(draw: st.DrawFn, rule_set: RuleSet) -> Access:
    """An access of the small world; mostly to something that a rule of the set speaks of."""
    subject = draw(subjects)
    aim = draw(st.sampled_from([one for one in rule_set.rules if not one.base]))
    if aim.section is Section.NETWORK:
        return subject, Operation.NETWORK, draw(sockets)
    if aim.section is Section.CAPABILITIES:
        return subject, Operation.CAPABILITY, CapabilityObject(draw(st.sampled_from((0, 13, 21, 40))))
    aimed = matched_paths(aim.target) or WORLD
    names = draw(st.sampled_from((1, 1, 1, 1, 1, 1, 0, 2)))
    obj = FileObject(
        tuple(draw(st.sampled_from(aimed) if i == 0 else paths) for i in range(names)),
        owned=draw(st.booleans()),
        fresh_mount=draw(st.sampled_from((False, False, False, True))),
    )
    return subject, draw(st.sampled_from(ON_PATHS)), obj


@st.composite
def scenes(draw: st.DrawFn) -> tuple[RuleSet, list[Access]]:
    """A rule set and what happens under it."""
    rule_set = draw(rule_sets())
    return rule_set, draw(st.lists(accesses(rule_set), min_size=12, max_size=12))
