# SPDX-License-Identifier: Apache-2.0
"""Going elsewhere: namespaces, roots and mounts change what a task sees, not what a rule speaks of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.rules.model import Section
from tests.kernel.arena import BLOCK, Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.helpers.evasion import Evasion, Pair, Trial, pair, trials

READ = "!read {v}/secret"

EVASIONS = (
    *(
        Evasion(f"unshare-{each.replace(' ', '-')}", "file", f"unshare {each} ; fork ; {READ}")
        for each in ("user", "mount", "pid", "user mount", "user mount pid net ipc uts cgroup")
    ),
    Evasion("unshare-as-nobody", "file", f"setuid 65534 ; unshare user mount ; {READ}"),
    Evasion("setns-of-init", "file", f"unshare mount ; setns /proc/1/ns/mnt ; {READ}"),
    Evasion("setns-of-init-pid", "file", f"unshare pid ; fork ; setns /proc/1/ns/mnt ; fork ; {READ}"),
    Evasion("pivot-root", "file", "unshare mount ; bind {v} {v} ; pivot {v} ; !read /secret"),
    Evasion("pivot-root-in-user-namespace", "file", "unshare user mount ; bind {v} {v} ; pivot {v} ; !read /secret"),
    Evasion("chroot-in-user-namespace", "file", "unshare user mount ; chroot {v} ; !read /secret"),
    Evasion("bind-of-file", "file", "create {o}/file ; unshare mount ; bind {v}/secret {o}/file ; !read {o}/file"),
    Evasion("bind-of-directory", "file", "unshare mount ; bind {v} {o} ; !read {o}/secret ; !write {o}/secret"),
    Evasion("bind-of-ancestor", "file", "unshare mount ; bind {v}/.. {o} ; !read {o}/vault/secret"),
    Evasion("bind-of-root", "file", "unshare mount ; rbind / {o} ; !read {o}{v}/secret"),
    Evasion("bind-in-user-namespace", "file", "unshare user mount ; rbind {v} {o} ; !read {o}/secret"),
    Evasion("bind-of-program", "program", "unshare mount ; bind {v} {o} ; !execute {o}/prog"),
    Evasion("move-mount", "file", "unshare mount ; open-tree {v} ; move-held {o} ; !read {o}/secret"),
    Evasion("ms-move", "file", "mkdir {o}/a ; mkdir {o}/b ; unshare mount ; bind {v} {o}/a ; move {o}/a {o}/b ; !read {o}/b/secret"),
    Evasion("open-tree", "file", "open-tree {v} ; !readat secret ; !reopen secret"),
    Evasion("open-tree-of-file", "file", "open-tree {v}/secret ; !reopen"),
    Evasion("open-tree-of-root", "file", "open-tree / ; !readat .{v}/secret", places=("root",)),
    Evasion("open-tree-in-user-namespace", "file", "unshare user mount ; open-tree {v} ; !readat secret"),
    Evasion("open-tree-as-nobody", "file", "setuid 65534 ; unshare user mount ; open-tree {v} ; !readat secret"),
    Evasion("detached-mount", "file", "unshare mount ; bind {v} {o} ; opath {o} ; detach {o} ; !readat secret"),
    Evasion("tmpfs-over-ancestor", "file", "unshare mount ; opath {v} ; tmpfs {v}/.. ; !readat secret ; !reopen secret"),
    Evasion("tmpfs-over-vault", "file", "unshare mount ; opath {v}/secret ; tmpfs {v} ; !reopen"),
    Evasion("same-path-on-a-new-tmpfs", "tree", "unshare mount ; tmpfs {v} ; !create {v}/new"),
    Evasion("overlay", "file", "unshare mount ; !overlay {v} {o}", because="ProtectedPath"),
    Evasion("overlay-in-user-namespace", "file", "unshare user mount ; !overlay {v} {o}", because="ProtectedPath", places=("tmp",)),
    Evasion("overlay-mounted-nowhere", "file", "!fsmount-overlay {v}", because="ProtectedPath"),
    Evasion("overlay-of-ancestor", "file", "!fsmount-overlay {v}/..", because="ProtectedPath"),
)  # fmt: skip

TRIALS = trials(EVASIONS)


@pytest.fixture(scope="module")
def sessions(arena: Arena, act: Path) -> Iterator[Pair]:
    with pair(arena, act, TRIALS) as both:
        yield both


@pytest.mark.parametrize("trial", TRIALS)
def test_from_elsewhere_a_file_is_refused_as_before(sessions: Pair, trial: Trial) -> None:
    sessions.check(trial)


def test_what_overlayfs_opens_for_itself_is_no_access(arena: Arena, act: Path) -> None:
    """The root is an overlay here: reading, listing and changing (which copies up) are each seen once, by
    their own name."""
    lower = "/etc/debian_version"
    made = "/srv/overlay-made"
    rules = policy(
        action="Allow", file={"matchDirectories": [{"dir": "/etc/", "recursive": True}, {"dir": "/srv/"}]}
    )
    with Session(arena, act, rules, postures=BLOCK, visible=[Section.FILE]) as session:
        for script, path in (
            (f"read {lower}", lower),
            ("list /etc", "/etc"),
            (f"append {lower}", lower),
            (f"chmod {lower}", lower),
            (f"utimes {lower}", lower),
            (f"setxattr {lower}", lower),
            (f"create {made}", made),
            (f"rename {made} {made}2", made),
            (f"unlink {made}2", f"{made}2"),
        ):
            done = session.do(script)
            assert done.results == ["ok"]
            assert {record.verdict for record in done.records} == {3}, done.records
            names = [record.object.decode() for record in done.records]
            assert names[0] == path
            assert set(names) <= {path, f"{made}2"}
            assert len(names) == 1 + script.startswith(("create", "rename"))
