# SPDX-License-Identifier: Apache-2.0
"""Scenarios are read generously, but nothing is passed over that is not understood."""

from pathlib import Path

import pytest

from hauberk.workbench.live.scenario import AlertPattern, Condition, Scenario, ScenarioError, User, WantedFile
from tests.workbench.live.make import read, scenario, text

RUN = "- {target: web, exec: [ls], %s}"


def test_a_scenario_has_what_its_text_says(tmp_path: Path) -> None:
    steps = """
    - target: web
      exec: [bash, -c, sleep 1]
      user: user1
      tty: false
      retry: true
      expect: {exit: fail, output_matches: 'a.b', output_contains: [x, y]}
      expect_alert: {policy: p, severity: '5', resource_matches: 'a$', result_not: Passed, count_min: 2}
    """
    found = scenario(tmp_path, steps=steps, more="suite: s\ndefault_posture: {file: block}")
    assert found.fault == ""
    assert (found.suite, found.postures) == ("s", {"file": "block"})
    (container,) = found.containers
    assert (container.name, container.namespace, container.labels) == ("web", "shop", {"app": "web"})
    assert found.policies[0]["metadata"] == {"name": "no-sleep", "namespace": "shop"}
    (step,) = found.steps
    assert (step.argv, step.user, step.tty, step.retry) == (("bash", "-c", "sleep 1"), "user1", False, True)
    assert (step.exit, step.output_matches, step.output_contains) == ("fail", ("a.b",), ("x", "y"))
    assert step.alert == AlertPattern(
        (
            Condition("policy", "is", "p"),
            Condition("severity", "is", "5"),
            Condition("resource", "matches", "a$"),
            Condition("result", "not", "Passed"),
        ),
        at_least=2,
    )


@pytest.mark.parametrize(
    ("parts", "line", "message"),
    [
        ({"more": "sutie: s"}, 13, "sutie: there is no such field; did you mean `suite`?"),
        (
            {"steps": RUN % "expect: {exist: ok}"},
            12,
            "expect.exist: there is no such field",
        ),
        ({"steps": "- {target: db, exec: [ls]}"}, 12, "target: `db` is none of web, host"),
        ({"steps": "- {target: web}"}, 12, "exec: is missing"),
        (
            {"steps": RUN % "expect: {exit: perhaps}"},
            12,
            "neither a number nor one of ok",
        ),
        (
            {"steps": RUN % "expect: {output_matches: '('}"},
            12,
            "not a regular expression",
        ),
        ({"steps": RUN % "expect_alert: {polycy: p}"}, 12, "no field of an alert"),
        ({"steps": RUN % "tty: maybe"}, 12, "tty: must be true or false"),
        ({"steps": "- {apply: other}"}, 12, "`other` is no policy of this scenario"),
        ({"more": "default_posture: {file: strict}"}, 13, "`strict` is none of allow, audit, block"),
        ({"more": "needs: containers"}, 13, "`containers` is none of container, host"),
        ({"more": "requires: {files: [{path: x}]}"}, 13, "`x` does not begin with /"),
        ({"more": "requires: {files: [{path: /x, content: 'ELF, does things'}]}"}, 13, "do not have"),
        ({"more": "id: two"}, 13, "the field `id` is there twice"),
        ({"workload": "{image: debian, contaners: {web: {}}}"}, 2, "contaners: there is no such field"),
    ],
)
def test_what_is_not_understood_is_a_fault_with_file_line_and_field(
    tmp_path: Path, parts: dict[str, str], line: int, message: str
) -> None:
    found = scenario(tmp_path, **parts)
    assert message in found.fault
    assert f"{tmp_path / 'live.yaml'}:{line}: " in found.fault


def test_a_fault_is_its_own_scenarios_alone(tmp_path: Path) -> None:
    first, second = read(tmp_path, text(more="sutie: s") + text(id="two"))
    assert first.fault.startswith(f"{tmp_path / 'live.yaml'}:13: sutie:")
    assert second.fault == ""


@pytest.mark.parametrize("content", ["a: 1\n", "- one\n", "- {id: [\n"])
def test_a_file_that_is_no_list_of_scenarios_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ScenarioError, match=r"live\.yaml:"):
        read(tmp_path, content)


def test_two_scenarios_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="the id one is that of"):
        read(tmp_path, text() + text())


def test_scenarios_that_are_not_about_a_workload_have_forms_of_their_own(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "- {id: x, needs: in-process, steps: [{call: f, given: {a: 1}, expect: 3}]}\n")
    assert (found.needs, found.fault) == ("in-process", "")


def containers(tmp_path: Path, workload: str) -> Scenario:
    target = "- {target: host, exec: [ls]}"
    found = scenario(tmp_path, workload=workload, steps=target)
    assert found.fault == ""
    return found


def test_pods_share_labels_and_their_containers_have_settings(tmp_path: Path) -> None:
    pods = "{a: {labels: {app: x}, containers: {one: {privileged: true}, two: {cap_add: [ALL]}}}}"
    one, two = containers(tmp_path, f"{{image: debian, namespace: n, pods: {pods}}}").containers
    assert (one.target, one.name, one.labels, one.privileged) == ("a/one", "one", {"app": "x"}, True)
    assert (two.target, two.capabilities, two.namespace) == ("a/two", ("ALL",), "n")


def test_workloads_are_each_for_themselves(tmp_path: Path) -> None:
    workloads = (
        "{a: {image: nginx, namespace: n, labels: {app: x}, created: after the policy, command: [sh]}}"
    )
    (one,) = containers(tmp_path, f"{{workloads: {workloads}}}").containers
    assert (one.image, one.namespace, one.is_late, one.command) == ("nginx", "n", True, ("sh",))


def test_a_container_alone_is_in_the_namespace_of_those_without_one(tmp_path: Path) -> None:
    (one,) = containers(tmp_path, "{image: debian, container_name: db}").containers
    assert (one.target, one.name, one.namespace, one.labels) == ("db", "db", "container_namespace", {})


def test_a_containers_name_is_enough_where_only_one_pod_has_it(tmp_path: Path) -> None:
    workload = "{image: debian, pods: {a: {containers: {one: }}, b: {containers: {two: }}}}"
    found = scenario(tmp_path, workload=workload, steps="- {target: a/two, exec: [ls]}")
    assert (found.fault, found.steps[0].target) == ("", "b/two")


def test_requirements_in_words_are_understood(tmp_path: Path) -> None:
    found = scenario(
        tmp_path,
        more="""
        requires:
          users: ['user1 (home /home/user1, shell /bin/bash)']
          mounts: [a file token mounted below /run/secrets/a/ (through a link)]
          outbound_network: true
          files:
          - {path: /a, owner: user1, mode: '0600', content: text}
          - {path: /b/readwrite, content: 'ELF, -r PATH prints first byte, -w PATH appends one byte'}
          - {path: /c, content: copy of bash}
        """,
    )
    assert found.fault == ""
    assert found.requires.users == (User("user1", "/home/user1", "/bin/bash"),)
    assert found.requires.mounts == ("/run/secrets/a/token",)
    assert found.requires.network
    assert found.requires.files == (
        WantedFile("/a", "user1", 0o600, "text"),
        WantedFile("/b/readwrite", "root", 0o755, program="readwrite"),
        WantedFile("/c", "root", 0o755, program="bash"),
    )


def test_postures_of_a_namespace_come_from_its_annotations(tmp_path: Path) -> None:
    annotations = "{namespace_annotations: {kubearmor-file-posture: block, kubearmor-visibility: none}}"
    found = scenario(tmp_path, more=f"default_posture: {annotations}")
    assert (found.fault, found.postures, found.annotations) == ("", {}, {"shop": {"file": "block"}})
