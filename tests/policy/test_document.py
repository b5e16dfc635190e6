# SPDX-License-Identifier: Apache-2.0
"""YAML text becomes nodes that know their place; what YAML is not is refused at its place."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hauberk.policy import document
from hauberk.policy.document import (
    MAX_DEPTH,
    MAX_DOCUMENTS,
    MAX_FILE_BYTES,
    MAX_NODES,
    Budget,
    DocumentError,
    Mapping,
    Node,
    Scalar,
    Sequence,
    read_documents,
)

Complaint = tuple[int, int, str, str]


def read(data: bytes | str, budget: int = 1_000_000) -> tuple[list[Node], list[Complaint]]:
    complaints: list[Complaint] = []
    text = data.encode() if isinstance(data, str) else data
    nodes = list(read_documents(text, lambda *complaint: complaints.append(complaint), Budget(budget)))
    return nodes, complaints


def plain(node: Node) -> Any:
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {name: plain(entry.value) for name, entry in node.entries.items()}


def one(data: bytes | str) -> Any:
    nodes, complaints = read(data)
    assert complaints == []
    (node,) = nodes
    return plain(node)


def refused(data: bytes | str, budget: int = 1_000_000) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read(data, budget)
    return caught.value


def test_lists_mappings_and_values_come_out_as_written() -> None:
    text = "a: [1, yes, 'yes', ~]\nb:\n  c: |\n    x\n    y\n  d: !!str 5\n  e: ! 5\n"
    assert one(text) == {"a": [1, True, "yes", None], "b": {"c": "x\ny\n", "d": "5", "e": "5"}}


def test_json_is_yaml() -> None:
    assert one('{"a": [1, true, null, "x\\u00e9"], "b": {}}') == {"a": [1, True, None, "xé"], "b": {}}


def test_every_node_and_every_key_knows_its_line_and_column() -> None:
    ((root,), _) = read("\n\nkey:\n  - one\n  - two: x\n")
    assert isinstance(root, Mapping)
    entry = root.entries["key"]
    assert (root.line, root.column, entry.line, entry.column) == (3, 1, 3, 1)
    assert isinstance(entry.value, Sequence)
    assert [(item.line, item.column) for item in entry.value.items] == [(4, 5), (5, 5)]


def test_documents_are_separate_and_empty_ones_are_skipped() -> None:
    nodes, complaints = read("---\n---\na: &x 1\n---\n# nothing\n---\nb: 2\n...\n")
    assert complaints == []
    assert [plain(node) for node in nodes] == [{"a": 1}, {"b": 2}]


def test_an_anchor_ends_with_its_document() -> None:
    assert "refers to no anchor" in refused("a: &x 1\n---\nb: *x\n").message


def test_an_alias_is_what_it_stands_for() -> None:
    assert one("a: &x {b: [1]}\nc: *x\nd: [*x, *x]") == {
        "a": {"b": [1]},
        "c": {"b": [1]},
        "d": [{"b": [1]}, {"b": [1]}],
    }


def test_merged_fields_give_way_to_written_ones_and_to_earlier_merges() -> None:
    text = "base: &b {x: 1, b: 1}\nmore: &m {b: 2, z: 2}\nall: {<<: [*b, *m], x: 0}\n"
    assert one(text)["all"] == {"x": 0, "b": 1, "z": 2}


def test_a_quoted_merge_sign_is_a_field() -> None:
    assert one("'<<': 1") == {"<<": 1}


def test_merging_something_else_is_a_complaint() -> None:
    assert [complaint[:3] for complaint in read("a: 1\n<<: [1]\n")[1]] == [
        (2, 5, "`<<` merges mappings, and this is none")
    ]


def test_a_field_that_is_there_twice_is_a_complaint_with_both_lines() -> None:
    nodes, complaints = read("a: 1\nb: 2\na: 3\nyes: 1\n'true': 2\n1: x\n'1': y\n")
    assert [(line, column) for line, column, _, _ in complaints] == [(3, 1), (5, 1), (7, 1)]
    assert "first on line 1" in complaints[0][2]
    assert plain(nodes[0]) == {"a": 1, "b": 2, "true": 1, "1": "x"}


@pytest.mark.parametrize("text", ["[a]: 1", "{a: b}: 1", "~: 1", "? [a]\n: 1"])
def test_a_key_must_be_a_text(text: str) -> None:
    _, complaints = read(text)
    assert [complaint[2] for complaint in complaints] == ["a field's name must be a text"]


@pytest.mark.parametrize("text", ["!foo x", "!!binary eA==", "!!int x", "!!set {a}", "!foo [a]"])
def test_unknown_tags_are_complaints(text: str) -> None:
    _, complaints = read(text)
    assert len(complaints) == 1
    assert "tag" in complaints[0][2]


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (b"a: b\nc: \xff", 2, 4, "byte 0xff is not valid UTF-8"),
        (b"a: \xc3\xa9 \xe2\x82", 1, 6, "byte 0xe2 is not valid UTF-8"),
        (b"\xff\xfea\0", 1, 1, "byte 0xff is not valid UTF-8"),
        (b"a: b\n\0", 2, 1, "a NUL character is not allowed in YAML"),
        (b"a: \x07", 1, 4, "the control character U+0007 is not allowed in YAML"),
        (b"a: &x [*x]", 1, 8, "`*x` refers to the value that it is a part of"),
        (b"a: *x", 1, 4, "`*x` refers to no anchor"),
    ],
)
def test_what_yaml_is_not_is_refused_at_its_place(data: bytes, line: int, column: int, message: str) -> None:
    error = refused(data)
    assert (error.line, error.column, error.message) == (line, column, message)


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a:\n\tb: 1", 2, "spaces, not tabs"),
        ("a: *.conf", 1, "quote a text"),
        ("a: @x", 1, "quote a text"),
        ("a: b: c", 1, "quote a text that contains `: `"),
        ("a: 1\n b: 2", 2, ""),
        ("a: [1, 2", 2, "indentation"),
        ("a: 'x", 1, ""),
        ('a: "\\ud800"', 1, ""),
        ("a: 1\n- b\n", 2, "indentation"),
    ],
)
def test_broken_syntax_is_refused_with_its_line_and_a_hint(text: str, line: int, hint: str) -> None:
    error = refused(text)
    assert error.line == line
    assert error.message.startswith("not valid YAML: ")
    assert hint in error.remedy


def test_a_byte_order_mark_is_no_text() -> None:
    assert one(b"\xef\xbb\xbfa: 1") == {"a": 1}


def test_documents_before_broken_syntax_are_read() -> None:
    reader = read_documents(b"a: 1\n---\nb: [\n", lambda *_: None, Budget(100))
    assert plain(next(reader)) == {"a": 1}
    with pytest.raises(DocumentError):
        next(reader)


def test_a_file_may_be_as_large_as_the_bound_and_no_larger() -> None:
    assert one(b"a: '" + b"x" * (MAX_FILE_BYTES - 5) + b"'") == {"a": "x" * (MAX_FILE_BYTES - 5)}
    assert "larger than 4 MiB" in refused(b"#" * (MAX_FILE_BYTES + 1)).message


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
def test_depth_may_reach_the_bound_and_not_pass_it(opening: str, closing: str) -> None:
    read(opening * MAX_DEPTH + "x" + closing * MAX_DEPTH)
    error = refused(opening * (MAX_DEPTH + 1))
    assert error.message == f"nested deeper than {MAX_DEPTH} levels"
    assert error.column == len(opening) * MAX_DEPTH + 1


def test_depth_through_aliases_counts() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, MAX_DEPTH + 1))
    assert "through the alias" in refused(chain).message


def test_values_may_reach_the_bound_and_not_pass_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_NODES", 6)
    assert one("{a: [1, 2, 3]}") == {"a": [1, 2, 3]}
    assert refused("{a: [1, 2, 3, 4]}").message == "the file has more than 6 values"


def test_an_alias_counts_as_what_it_stands_for() -> None:
    doubling = "a0: &a0 [x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 20)
    )
    assert f"stand for more than {MAX_NODES} values" in refused(doubling).message


def test_documents_may_reach_the_bound_and_not_pass_it() -> None:
    assert read("---\n" * MAX_DOCUMENTS) == ([], [])
    assert "documents" in refused("---\n" * (MAX_DOCUMENTS + 1)).message


def test_the_budget_is_shared_by_all_files() -> None:
    assert "all files together have more than 3 values" in refused("[1, 2, 3]", budget=3).message


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    # Single letters that are truth values for the API server, and that PyYAML writes without quotes.
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"))).filter(
        lambda text: text not in ("y", "Y", "n", "N")
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_json.filter(lambda value: value is not None), st.booleans())
def test_what_a_yaml_writer_writes_is_read_back(value: Any, flow: bool) -> None:
    text = yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=flow, allow_unicode=True)
    assert one(text) == value
