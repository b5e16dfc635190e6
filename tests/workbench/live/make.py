# SPDX-License-Identifier: Apache-2.0
"""Scenarios for the tests, from text."""

from pathlib import Path
from textwrap import dedent

from hauberk.workbench.live.reading import read_scenarios
from hauberk.workbench.live.scenario import Scenario

POLICY = """
- kind: KubeArmorPolicy
  name: no-sleep
  namespace: shop
  spec:
    selector: {matchLabels: {app: web}}
    process: {matchPaths: [{path: /bin/sleep}]}
    action: Block
"""
WORKLOAD = "{image: debian, namespace: shop, containers: {web: {app: web}}}"
STEP = "- {target: web, exec: [sleep, '1'], expect: {exit: fail}}"


def text(
    *, steps: str = STEP, policies: str = POLICY, workload: str = WORKLOAD, more: str = "", id: str = "one"
) -> str:
    """A scenario; `more` are further fields."""
    parts = [f"- id: {id}", f"  workload: {workload}", "  policies:", *_indented(policies)]
    parts += ["  steps:", *_indented(steps), *_indented(more)]
    return "\n".join(parts) + "\n"


def scenario(path: Path, **parts: str) -> Scenario:
    """The only scenario of a file that is written to the directory `path`."""
    (found,) = read(path, text(**parts))
    return found


def read(path: Path, content: str) -> list[Scenario]:
    """The scenarios of this text."""
    file = path / "live.yaml"
    file.write_text(content)
    return read_scenarios([file])


def _indented(part: str) -> list[str]:
    return [f"  {line}" for line in dedent(part).strip("\n").splitlines()]
