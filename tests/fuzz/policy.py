# SPDX-License-Identifier: Apache-2.0
"""Policy loading: whatever the file, it ends in policies or in faults with a place.

What is told of them can be printed on a terminal and written as JSON, and policies without faults become
rules or a HauberkError.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import msgspec
import yaml

from hauberk.cli.policy_check import as_data, describe
from hauberk.errors import HauberkError
from hauberk.policy.load import load
from hauberk.rules.model import Posture, Postures
from hauberk.rules.normalise import rule_set
from tests.fuzz import told
from tests.policy.test_random import SAMPLES, sane

MAX_LENGTH: Final = 4096
ROOT: Final = Path(__file__).parents[2]
POSTURES: Final = Postures(file=Posture.BLOCK, network=Posture.AUDIT, capabilities=Posture.ALLOW)

FAULTY: Final = b"""\xef\xbb\xbfapiVersion: security.kubearmor.com/v1
kind: KubeArmorClusterPolicy
metadata: {name: b, name: c}
spec:
  severity: 11
  process:
    matchPaths: [{execname: a/b}, {execname: ""}, {path: /a/../*, pts: 1, fromSource: []}]
    matchDirectories: [{dir: /a*, fromSource: [{}]}, null]
    matchPatterns: [{pattern: ""}, {pattern: "/a\\n{b"}]
  capabilities: {matchCapabilities: [{capability: CAP_BPF}, {capability: "cap_bpf,,chown"}]}
  file: {severity: 0, matchPaths: /etc/passwd}
"""
WARNED: Final = b"""apiVersion: security.kubearmor.com/v1
kind: KubeArmorClusterPolicy
metadata: {name: A_b, namespace: x}
spec:
  selector: {matchExpressions: [{key: label, operator: In, values: [x]}, {key: namespace, operator: NotIn}]}
  process: {matchPaths: [{execname: sh, path: /bin/sh}], matchDirectories: [{dir: /a*/, fromSource: [{}]}]}
  presets: [{name: exce}, {name: exec, action: Allow}]
---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata: {name: b}
spec: {nodeSelector: {matchLabels: {}}, capabilities: {matchCapabilities: [{capability: cap_bpf}]}}
---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: {name: b}
spec: {nodeSelector: {matchLabels: {}}}
"""


def seeds() -> Iterator[bytes]:
    """Policies as people write them, a sample of every field, and what is told of others."""
    for folder in ("docs/examples", "demo/policies"):
        for file in sorted((ROOT / folder).glob("*.yaml")):
            yield file.read_bytes()
    for sample in SAMPLES:
        for flow in (True, False):
            yield yaml.safe_dump(sample, default_flow_style=flow).encode()
    yield FAULTY
    yield WARNED
    yield b"a: &a {<<: [*b, *a], ? [x] : 1, x: !!int 0x1F, y: !x 1_0}\n--- |\n x\n...\n%YAML 1.1\n---\n- 'a'"


def check(data: bytes) -> None:
    loaded = load(["-"], stdin=BytesIO(data))
    sane(loaded, data)
    msgspec.json.decode(msgspec.json.encode(as_data(loaded)))
    for line in describe(loaded):
        line.encode()
    try:
        rule_set(loaded.policies, POSTURES)
    except HauberkError as error:
        told(error)
