# SPDX-License-Identifier: Apache-2.0
"""Each policy's own text says what the policy says, as its author wrote it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.errors import HauberkError
from hauberk.policy import texts
from hauberk.policy.load import load_text, load_texts
from hauberk.policy.texts import texts_of

HEAD = "apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\n"


def document(name: str, more: str = "") -> str:
    return f"{HEAD}metadata: {{name: {name}}}\n{more}"


def split(text: str) -> list[str]:
    loaded = load_text(text)
    assert not loaded.faults
    return texts_of(text, loaded.policies)


def test_a_file_of_one_policy_is_its_text() -> None:
    text = "# who\n" + document("a", "# why\n")
    assert split(text) == [text]


def test_documents_are_cut_where_they_end_with_the_comments_above_them() -> None:
    text = f"# 1\n{document('a')}---\n---\n# 2\n\n{document('b')}...\n# between\n---  # 3\n{document('c')}"
    assert split(text) == [f"# 1\n{document('a')}", f"# 2\n\n{document('b')}", document("c")]


def test_what_looks_like_a_marker_inside_of_a_text_is_none() -> None:
    text = document("a", "spec:\n  message: |\n    ---\n    ...\n  tags: ['--- x']\n")
    assert split(text) == [text]


def test_a_document_may_begin_behind_its_marker() -> None:
    inline = "--- {apiVersion: security.kubearmor.com/v1, kind: KubeArmorPolicy, metadata: {name: b}}\n"
    assert split(f"{document('a')}{inline}") == [document("a"), inline]


def test_items_of_a_list_are_written_as_documents_with_what_they_refer_to() -> None:
    items = document("a", "spec: &s {message: 'it''s'}\n"), document("b", "spec: *s\n")
    text = "apiVersion: v1\nkind: List\nitems:\n"
    for item in items:
        text += "-\n" + "".join(f"  {line}\n" for line in item.splitlines())
    first, second = split(text)
    assert "message: 'it''s'" in first
    assert "message: 'it''s'" in second
    assert load_text(second).policies == load_text(text).policies[1:]


def test_items_that_stand_for_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_WRITTEN", 1000)

    def item(name: str, spec: str) -> str:
        return (
            "- {apiVersion: security.kubearmor.com/v1, kind: KubeArmorPolicy, "
            f"metadata: {{name: {name}}}, spec: {spec}}}\n"
        )

    text = "kind: List\nitems:\n" + item("a", f"&s {{message: {300 * 'x'}}}") + item("b", "*s")
    assert len(split(text)) == 2
    with pytest.raises(HauberkError, match="the items of a list stand for more than"):
        split(text + item("c", "*s"))


separators = st.sampled_from(
    ["---\n", "--- # x\n", "...\n---\n", "---\n\n# c\n", "---\n---\n", "\n--- !!map\n"]
)
breaks = st.sampled_from(["\n", "\r\n", "\r", "\x85", "\u2028"])
bodies = st.sampled_from(
    [
        "",
        "spec: {message: '---'}\n",
        "spec:\n  message: >-\n    ...\n    x\n  file: {matchPaths: [{path: /a}]}\n",
    ]
)


@settings(deadline=None)
@given(st.lists(st.tuples(separators, bodies), min_size=1, max_size=5), breaks, st.booleans())
def test_read_again_each_text_is_the_same_policy(
    parts: list[tuple[str, str]], line_break: str, mark: bool
) -> None:
    text = "".join(
        f"{separator}{document(f'p{number}', body)}" for number, (separator, body) in enumerate(parts)
    )
    # Before the first document there is none to end.
    text = ("\ufeff" if mark else "") + text.removeprefix("...\n").replace("\n", line_break)
    loaded = load_text(text)
    assert not loaded.faults
    found = texts_of(text, loaded.policies)
    assert [load_text(each).policies for each in found] == [(policy,) for policy in loaded.policies]


def test_texts_are_read_together_and_told_apart() -> None:
    one, other = load_texts([("1.yaml", document("a")), ("2.yaml", document("a") + "---\n" + document("b"))])
    assert [policy.name for policy in one.policies] == ["a"]
    assert [policy.name for policy in other.policies] == ["b"]
    assert one.faults == ()
    (fault,) = other.faults
    assert str(fault).startswith("2.yaml:1:1: metadata.name: there is already a KubeArmorPolicy of this name")
    assert [warning.file for warning in other.warnings] == ["2.yaml"]


def test_what_names_no_namespace_gets_the_one_that_is_said() -> None:
    texts_ = [("1.yaml", document("a")), ("2.yaml", HEAD + "metadata: {name: b, namespace: shop}\n")]
    assert [loaded.policies[0].namespace for loaded in load_texts(texts_, namespace="ns")] == ["ns", "shop"]
    assert load_texts(texts_)[0].policies[0].namespace == "default"
