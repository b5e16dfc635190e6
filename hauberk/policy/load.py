# SPDX-License-Identifier: Apache-2.0
"""From files to policies: every fault of every file at once, no traceback, no memory without bound."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from hauberk.policy.document import (
    MAX_FILE_BYTES,
    Budget,
    DocumentError,
    Mapping,
    Node,
    Scalar,
    Sequence,
    read_documents,
)
from hauberk.policy.faults import Fault, Report, Severity
from hauberk.policy.lint import lint
from hauberk.policy.models import API_VERSION, KINDS, Policy
from hauberk.policy.reading import locate, read_policy
from hauberk.policy.words import did_you_mean, nearest, shorten

MAX_FILES: Final = 4096
"""Most files of one directory."""

MAX_TOTAL_NODES: Final = 1_000_000
"""Most values in all files that are loaded together."""

MAX_SHOWN_NAME: Final = 4096
"""Characters of a file's name that faults show."""

MEMORY_BOUND_BYTES: Final = 128 * 1024 * 1024
"""Most memory that reading one file takes, whatever is in it, on top of what the process had before.

Policies of other files come on top: about 100 bytes for each of their at most `MAX_TOTAL_NODES` values.
"""

STDIN: Final = "-"
"""The source that stands for standard input."""

SUFFIXES: Final = (".yaml", ".yml")
"""The files of a directory that are read."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found in the sources. Only policies without faults are in `policies`."""

    policies: tuple[Policy, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def load(sources: Iterable[str | Path], *, stdin: BinaryIO | None = None) -> Loaded:
    """Read policies from files, from the `*.yaml` and `*.yml` files of directories, and from standard input
    (`-`).

    `stdin` replaces the process's standard input. Faults, those of the file system included, are returned
    and not raised, in the order of the sources.
    """
    loader = _Loader()
    for source in sources:
        if str(source) == STDIN:
            loader.stdin(stdin)
        else:
            loader.path(Path(source))
    return loader.finish()


def load_text(text: str | bytes, name: str = "<text>") -> Loaded:
    """Read the policies of a text, which faults call `name`."""
    loader = _Loader()
    loader.text(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, name)
    return loader.finish()


def load_texts(texts: Iterable[tuple[str, str]], *, namespace: str = "") -> list[Loaded]:
    """Read the policies of several texts, each with the name that faults call it: what was found in each.

    No two policies of all texts may have one identity. `namespace` is that of namespaced policies that name
    none (if not Kubernetes' own, `default`).
    """
    loader = _Loader(namespace)
    found: list[Loaded] = []
    for name, text in texts:
        known = len(loader.policies), len(loader.faults), len(loader.warnings)
        loader.text(text.encode("utf-8", "surrogatepass"), shorten(name, MAX_SHOWN_NAME))
        every = loader.finish()
        policies, faults, warnings = known
        found.append(Loaded(every.policies[policies:], every.faults[faults:], every.warnings[warnings:]))
    return found


class _Loader:
    def __init__(self, namespace: str = "") -> None:
        self.namespace = namespace
        self.budget = Budget(MAX_TOTAL_NODES)
        self.policies: dict[tuple[str, str, str], Policy] = {}
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.seen = 0

    def finish(self) -> Loaded:
        return Loaded(tuple(self.policies.values()), tuple(self.faults), tuple(self.warnings))

    def stdin(self, stdin: BinaryIO | None) -> None:
        if stdin is not None:
            self.stream(stdin, "<stdin>")
        elif sys.stdin is not None:
            self.stream(sys.stdin.buffer, "<stdin>")
        else:
            # Python has none if the file descriptor was closed before it started.
            self.file_fault("<stdin>", "cannot be read: it is closed")

    def path(self, path: Path) -> None:
        try:
            if path.is_dir():
                self.directory(path)
                return
            with path.open("rb") as file:
                self.stream(file, shorten(str(path), MAX_SHOWN_NAME))
        except (OSError, ValueError) as error:
            self.unreadable(shorten(str(path), MAX_SHOWN_NAME), error)

    def directory(self, path: Path) -> None:
        shown = shorten(str(path), MAX_SHOWN_NAME)
        found = sorted(entry for entry in path.iterdir() if entry.suffix in SUFFIXES and not entry.is_dir())
        if not found:
            self.file_fault(shown, "the directory has no *.yaml or *.yml file", "name the files themselves")
        elif len(found) > MAX_FILES:
            self.file_fault(shown, f"the directory has more than {MAX_FILES} policy files", "split it")
        else:
            for entry in found:
                # A pipe or a device would block or never end; whoever means one names it.
                if entry.exists() and not entry.is_file():
                    self.file_fault(
                        shorten(str(entry), MAX_SHOWN_NAME),
                        "is not a regular file",
                        "remove it from the directory",
                    )
                else:
                    self.path(entry)

    def stream(self, file: BinaryIO, name: str) -> None:
        try:
            # One byte more than allowed tells that there is more, without reading all of it.
            data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            self.unreadable(name, error)
        else:
            self.text(data, name)

    def unreadable(self, name: str, error: OSError | ValueError) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.file_fault(name, f"cannot be read: {reason}")

    def text(self, data: bytes, name: str) -> None:
        report = Report(name)
        self.seen = 0

        def complain(line: int, column: int, message: str, hint: str) -> None:
            report.fault(line, column, "", message, hint)

        try:
            before = 0
            for node in read_documents(data, complain, self.budget):
                # What was wrong with the document's text (a key that is there twice) counts against it.
                self.document(node, report, report.fault_count == before)
                before = report.fault_count
        except DocumentError as error:
            report.fault(error.line, error.column, "", error.message, error.remedy)
        if not self.seen and not report.fault_count:
            report.fault(0, 0, "", "there is no policy in it")
        report.finish()
        self.faults += report.faults
        self.warnings += report.warnings

    def file_fault(self, file: str, message: str, hint: str = "") -> None:
        self.faults.append(Fault(file, 0, 0, "", message, hint, Severity.FAULT))

    def document(self, node: Node, report: Report, clean: bool) -> None:
        """Read one document; a list's items are documents of their own."""
        kind = _text_of(node, "kind")
        if not isinstance(node, Mapping) or not kind.endswith("List"):
            self.policy(node, report, "", clean)
            return
        items = node.entries.get("items")
        if items is None or not isinstance(items.value, Sequence):
            report.fault(node.line, node.column, "items", f"a {shorten(kind)} has a list of `items`")
            return
        for index, item in enumerate(items.value.items):
            self.policy(item, report, f"items[{index}].", clean)

    def policy(self, node: Node, report: Report, prefix: str, clean: bool) -> None:
        self.seen += 1
        if not isinstance(node, Mapping):
            report.fault(
                node.line,
                node.column,
                prefix.rstrip("."),
                "is not a policy",
                "a policy begins with `apiVersion:`",
            )
            return
        before = report.fault_count
        kind = _check_kind(node, report, prefix)
        _check_version(node, report, prefix)
        if kind is None:
            return
        policy = read_policy(kind, node, report, prefix)
        if policy is None or report.fault_count != before or not clean:
            return
        if policy.namespaced and not policy.metadata.namespace and self.namespace:
            # Values are frozen for those who use them; here they are still being made.
            object.__setattr__(policy.metadata, "namespace", self.namespace)
        identity = (policy.kind, policy.namespace, policy.name)
        first = self.policies.get(identity)
        if first is not None:
            report.fault(
                policy.line,
                1,
                f"{prefix}metadata.name",
                f"there is already a {policy.kind} of this name, at {first.file}:{first.line}",
                "rename one of them, or load only one",
            )
            return
        lint(policy, node, report, prefix)
        self.policies[identity] = policy


def _text_of(node: Node, name: str) -> str:
    if isinstance(node, Mapping) and (entry := node.entries.get(name)) is not None:
        return (
            entry.value.value
            if isinstance(entry.value, Scalar) and isinstance(entry.value.value, str)
            else ""
        )
    return ""


def _check_kind(node: Mapping, report: Report, prefix: str) -> str | None:
    """Return the kind whose fields to check, or None if there is no telling."""
    kind = _text_of(node, "kind")
    if kind in KINDS:
        return kind
    place = locate(node, "kind")
    message = f"`{shorten(kind)}` is not a kind of policy" if kind else "is missing"
    report.fault(place.line, place.column, f"{prefix}kind", message, did_you_mean(kind, KINDS))
    return nearest(kind, KINDS) or None


def _check_version(node: Mapping, report: Report, prefix: str) -> None:
    version = _text_of(node, "apiVersion")
    if version != API_VERSION:
        place = locate(node, "apiVersion")
        message = f"`{shorten(version)}` is not the version of policies" if version else "is missing"
        report.fault(
            place.line, place.column, f"{prefix}apiVersion", message, f"write `apiVersion: {API_VERSION}`"
        )
