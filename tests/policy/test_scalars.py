# SPDX-License-Identifier: Apache-2.0
"""Unquoted words mean what Kubernetes' YAML reader makes of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.policy.scalars import Value, key_text, resolve, resolve_tagged


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("On", True),
        ("y", True),
        ("TRUE", True),
        ("no", False),
        ("OFF", False),
        ("N", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b101", 5),
        ("010", 8),
        ("0o17", 15),
        ("0", 0),
        ("089", 89),
        ("18446744073709551615", 2**64 - 1),
        ("5.0", 5),
        ("5.5", 5.5),
        ("1e3", 1000),
        (".5", 0.5),
    ],
)
def test_a_word_is_what_kubernetes_takes_it_for(text: str, value: Value) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    ["yEs", "1:30", "2020-01-01", "2020-01-01T00:00:00Z", "/etc", "0x", "1e400", "-", "+", ".", "5KB", "٣"],
)
def test_anything_else_is_text(text: str) -> None:
    assert resolve(text) == text


def test_numbers_that_json_does_not_have_are_no_text_either() -> None:
    assert resolve(".inf") == math.inf
    assert resolve("-.Inf") == -math.inf
    assert math.isnan(resolve(".nan"))


def test_digits_without_end_are_not_counted() -> None:
    assert resolve("9" * 1_000_000) == "9" * 1_000_000


@pytest.mark.parametrize(
    ("value", "name"), [("a", "a"), (True, "true"), (False, "false"), (5, "5"), (1.5, "1.5")]
)
def test_a_key_is_written_as_in_json(value: Value, name: str) -> None:
    assert key_text(value) == name


def test_nothing_is_no_key() -> None:
    assert key_text(None) is None


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [("str", "5", "5"), ("int", "5", 5), ("float", "5", 5), ("bool", "yes", True), ("null", "~", None)],
)
def test_an_explicit_tag_decides(tag: str, text: str, value: Value) -> None:
    assert resolve_tagged(f"tag:yaml.org,2002:{tag}", text) == value


@pytest.mark.parametrize(
    ("tag", "text"), [("int", "x"), ("bool", "5"), ("null", "x"), ("float", "yes"), ("binary", "eA==")]
)
def test_a_tag_that_does_not_fit_is_refused(tag: str, text: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        resolve_tagged(f"tag:yaml.org,2002:{tag}", text)


@given(st.text(max_size=80))
def test_every_text_resolves_to_a_value_of_json(text: str) -> None:
    value = resolve(text)
    assert value is None or isinstance(value, (str, bool, int, float))
    assert not isinstance(value, str) or value == text


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_decimal_integers_are_themselves(number: int) -> None:
    assert resolve(str(number)) == number
