# SPDX-License-Identifier: Apache-2.0
"""Policies and workloads for these tests."""

import os
from typing import Any

from hauberk.agent.compiler.jobs import Facts, Source
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE

NODE = "node-1"
COSTLY = f"file: {{matchPatterns: [{{pattern: '/**/*a{'?' * 20}'}}]}}"
"""Needs a million states and more: each `?` doubles them."""


def policy(
    name: str,
    rules: str = "file: {matchPaths: [{path: /etc/shadow}]}",
    *,
    kind: str = "KubeArmorPolicy",
    namespace: str = "",
    selector: str = "selector: {matchLabels: {app: web}}",
) -> str:
    """A policy for containers with the label app=web, or what you change."""
    metadata = f"{{name: {name}, namespace: {namespace}}}" if namespace else f"{{name: {name}}}"
    return (
        f"apiVersion: security.kubearmor.com/v1\nkind: {kind}\nmetadata: {metadata}\n"
        f"spec:\n  {selector}\n  {rules}\n"
    )


def host_policy(name: str, rules: str = "file: {matchPaths: [{path: /etc/shadow}]}") -> str:
    """A host policy for every node."""
    selector = "nodeSelector: {matchLabels: {kubearmor.io/hostname: '*'}}"
    return policy(name, rules, kind="KubeArmorHostPolicy", selector=selector)


def source(text: str, name: str = "p.yaml") -> Source:
    return Source(name, text)


def web(**changes: Any) -> Facts:
    """A container with the label app=web whose root is that of this process, or what you change."""
    values: dict[str, Any] = {
        "number": 3,
        "kind": "container",
        "namespace": DEFAULT_NAMESPACE,
        "name": "web",
        "labels": {"app": "web"},
        "pid": os.getpid(),
    }
    return Facts(**(values | changes))


def on_node(kind: str, **changes: Any) -> Facts:
    """Something of the host's own, which is seen as from here."""
    values: dict[str, Any] = {
        "number": 4, "kind": kind, "namespace": None, "labels": {}, "name": "", "node": NODE, "guarded": False
    }  # fmt: skip
    return web(**(values | changes))
