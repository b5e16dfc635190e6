# SPDX-License-Identifier: Apache-2.0
"""From the examples of docs/policies.md, which leave out the head, to whole policies."""

HEAD = """\
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata:
  name: example
  namespace: default
spec:
  selector: {}
"""


def whole(text: str) -> str:
    """The policy that an example stands for."""
    if text.startswith("apiVersion:"):
        return text
    return HEAD + "".join(f"  {line}\n" for line in text.splitlines())
