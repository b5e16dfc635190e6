# SPDX-License-Identifier: Apache-2.0
"""What looks like a secret is masked, what does not is left, and no argument makes it take long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.events.mask import DEFAULTS, LONGEST, Mask, fault_of


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("mysql|--password=a b|-h|db", "mysql|--password=***|-h|db"),
        ("x|--db-password|s3 cret|-v", "x|--db-password|***|-v"),
        ("x|-token=s", "x|-token=***"),
        ("curl|-H|Authorization: Bearer abc.def", "curl|-H|Authorization: ***"),
        ("curl|-H|authorization:Basic YTpi", "curl|-H|authorization:***"),
        ("curl|-u|bob:pw|x", "curl|-u|bob:***|x"),
        ("curl|--user=bob:pw", "curl|--user=bob:***"),
        ("git|clone|https://u:p%40@host/x", "git|clone|https://u:***@host/x"),
        ("curl|https://host/?a=1&access_key=zzz&b=2", "curl|https://host/?a=1&access_key=***&b=2"),
        ("env|DB_PASSWORD=hunter2|PGPASSWD=x|sh", "env|DB_PASSWORD=***|PGPASSWD=***|sh"),
        ("env|AWS_SECRET_ACCESS_KEY=a/b+c", "env|AWS_SECRET_ACCESS_KEY=***"),
        ("aws|AKIAIOSFODNN7EXAMPLE", "aws|***"),
        ('x|{"client_secret": "x y", "n": 1}', 'x|{"client_secret": "***", "n": 1}'),
        ("sh|-c|mysql --password='a b' -e x", "sh|-c|mysql --password='***' -e x"),
        ("sshpass|-p|pw|ssh|h", "sshpass|-p|***|ssh|h"),
        (f"gh|ghp_{'a' * 36}", "gh|***"),
        ("x|eyJhbGciOiJI.eyJzdWIiOiIx.sig", "x|***"),
    ],
)
def test_secrets_are_masked(words: str, masked: str) -> None:
    assert Mask().apply(tuple(words.split("|"))) == tuple(masked.split("|"))


@pytest.mark.parametrize(
    "words",
    [
        "ls|-l|/tmp",
        "app|--token-file|/run/token|--password-file=/run/pw",
        "cat|/etc/passwd",
        "x|--password",
        "ssh-keygen|-t|ed25519|-f|key",
        "curl|https://host:443/a@b",
        "nginx|-g|daemon off;",
        "",
    ],
)
def test_what_is_no_secret_is_left(words: str) -> None:
    assert Mask().apply(tuple(words.split("|"))) == tuple(words.split("|"))


def test_patterns_of_ones_own_mask_their_groups_or_all() -> None:
    mask = Mask([r"(?m)^--pin\n(.+)$", "corp-[0-9]+", r"(a)b(c)"])
    assert mask.apply(("x", "--pin", "1 2", "corp-77x", "abc")) == ("x", "--pin", "***", "***x", "***b***")
    assert mask.apply(("x", "--password=y")) == ("x", "--password=y")
    assert Mask(["default", "corp-[0-9]+"]).apply(("corp-7", "--password=y")) == ("***", "--password=***")
    assert Mask([]).apply(("--password=y",)) == ("--password=y",)


def test_a_match_over_several_arguments_leaves_their_number() -> None:
    assert Mask([r"(?s)a.*d"]).apply(("xa", "b", "c d", "e")) == ("x***", "***", "***", "e")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(.*a){20}b", *DEFAULTS])
@pytest.mark.parametrize("text", ["a" * 4095 + "!", "password" * 500, "--" * 2000 + "token", "eyJ" * 1365])
def test_no_argument_makes_a_pattern_take_long(pattern: str, text: str) -> None:
    """An engine that goes back and forth would not end the first ones in years."""
    Mask([pattern]).apply((text, text[::-1]))


@given(
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=5).map(
        tuple
    )
)
def test_there_are_as_many_arguments_afterwards(words: tuple[str, ...]) -> None:
    masked = Mask().apply(words)
    assert len(masked) == len(words)
    assert Mask().apply(masked) == masked


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(", "missing ): ("),
        ("(?=x)", "invalid perl operator: (?="),
        ("a*", "matches an empty text"),
        ("x" * (LONGEST + 1), f"has more than {LONGEST} characters"),
        ("corp-[0-9]+", ""),
    ],
)
def test_a_pattern_that_cannot_be_used_has_a_fault_in_words(pattern: str, fault: str) -> None:
    assert fault_of(pattern) == fault
