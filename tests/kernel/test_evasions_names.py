# SPDX-License-Identifier: Apache-2.0
"""Other names for a file, and other ways to it: a rule speaks of the file, whatever the accessor calls it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.arena import Arena
from tests.kernel.helpers.evasion import Evasion, Pair, Trial, pair, trials

LONG = "d" * 255
DEEP = 30

EVASIONS = (
    # paths
    Evasion("plain", "file", "!read {v}/secret"),
    Evasion("relative", "file", "chdir {v} ; !read secret ; !read ./secret ; !read ../vault/secret"),
    Evasion("doubled-slashes", "file", "!read {v}//./secret ; !read //{v}/../vault///secret"),
    Evasion("symlink-to-directory", "file", "symlink {v} {o}/way ; !read {o}/way/secret ; !read {o}/way/../vault/secret"),
    Evasion("symlink-to-file", "file", "symlink {v}/secret {o}/way ; !read {o}/way ; symlink way {o}/two ; !read {o}/two"),
    Evasion("symlink-by-proc", "file", "symlink /proc/self/root{v} {o}/way ; !read {o}/way/secret"),
    Evasion("proc-root", "file", "!read /proc/self/root{v}/secret ; !read /proc/1/root{v}/secret"),
    Evasion("proc-cwd", "file", "chdir {v} ; !read /proc/self/cwd/secret ; !read /proc/thread-self/cwd/secret"),
    Evasion("path-descriptor", "file", "opath {v}/secret ; !reopen"),
    Evasion("path-descriptor-of-directory", "file", "opath {v} ; !readat secret ; !reopen secret ; !readat ../vault/secret"),
    Evasion("openat2-in-root", "file", "opath {v} ; !read-in-root /secret"),
    Evasion("chroot", "file", "chroot {v} ; !read /secret"),
    Evasion("chroot-above", "file", "chroot {v}/.. ; !read /vault/secret"),
    # the object and not its name
    Evasion("hard-link", "file", "!link {v}/secret {o}/other"),
    Evasion("hard-link-of-descriptor", "file", "opath {v}/secret ; !link-held {o}/other"),
    Evasion("hard-link-of-read-only", "fixed", "!link {v}/secret {o}/other"),
    Evasion("hard-link-of-program", "program", "!link {v}/prog {o}/prog", because="ProtectedPath"),
    Evasion("rename", "file", "!rename {v}/secret {o}/other"),
    Evasion("rename-of-program", "program", "!rename {v}/prog {o}/prog", because="ProtectedPath"),
    Evasion("rename-of-directory", "file", "!rename {v} {o}/vault", because="ProtectedPath"),
    Evasion("rename-of-directory-of-program", "program", "!rename {v} {o}/vault", because="ProtectedPath"),
    Evasion("exchange", "file", "create {o}/other ; !exchange {v}/secret {o}/other"),
    Evasion("exchange-the-other-way", "file", "create {o}/other ; !exchange {o}/other {v}/secret", because="ProtectedPath"),
    Evasion("exchange-of-directories", "file", "!exchange {o} {v}", because="ProtectedPath"),
    Evasion("exchange-of-program", "program", "create {o}/other ; !exchange {o}/other {v}/prog", because="ProtectedPath"),
    Evasion("nameless-file-in-vault", "tree", "!tmpfile {v}", places=("tmp",)),
    Evasion("rename-into-vault", "tree", "create {o}/new ; !rename {o}/new {v}/new"),
    # long and deep
    Evasion("deep", "tree", f"chdir {{v}} ; descend {DEEP} 3 ; !read secret", before=f"chdir {{v}} ; dig {DEEP} 3 ; put secret x"),
    Evasion("deep-by-pattern", "named", f"chdir {{v}} ; descend {DEEP} 3 ; !read secret", before=f"chdir {{v}} ; dig {DEEP} 3 ; put secret x"),
    Evasion("long-names", "tree", "chdir {v} ; descend 20 255 ; !read secret", before="chdir {v} ; dig 20 255 ; put secret x"),
    Evasion("long-name", "named", f"!read {{v}}/{LONG}/secret", before=f"mkdir {{v}}/{LONG} ; put {{v}}/{LONG}/secret x"),
    Evasion("beyond-path-max", "tree", "chdir {v} ; descend 600 8 ; !read secret ; !append secret ; !chmod secret",
            before="chdir {v} ; dig 600 8 ; put secret x", places=("tmp",)),
    Evasion("beyond-path-max-by-pattern", "named", "chdir {v} ; descend 600 8 ; !read secret",
            before="chdir {v} ; dig 600 8 ; put secret x"),
    Evasion("2600-directories", "named", "chdir {v} ; descend 2600 1 ; !read secret",
            before="chdir {v} ; dig 2600 1 ; put secret x"),
    Evasion("4500-directories", "tree", "chdir {v} ; descend 4500 1 ; !read secret",
            before="chdir {v} ; dig 4500 1 ; put secret x", places=("tmp",)),
    # more than is kept of a path: what a pattern would say of its end cannot be known
    Evasion("4500-directories-by-pattern", "named", "chdir {v} ; descend 4500 1 ; !read secret", because="UnknownObject",
            before="chdir {v} ; dig 4500 1 ; put secret x", places=("tmp",)),
)  # fmt: skip

TRIALS = trials(EVASIONS)


@pytest.fixture(scope="module")
def sessions(arena: Arena, act: Path) -> Iterator[Pair]:
    with pair(arena, act, TRIALS) as both:
        yield both


@pytest.mark.parametrize("trial", TRIALS)
def test_another_way_to_a_file_is_refused(sessions: Pair, trial: Trial) -> None:
    sessions.check(trial)
