# SPDX-License-Identifier: Apache-2.0
"""Links are followed as the workload would: as realpath(3) finds it inside, with absolute links kept below
the root."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.workloads.rootfs import resolver

NAMES = ("a", "b", "c")
components = st.sampled_from((*NAMES, "..", "."))
relative = st.lists(components, min_size=1, max_size=5).map("/".join)
targets = st.one_of(relative, relative.map("/".__add__))
# What a tree has at each place: a directory, or a link.
places = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(places, st.one_of(st.none(), targets), max_size=8)


def build(root: Path, tree: dict[str, str | None]) -> None:
    for place in sorted(tree, key=len):
        target, path = tree[place], root / place
        # Parents are made as directories unless a link took their place; what would lie outside is left out.
        if any((root / Path(*path.relative_to(root).parts[:n])).is_symlink() for n in range(1, 3)):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            continue
        if target is None:
            path.mkdir()
        else:
            path.symlink_to(target)


def oracle(root: Path, path: str, links: int = 0) -> str | None:
    """realpath in a chroot, by the standard library: one link at a time, and None for a loop."""
    done = "/"
    parts = path.split("/")
    for at, part in enumerate(parts):
        here = os.path.normpath(os.path.join(done, part))
        if os.path.islink(f"{root}{here}"):
            if links == 40:
                return None
            target = os.path.join(done, os.readlink(f"{root}{here}"))
            return oracle(root, os.path.join(target, *parts[at + 1 :]), links + 1)
        done = "/" if here == "//" else here
    return done


@given(trees, relative)
def test_a_path_resolves_as_it_would_in_a_chroot(tree: dict[str, str | None], path: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        build(root, tree)
        expected = oracle(root, "/" + path)
        found = resolver(os.fsencode(root))(os.fsencode("/" + path))
        if expected is None:
            assert found == os.fsencode("/" + path)
        else:
            assert found == os.fsencode(expected.rstrip("/"))


@given(st.lists(st.sampled_from((*NAMES, "..", "d", "up")), min_size=1, max_size=6).map("/".join))
def test_without_absolute_links_it_agrees_with_realpath(path: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "x", "y", "z")
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "c").symlink_to("b")
        (root / "b").symlink_to("a/b")
        (root / "d").symlink_to("nowhere/at/all")
        (root / "a" / "up").symlink_to("..")
        expected = os.path.realpath(f"{root}/{path}")
        found = os.fsdecode(resolver(os.fsencode(root))(os.fsencode("/" + path)))
        if (expected + "/").startswith(f"{root}/"):  # realpath leaves the root by `..`, the workload cannot
            assert found == expected.removeprefix(str(root))


def test_an_absolute_link_leads_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("/usr/bin")
    assert resolver(os.fsencode(tmp_path))(b"/bin/sleep") == b"/usr/bin/sleep"


def test_no_number_of_dots_leads_out(tmp_path: Path) -> None:
    (tmp_path / "escape").symlink_to("../../../../../../etc")
    resolve = resolver(os.fsencode(tmp_path))
    assert resolve(b"/escape/shadow") == b"/etc/shadow"
    assert resolve(b"/../..") == b""


@pytest.mark.parametrize("target", ["loop", "/loop", "other"])
def test_a_loop_is_left_as_it_is(tmp_path: Path, target: str) -> None:
    (tmp_path / "loop").symlink_to(target)
    (tmp_path / "other").symlink_to("loop")
    assert resolver(os.fsencode(tmp_path))(b"/loop/x") == b"/loop/x"


def test_the_root_is_empty_and_odd_names_do_no_harm(tmp_path: Path) -> None:
    resolve = resolver(os.fsencode(tmp_path))
    assert resolve(b"") == b""
    assert resolve(b"/" + b"n" * 300 + b"/x") == b"/" + b"n" * 300 + b"/x"
    assert resolve(b"/\xff\xfe") == b"/\xff\xfe"
