# SPDX-License-Identifier: Apache-2.0
"""What the commands that ask the node's agent have in common: options, files that are sent, faults."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import click

from hauberk.agent.control.client import AgentError
from hauberk.agent.control.messages import MAX_REQUEST, SOCKET, Document, PolicyRef
from hauberk.cli.ending import say
from hauberk.errors import HauberkError

WORK_SECONDS: Final = 300.0
"""How long a command waits, unless it is told otherwise, where the agent has to read and compile policies."""
SUFFIXES: Final = (".yaml", ".yml", ".json")
"""The files of a directory that are sent."""
SHORT_KINDS: Final = {
    "ksp": "KubeArmorPolicy",
    "csp": "KubeArmorClusterPolicy",
    "hsp": "KubeArmorHostPolicy",
}
"""Kinds as KubeArmor shortens them."""

socket_option = click.option(
    "--socket",
    # Whether it may be asked is told better by asking it.
    type=click.Path(readable=False),
    default=SOCKET,
    show_default=True,
    metavar="PATH",
    help="Where the agent listens.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    default=WORK_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the agent at most.",
)
files_option = click.option(
    *("--file", "-f", "files"),
    multiple=True,
    type=click.Path(),
    metavar="FILE|DIR|-",
    help="Policies: a file, the *.yaml, *.yml and *.json files of a directory, or standard input. "
    "Again for more.",
)


def read_documents(sources: Iterable[str]) -> tuple[Document, ...]:
    """The texts of files, of directories' files, and of standard input (`-`). Raises HauberkError."""
    documents: list[Document] = []
    left = MAX_REQUEST
    for source in sources:
        for name, file in _open(source):
            with file:
                data = file.read(left + 1)
            left -= len(data)
            if left < 0:
                raise HauberkError(f"more than {MAX_REQUEST >> 20} MiB cannot be sent at once", "split it")
            try:
                documents.append(Document(name, data.decode()))
            except UnicodeDecodeError as error:
                raise HauberkError(f"{name} is not text: {error.reason}", "save it as UTF-8") from None
    return tuple(documents)


def _open(source: str) -> Iterable[tuple[str, BinaryIO]]:
    if source == "-":
        yield "<stdin>", sys.stdin.buffer
        return
    path = Path(source)
    if not path.is_dir():
        yield source, path.open("rb")
        return
    files = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
    if not files:
        raise HauberkError(f"{source} has no *.yaml, *.yml or *.json file", "name the files themselves")
    for each in files:
        yield str(each), each.open("rb")


def parse_ref(text: str) -> PolicyRef:
    """`NAME`, `NAMESPACE/NAME` or `KIND/...`; what is left out is empty. Raises BadParameter."""
    *before, name = text.split("/")
    kinds = {**SHORT_KINDS, **{kind.lower(): kind for kind in SHORT_KINDS.values()}}
    kind = kinds.get(before[0].lower(), "") if before else ""
    namespace = before[1:] if kind else before
    if not name or len(namespace) > 1:
        raise click.BadParameter(f"{text!r} is not of the form NAME, NAMESPACE/NAME or KIND/NAMESPACE/NAME")
    return PolicyRef(kind, namespace[0] if namespace else "", name)


def matches(wanted: PolicyRef, ref: PolicyRef) -> bool:
    """Whether a policy is one of those that are meant."""
    return (
        wanted.name == ref.name and wanted.kind in ("", ref.kind) and wanted.namespace in ("", ref.namespace)
    )


def end_with_faults(error: AgentError) -> NoReturn:
    """Tell what is wrong with the documents, and end with status 1."""
    for fault in error.faults:
        click.echo(fault, err=True)
    say(error)
    sys.exit(1)
