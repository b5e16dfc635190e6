# SPDX-License-Identifier: Apache-2.0
"""Regular expressions in Go's syntax mean what they mean in Go."""

import pytest

from hauberk.workbench.live.goregexp import RegexpError, compile_go

FOUND = (
    (r"sleep.*Permission denied", "bash: sleep: Permission denied"),
    (r"(?i)permission denied", "PERMISSION denied"),
    (r"a(?i)b|c", "C"),
    (r"(a(?i)b)c", "aBc"),
    (r"^end$", "end"),
    (r"(?m)^two$", "one\ntwo\nthree"),
    (r"a\z", "a"),
    (r"[[:alpha:]_]+[[:digit:]]", "ab_1"),
    (r"[^[:space:]]", "x"),
    (r"\Qa.b(\E", "a.b("),
    (r"\x{61}", "a"),
    (r"(?P<name>x)", "x"),
    (r"(?<name>x)", "x"),
    (r"a{,2}", "a{,2}"),
    (r"a{1,2}b", "aab"),
    (r"[]a]", "]"),
    (r"[a&&b]", "&"),
    (r"<html>((?:.*\r?\n?)*)</html>", "<html>\r\nmoved\r\n</html>"),
)
NOT_FOUND = (
    (r"^end$", "end\n"),
    (r"a(?i)b|c", "AB"),
    (r"(a(?i)b)c", "aBC"),
    (r"\d", "\u0661"),
    (r"\w", "\u00e9"),
    (r"\s", "\v"),
    (r"a.c", "a\nc"),
    (r"(?s:a)b.c", "ab\nc"),
)
REFUSED = (
    "(",
    ")",
    "a**",
    "a++",
    "(?=x)",
    "(?<=x)",
    r"(a)\1",
    "[a",
    "(?U)a+",
    r"\pL",
    "(?P<n>a)(?P<n>b)",
    "(?z)",
)


@pytest.mark.parametrize(("pattern", "text"), FOUND)
def test_is_found(pattern: str, text: str) -> None:
    assert compile_go(pattern).search(text)


@pytest.mark.parametrize(("pattern", "text"), NOT_FOUND)
def test_is_not_found(pattern: str, text: str) -> None:
    assert not compile_go(pattern).search(text)


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_go_refuses_or_python_cannot_do_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(RegexpError, match="is not a regular expression"):
        compile_go(pattern)
