# SPDX-License-Identifier: Apache-2.0
"""The ancestors that every record names, those that have ended too."""

from hauberk.rules.model import Seen
from tests.kernel.arena import Arena, shell


def chain(arena: Arena, script: str) -> list[list[str]]:
    """The paths of the ancestors of each `cat` that a script runs."""
    ran = arena.run("", shell(script), visible=(Seen.FILE,))
    found = []
    for event in ran.alerts():
        if event.Hauberk.Call == "open" and event.Resource == "/etc/hostname":
            assert not event.Hauberk.AncestryTruncated
            found.append([each.Path for each in event.Hauberk.Ancestry])
    return found


def test_each_program_that_made_the_next_is_named(arena: Arena) -> None:
    assert chain(arena, "/bin/sh -c '/usr/bin/env /bin/cat /etc/hostname; true'; true") == [
        ["/usr/bin/env", "/bin/sh", "/bin/sh"]
    ]


def test_an_ancestor_that_has_ended_is_still_named(arena: Arena) -> None:
    script = "/bin/sh -c '(/bin/sleep 0.3; /bin/cat /etc/hostname) & exit 0'; /bin/sleep 1.5"
    assert chain(arena, script) == [["/bin/sh", "/bin/sh"]]


def test_a_fork_without_an_exec_has_its_program_as_the_nearest(arena: Arena) -> None:
    ran = arena.run("", shell("(: < /etc/hostname); : < /etc/hostname"), visible=(Seen.FILE,))
    opens = [e for e in ran.alerts() if e.Resource == "/etc/hostname"]
    forked, own = ([each.Path for each in event.Hauberk.Ancestry] for event in opens)
    assert (forked, own) == (["/bin/sh"], [])


def test_more_ancestors_than_a_record_holds_are_said_to_be_cut(arena: Arena) -> None:
    script = "/usr/bin/env " * 20 + "/bin/cat /etc/hostname"
    ran = arena.run("", shell(script), visible=(Seen.FILE,))
    (event,) = [e for e in ran.alerts() if e.Resource == "/etc/hostname"]
    assert [each.Path for each in event.Hauberk.Ancestry] == ["/usr/bin/env"] * 16
    assert event.Hauberk.AncestryTruncated


def test_many_short_lived_programs_leave_room_for_others(arena: Arena) -> None:
    before = arena.engine.counters()["no_lineage"]
    ran = arena.run("", shell("i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done"), timeout=120)
    assert ran.status == 0
    assert arena.engine.counters()["no_lineage"] == before
