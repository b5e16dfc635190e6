# SPDX-License-Identifier: Apache-2.0
"""Files, directories, standard input and lists become policies; all their faults are reported at once."""

import io
import os
import textwrap
from pathlib import Path

import pytest

from hauberk.policy import load as module
from hauberk.policy.faults import MAX_FAULTS, Fault, Severity
from hauberk.policy.load import Loaded, load, load_text

VERSION = "security.kubearmor.com/v1"


def policy(
    name: str, kind: str = "KubeArmorPolicy", spec: str = "{process: {matchPaths: [{path: /a}]}}"
) -> str:
    return f"apiVersion: {VERSION}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def names(loaded: Loaded) -> list[str]:
    return [each.name for each in loaded.policies]


def said(loaded: Loaded) -> list[tuple[str, int, str]]:
    return [(fault.file, fault.line, fault.field) for fault in loaded.faults]


def test_a_file_may_hold_several_policies(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(policy("a") + "---\n# empty\n---\n" + policy("b", "KubeArmorClusterPolicy"))
    loaded = load([file])
    assert loaded.faults == loaded.warnings == ()
    assert [(each.name, each.file, each.line) for each in loaded.policies] == [
        ("a", str(file), 1),
        ("b", str(file), 8),
    ]


def test_json_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(
        f'{{"apiVersion": "{VERSION}", "kind": "KubeArmorPolicy", "metadata": {{"name": "a"}},\n'
        '\t"spec": {"process": {"matchPaths": [{"path": "/a"}]}}}'
    )
    assert names(load([str(file)])) == ["a"]


def test_a_directory_stands_for_its_yaml_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(policy("second"))
    (tmp_path / "a.yaml").write_text(policy("first"))
    (tmp_path / "c.txt").write_text("no: policy")
    (tmp_path / "d.yaml").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "e.yaml").write_text(policy("below"))
    loaded = load([tmp_path])
    assert loaded.faults == ()
    assert names(loaded) == ["first", "second"]


def test_a_directory_without_yaml_files_is_a_fault(tmp_path: Path) -> None:
    (fault,) = load([tmp_path]).faults
    assert (fault.file, fault.line, fault.place) == (str(tmp_path), 0, str(tmp_path))
    assert "no *.yaml or *.yml file" in fault.message


def test_a_directory_with_too_many_files_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(policy(name))
    (fault,) = load([tmp_path]).faults
    assert "more than 2 policy files" in fault.message


def test_a_pipe_in_a_directory_is_a_fault_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.yaml")
    (fault,) = load([tmp_path]).faults
    assert fault.message == "is not a regular file"


def test_a_dash_is_standard_input() -> None:
    loaded = load(["-"], stdin=io.BytesIO(policy("a").encode()))
    assert [(each.name, each.file) for each in loaded.policies] == [("a", "<stdin>")]


def test_a_closed_standard_input_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    (fault,) = load(["-"]).faults
    assert (fault.file, fault.message) == ("<stdin>", "cannot be read: it is closed")


@pytest.mark.parametrize("name", ["missing.yaml", "dangling.yaml", "secret\0.yaml", "x" * 300])
def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path, name: str) -> None:
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "good.yaml").write_text(policy("good"))
    loaded = load([f"{tmp_path}/{name}", tmp_path / "good.yaml"])
    (fault,) = loaded.faults
    assert fault.message.startswith("cannot be read: ")
    assert str(fault).isprintable()
    assert names(loaded) == ["good"]


def test_a_device_without_end_is_read_no_further_than_the_bound() -> None:
    (fault,) = load(["/dev/zero"]).faults
    assert "larger than 4 MiB" in fault.message


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n", "null\n", "{kind: List, items: []}"])
def test_a_file_without_a_policy_is_a_fault(text: str) -> None:
    (fault,) = load_text(text).faults
    assert fault.message == "there is no policy in it"


def test_the_faults_of_all_files_and_documents_come_at_once(tmp_path: Path) -> None:
    bad = policy("bad", spec="{file: {matchPaths: [{path: a}, {path: b}]}}")
    (tmp_path / "a.yaml").write_text(bad + "---\n" + policy("good") + "---\n" + bad)
    (tmp_path / "b.yaml").write_text("a: [\n")
    loaded = load([tmp_path, tmp_path / "c.yaml"])
    a, b = str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")
    assert said(loaded) == [
        (a, 4, "spec.file.matchPaths[0].path"),
        (a, 4, "spec.file.matchPaths[1].path"),
        (a, 14, "spec.file.matchPaths[0].path"),
        (a, 14, "spec.file.matchPaths[1].path"),
        (b, 2, ""),
        (str(tmp_path / "c.yaml"), 0, ""),
    ]
    assert names(loaded) == ["good"]


def test_policies_before_broken_syntax_are_checked_too() -> None:
    loaded = load_text(policy("a", spec="{severity: 11}") + "---\nb: [\n")
    assert [fault.field for fault in loaded.faults] == ["spec.severity", ""]


@pytest.mark.parametrize(("version", "kind"), [("v1", "List"), (VERSION, "KubeArmorPolicyList")])
def test_the_items_of_a_list_are_policies(version: str, kind: str) -> None:
    items = "".join(f"- {textwrap.indent(policy(name), '  ').strip()}\n" for name in ("a", "b"))
    loaded = load_text(
        f"apiVersion: {version}\nkind: {kind}\nmetadata: {{resourceVersion: ''}}\nitems:\n{items}"
    )
    assert loaded.faults == ()
    assert [(each.name, each.line) for each in loaded.policies] == [("a", 5), ("b", 9)]
    assert loaded.policies[0].spec.process.match_paths[0].where == "spec.process.matchPaths[0]"


def test_the_faults_of_a_lists_items_say_which_item() -> None:
    bad = textwrap.indent(policy("a", spec="{severity: 11}"), "  ").strip()
    loaded = load_text(f"kind: List\nitems:\n- {bad}\n- 5\n- kind: List\n")
    assert [fault.field for fault in loaded.faults] == [
        "items[0].spec.severity",
        "items[1]",
        "items[2].apiVersion",
        "items[2].kind",
    ]


@pytest.mark.parametrize("items", ["", "items: 5", "items: {}"])
def test_a_list_without_items_is_a_fault(items: str) -> None:
    (fault,) = load_text(f"kind: List\n{items}\n").faults
    assert fault.field == "items"


@pytest.mark.parametrize("text", ["5", "text", "[a]"])
def test_a_document_that_is_no_mapping_is_a_fault(text: str) -> None:
    (fault,) = load_text(text).faults
    assert (fault.message, fault.line) == ("is not a policy", 1)


@pytest.mark.parametrize(
    ("kind", "message", "hint"),
    [
        ("KubeArmorPolcy", "`KubeArmorPolcy` is not a kind of policy", "did you mean `KubeArmorPolicy`?"),
        ("kubearmorhostpolicy", "not a kind", "did you mean `KubeArmorHostPolicy`?"),
        ("Deployment", "not a kind", "known: KubeArmorPolicy, "),
        ("", "is missing", "known: KubeArmorPolicy, "),
        ("5", "is missing", "known: KubeArmorPolicy, "),
    ],
)
def test_an_unknown_kind_is_a_fault(kind: str, message: str, hint: str) -> None:
    (fault,) = load_text(policy("a", kind, "{nodeSelector: {}}" if "host" in kind else "{}")).faults
    assert (fault.line, fault.field) == (2, "kind")
    assert message in fault.message
    assert hint in fault.hint


def test_a_misspelt_kind_does_not_hide_the_faults_below_it() -> None:
    loaded = load_text(policy("a", "KubeArmorPolcy", "{severity: 11}"))
    assert [fault.field for fault in loaded.faults] == ["kind", "spec.severity"]


@pytest.mark.parametrize("version", ["v1", "security.kubearmor.com/v2", "''", "5"])
def test_another_version_is_a_fault_beside_the_others(version: str) -> None:
    loaded = load_text(policy("a", spec="{severity: 11}").replace(VERSION, version))
    assert [(fault.line, fault.field) for fault in loaded.faults] == [(1, "apiVersion"), (4, "spec.severity")]
    assert loaded.faults[0].hint == f"write `apiVersion: {VERSION}`"


def test_a_field_that_is_there_twice_refuses_the_policy() -> None:
    loaded = load_text(policy("a") + "metadata: {name: b}\n---\n" + policy("c"))
    assert names(loaded) == ["c"]
    (fault,) = loaded.faults
    assert (fault.line, fault.column) == (5, 1)
    assert "`metadata` is there twice, first on line 3" in fault.message


def test_two_policies_of_one_name_are_a_fault_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(policy("same") + "---\n" + policy("same", "KubeArmorClusterPolicy"))
    (tmp_path / "b.yaml").write_text("\n" + policy("same"))
    loaded = load([tmp_path])
    assert len(loaded.policies) == 2
    (fault,) = loaded.faults
    assert (fault.file, fault.line) == (str(tmp_path / "b.yaml"), 2)
    assert f"{tmp_path}/a.yaml:1" in fault.message


def test_all_files_share_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOTAL_NODES", 25)
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(policy(name))
    loaded = load([tmp_path])
    assert names(loaded) == ["a"]
    assert "all files together have more than 25 values" in loaded.faults[0].message


def test_no_more_faults_are_shown_than_anyone_reads() -> None:
    rules = ", ".join("{path: a}" for _ in range(MAX_FAULTS + 7))
    loaded = load_text(policy("a", spec=f"{{file: {{matchPaths: [{rules}]}}}}"))
    assert len(loaded.faults) == MAX_FAULTS + 1
    assert loaded.faults[-1].message == "and 7 more faults in this file"


def test_no_more_warnings_are_shown_than_anyone_reads() -> None:
    rules = ", ".join("{dir: /a}" for _ in range(MAX_FAULTS + 7))
    loaded = load_text(policy("a", spec=f"{{file: {{matchDirectories: [{rules}]}}}}"))
    assert len(loaded.warnings) == MAX_FAULTS + 1
    assert loaded.warnings[-1].message == "and 7 more warnings in this file"
    assert names(loaded) == ["a"]


def test_a_fault_reads_as_one_line() -> None:
    fault = Fault("f.yaml", 3, 5, "spec.action", "is wrong", "write `Block`")
    assert str(fault) == "f.yaml:3:5: spec.action: is wrong (write `Block`)"
    assert str(Fault("f.yaml", 0, 0, "", "is gone", severity=Severity.WARNING)) == "f.yaml: is gone"
