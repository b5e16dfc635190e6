# SPDX-License-Identifier: Apache-2.0
"""What patterns match, one sentence a case, by the naive matcher and by the automaton alike."""

import pytest

from hauberk.automaton.dfa import compile_patterns
from hauberk.automaton.errors import PatternError
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches

CASES: list[tuple[str, Pattern, list[bytes], list[bytes]]] = [
    (
        "an exact path is itself only",
        Exact(b"/etc/passwd"),
        [b"/etc/passwd"],
        [b"/etc/passwd2", b"/etc", b"etc/passwd"],
    ),
    ("a slash at the end of an exact path is dropped", Exact(b"/etc/"), [b"/etc"], [b"/etc/", b"/etc/x"]),
    ("repeated slashes are one", Exact(b"//usr///bin/id"), [b"/usr/bin/id"], [b"//usr///bin/id"]),
    ("the exact root directory is the empty path", Exact(b"/"), [b""], [b"/", b"/a"]),
    ("an exact name may be no path", Exact(b"memfd:x"), [b"memfd:x"], [b"/memfd:x", b"memfd:"]),
    (
        "a directory covers itself and its entries",
        Directory(b"/etc/"),
        [b"/etc", b"/etc/x"],
        [b"/etc/x/y", b"/etcx", b"/et", b"", b"/x/etc"],
    ),
    (
        "a recursive directory covers all below it",
        Directory(b"/etc", True),
        [b"/etc", b"/etc/x", b"/etc/x/y/z"],
        [b"/etcetera", b"/", b"/x/etc/y"],
    ),
    (
        "the root directory covers itself and its entries",
        Directory(b"/"),
        [b"", b"/bin"],
        [b"/bin/sh", b"memfd:x"],
    ),
    (
        "the recursive root covers every path",
        Directory(b"/", True),
        [b"", b"/a", b"/a/b/c"],
        [b"memfd:x", b"a"],
    ),
    (
        "a name is the last component",
        Name(b"sh"),
        [b"/sh", b"/bin/sh", b"/a/b/sh"],
        [b"/bin/bash", b"/sh/x", b"sh", b"/x-sh"],
    ),
    ("a star stays within a component", Glob(b"/a/*.c"), [b"/a/x.c", b"/a/.c"], [b"/a/b/x.c", b"/a/x.cc"]),
    ("a star for a whole component wants a byte", Glob(b"/a/*"), [b"/a/x"], [b"/a", b"/a/", b"/a/x/y"]),
    ("a star between slashes wants a byte", Glob(b"/a/*/c"), [b"/a/b/c"], [b"/a//c", b"/a/c"]),
    ("a star after other text may be nothing", Glob(b"/a*"), [b"/a", b"/abc"], [b"/a/b", b"/b"]),
    ("two stars cross slashes", Glob(b"/foo/**"), [b"/foo/x", b"/foo/x/y"], [b"/foo", b"/foo/", b"/foobar"]),
    (
        "two stars between slashes want a component",
        Glob(b"/**/x"),
        [b"/a/x", b"/a/b/x"],
        [b"/x", b"//x", b"/ax"],
    ),
    (
        "two stars after other text may be nothing",
        Glob(b"/foo**"),
        [b"/foo", b"/foobar", b"/foo/x"],
        [b"/fo"],
    ),
    ("three stars are two", Glob(b"/a***b"), [b"/ab", b"/a/b", b"/axb"], [b"/a"]),
    (
        "a question mark is one byte but no slash",
        Glob(b"/a?c"),
        [b"/abc", b"/a\xffc"],
        [b"/a/c", b"/ac", b"/abbc"],
    ),
    ("a set is one of its bytes", Glob(b"/[a-cx]"), [b"/a", b"/c", b"/x"], [b"/d", b"/ab", b"/"]),
    ("a set never matches a slash", Glob(b"/a[.-0]b"), [b"/a.b", b"/a0b"], [b"/a/b"]),
    (
        "a negated set never matches a slash",
        Glob(b"/a[^x]b"),
        [b"/aab", b"/a\x01b"],
        [b"/axb", b"/a/b", b"/ab"],
    ),
    ("a hyphen at the edge of a set is itself", Glob(b"/[-a][b-]"), [b"/-b", b"/a-"], [b"/b-"]),
    ("a backslash in a set is no member", Glob(rb"/[\]\-\\]"), [b"/]", b"/-", b"/\\"], [b"/a", b"/["]),
    (
        "stars and braces in a set are themselves",
        Glob(b"/[*?{,}]"),
        [b"/*", b"/?", b"/{", b"/,", b"/}"],
        [b"/a"],
    ),
    ("alternatives", Glob(b"/{usr,opt}/x"), [b"/usr/x", b"/opt/x"], [b"/usropt/x", b"/x"]),
    ("nested alternatives", Glob(b"/{a,b{c,d}}e"), [b"/ae", b"/bce", b"/bde"], [b"/be", b"/ce"]),
    ("an empty alternative", Glob(b"/usr/{,local/}bin"), [b"/usr/bin", b"/usr/local/bin"], [b"/usr/local"]),
    ("empty alternatives only", Glob(b"/a{,}b"), [b"/ab"], [b"/a,b", b"/a"]),
    ("wildcards in alternatives", Glob(b"/{a*,b/**}c"), [b"/ac", b"/axc", b"/b/x/c"], [b"/a/c", b"/bc"]),
    ("a comma outside of braces is itself", Glob(b"/a,b"), [b"/a,b"], [b"/a", b"b"]),
    ("a backslash takes the meaning away", Glob(rb"/\*\?\[\{\\"), [b"/*?[{\\"], [b"/ab[{\\"]),
    ("repeated slashes in a glob are one", Glob(b"//a//*"), [b"/a/x"], [b"//a//x"]),
    ("a glob for a directory is its path", Glob(b"/a/"), [b"/a", b"/a/"], [b"/a/b"]),
    ("a glob for directories at any depth", Glob(b"/a/**/"), [b"/a/b", b"/a/b/c"], [b"/a"]),
    (
        "a directory and all below it, as AppArmor writes it",
        Glob(b"/a/{,**}"),
        [b"/a", b"/a/b", b"/a/b/c"],
        [b"/ab"],
    ),
    ("the root directory as a glob", Glob(b"/"), [b"", b"/"], [b"/a"]),
    (
        "a glob for names that are no paths",
        Glob(b"memfd:*"),
        [b"memfd:", b"memfd:x"],
        [b"memfd:a/b", b"/memfd:x"],
    ),
    ("bytes above 127", Glob(b"/[\x80-\xff]*"), [b"/\xc3\xa4"], [b"/a\xc3"]),
    ("a newline is a byte like others", Glob(b"/a?**"), [b"/a\n", b"/a\n\n/\n"], [b"/a"]),
]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_pattern_matches_what_its_kind_says(pattern: Pattern, yes: list[bytes], no: list[bytes]) -> None:
    automaton = compile_patterns([pattern])
    for path in yes:
        assert matches(pattern, path), path
        assert automaton.match(path) == {0}, path
    for path in no:
        assert not matches(pattern, path), path
        assert not automaton.match(path), path


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        (b"/a/{b,c*", 3, "add '}'"),
        (b"/a/{b{c,d}", 3, "add '}'"),
        (b"/a}", 2, r"'\}'"),
        (b"/a]", 2, r"'\]'"),
        (b"/a[bc", 2, "add ']'"),
        (b"/a[", 2, "add ']'"),
        (b"/a[]", 2, r"'\]'"),
        (b"/[/]", 1, "outside"),
        (b"/[z-a]", 2, "lower"),
        (b"/a\\", 2, r"'\\'"),
        (rb"/\t", 1, "character itself"),
        (rb"/[\1]", 2, "character itself"),
        (b"/x\0", 2, "remove"),
        (b"//x//y}", 6, r"'\}'"),
        (b"/x/@{HOME}", 3, r"'@\{'"),
        (b"@{HOME}/x", 0, "variables"),
        (b"{/a,/b}", 0, "'/{usr,opt}/bin'"),
        (b"*.sh", 0, "'/**/*.sh'"),
        (b"**/x", 0, "'/**/x'"),
        (b"bin/", 0, "'/**/NAME'"),
        (b"", 0, "'/**/NAME'"),
        (b"/" + b"{," * 50 + b"}" * 50, 99, "several"),
        (b"/home/{user}/x", 6, "alone"),
        (b"/a{}", 2, "alone"),
        (b"/" + b"a" * 4096, 4096, "several"),
    ],
)
def test_a_malformed_glob_is_refused_with_the_place_and_a_remedy(
    text: bytes, position: int, hint: str
) -> None:
    with pytest.raises(PatternError) as caught:
        Glob(text)
    assert (caught.value.text, caught.value.position) == (text, position)
    assert hint in caught.value.hint == caught.value.remedy
    assert f"position {position}: " in caught.value.message


@pytest.mark.parametrize(("name", "position"), [(b"", 0), (b"bin/sh", 3), (b"a\0", 1)])
def test_a_name_is_one_component(name: bytes, position: int) -> None:
    with pytest.raises(PatternError) as caught:
        Name(name)
    assert caught.value.position == position


def test_a_path_has_no_nul() -> None:
    with pytest.raises(PatternError):
        Exact(b"/a\0b")
    with pytest.raises(PatternError):
        Directory(b"/a\0b/")


def test_a_directory_is_absolute() -> None:
    with pytest.raises(PatternError, match="begins with"):
        Directory(b"etc/")


def test_spellings_of_one_path_are_equal() -> None:
    assert Directory(b"/etc//ssl/") == Directory(b"/etc/ssl")
    assert Exact(b"/etc/") == Exact(b"//etc")
    assert len({Exact(b"/"), Exact(b"")}) == 1


def test_what_is_told_of_a_malformed_glob_can_be_printed() -> None:
    with pytest.raises(PatternError) as caught:
        Glob(b"x\x1b[2J\n")
    assert caught.value.message.isprintable()
    assert caught.value.hint.isprintable()
