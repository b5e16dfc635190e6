# SPDX-License-Identifier: Apache-2.0
"""The numbers of docs/limits.md against the constants that they come from."""

import re

from hauberk.agent.config.settings import Settings
from hauberk.agent.feeder import client, following, hashing, http, hub
from hauberk.agent.feeder.grpc import admission, limits, states
from hauberk.agent.gate import keeper
from hauberk.agent.reader import WINDOW_SECONDS
from hauberk.automaton.limits import STATE_LIMIT
from hauberk.automaton.parse import MAX_NESTING
from hauberk.enforcers.bpf_lsm import engine, in_force, loading
from hauberk.events import hashes, throttle
from hauberk.events.repeats import KEPT_BYTES, SLOTS
from hauberk.policy import calls, document, faults, fields, load
from hauberk.rules.model import SPECIAL_NAMES, UNKNOWN
from hauberk.sinks import datagrams, jsonlines, metrics
from hauberk.workloads import links, mounts, rootfs
from tests.docs.pages import ROOT, tables

PAGE = ROOT / "docs" / "limits.md"


def constant(header: str, name: str) -> int:
    """A number that a header of the kernel programs defines."""
    text = (ROOT / "hauberk" / "bpf" / header).read_text()
    found = re.search(rf"^#define {name} ([0-9]+)u?\b", text, re.MULTILINE)
    assert found, name
    return int(found[1])


def mebibytes(size: int) -> str:
    assert size % (1 << 20) == 0
    return f"{size >> 20} MiB"


def expected() -> dict[str, str]:
    return {
        "Size of a file": mebibytes(document.MAX_FILE_BYTES),
        "Documents in a file": str(document.MAX_DOCUMENTS),
        "Nesting of lists and mappings": str(document.MAX_DEPTH),
        "Values in a file, each alias counted as what it stands for": f"{document.MAX_NODES:,}",
        "Values in all files together": f"{load.MAX_TOTAL_NODES:,}",
        "Files in a directory": str(load.MAX_FILES),
        "Memory that reading one file takes": mebibytes(load.MEMORY_BOUND_BYTES),
        "Faults told for one file; further ones are counted": str(faults.MAX_FAULTS),
        "Length of a path, a directory or a pattern": f"{fields.MAX_PATH_BYTES} bytes",
        "Length of an `execname`": "255 bytes",
        "Nesting of `{}` in a pattern": str(MAX_NESTING),
        "Elements of a comma list": str(fields.MAX_ELEMENTS),
        "System calls in one rule": str(calls.MAX_SYSCALLS),
        "Arguments in `allowedArgs`": str(fields.MAX_ALLOWED_ARGUMENTS),
        "States of the automaton of all paths": f"{STATE_LIMIT:,}",
        "Memory for the tables of one run": mebibytes(engine.LARGEST_ARENA),
        "Mounts that the command can see": str(mounts.MAX_MOUNTS),
        "Mounts of all workloads of one engine, those with the same rules and mounts counted once": str(
            engine.MAX_MOUNTS
        ),
        "Runs at one time that need the same hook": str(loading.MAX_ENGINES),
        "Confined tasks at one time, in one run": str(engine.MAX_TASKS),
        "Names of one object that are weighed": str(constant("lib/scratch.h", "HB_ROOTS")),
        "Parts of a path that are kept": str(constant("lib/scratch.h", "HB_DEPTH")),
        "Ancestors in an alert": str(constant("lib/lineage.h", "HB_ANCESTORS")),
        "Programs whose ancestry is known, those that run and those of which they came, in one engine": str(
            constant("lib/lineage.h", "HB_LINEAGE")
        ),
        "Path of an ancestor": f"{constant('lib/lineage.h', 'HB_ANCESTOR_PATH') - 1} bytes",
        "Bytes of a DNS message that are read": str(constant("lib/text.h", "HB_TEXT")),
        "Steps from an object to its root": str(constant("lib/slow_walk.h", "MAX_CLIMB")),
        "Attempts to read a path while directories above it are being moved": str(
            constant("lib/slow_walk.h", "ATTEMPTS")
        ),
        "Long decisions and alerts under way at one time": str(constant("lib/scratch.h", "HB_SCRATCHES")),
        "Changes of policies whose alerts have not been read": str(in_force.MAX_RETIRED),
        "Entries of directories that are looked at for one workload": f"{links.ENTRIES:,}",
        "Blocked names of files with several links that are noted": str(links.FILES),
        "Such names of one file that are weighed": str(constant("abi.h", "HB_LINK_NAMES")),
        "Descriptors of a process that are looked at when it executes a program": format(
            constant("hooks/descriptor.h", "HB_DESCRIPTORS"), ","
        ),
        "Capabilities by number": str(constant("abi.h", "HB_CAPS")),
        "Execs that wait at [the gate](gate.md)": str(keeper.MOST_HELD),
        "Answer of the agent to one that waits": f"{keeper.ANSWER_SECONDS:.0f} s",
        "Binding one to the last policies without an agent": f"{keeper.COMMAND_SECONDS:.0f} s",
        "Alerts that wait for Hauberk in the kernel": mebibytes(engine.VIOLATION_RING),
        "Logs of permitted accesses that wait": mebibytes(engine.EVENT_RING),
        f"Violations that differ, whose repeats are counted, in {WINDOW_SECONDS:.0f} s": str(SLOTS),
        "System calls that rules of all workloads name, each counted for each workload": str(
            constant("lib/syscall.h", "HB_NAMED_CALLS")
        ),
        "What is kept of their alerts meanwhile": mebibytes(KEPT_BYTES),
        "Length of a path in an alert": f"{constant('lib/scratch.h', 'HB_PATH')} bytes",
        "Arguments of an exec in an alert": f"{constant('lib/arguments.h', 'HB_ARGUMENTS')} bytes",
        "Number of these arguments, and of memory pages that they lie in": str(
            constant("lib/arguments.h", "HB_ARGUMENT_STEPS")
        ),
        "Alerts that are kept while the file cannot be written": mebibytes(jsonlines.MEMORY_BYTES),
        "The history of a node on disk": f"`historyMiB`, {Settings().history_mib} MiB",
        "Events that wait for one who follows them": str(hub.QUEUE),
        "Who asks for events at once": str(following.MAX_CLIENTS),
        "Waiting for a slow reader at the end": f"{jsonlines.PATIENCE_SECONDS:.0f} s",
        "Events that wait for one client": str(hub.QUEUE),
        "Alerts of one workload that differ and are [held back](alerts.md#too-many-for-clients)": str(
            throttle.KINDS_OF_ONE
        ),
        "The same, of all workloads": str(throttle.KINDS_OF_ALL),
        "Series of one [counter](metrics.md#bounds)": str(metrics.SERIES),
        "Connections that ask for metrics": str(http.CONNECTIONS),
        "Size of a file of which there is a [hash](alerts.md#hashes)": mebibytes(hashes.LARGEST),
        "Files that are hashed for one batch of events": str(hashing.FILES),
        "Files whose hash is remembered": str(hashes.REMEMBERED),
        "Records that wait for the journal, or for syslog": mebibytes(datagrams.MEMORY_BYTES),
        "Messages that wait for the process that serves clients": mebibytes(client.MEMORY_BYTES),
        "Changes of workloads that wait for one client": str(states.QUEUE),
        "Calls at one time, streams among them": str(limits.MAX_CALLS),
        "Connections at one time": str(limits.MAX_CONNECTIONS),
        "Size of a request": mebibytes(limits.MAX_REQUEST),
        "A connection that does not speak HTTP/2, or TLS, yet": f"{limits.HANDSHAKE_SECONDS} s",
        "A connection without a call": f"{limits.IDLE_SECONDS} s",
        "Silence of a client with a call before it is pinged": f"{limits.PING_SECONDS} s",
        "Control groups of containers that are looked through for who calls over loopback": format(
            admission.MAX_CGROUPS, ","
        ),
    }


def test_the_tables_name_every_limit_with_its_number() -> None:
    rows = {row[0]: row[1] for table in tables(PAGE) for row in table.rows}
    assert rows == expected()


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    text = PAGE.read_text()
    assert f"at {fields.KUBEARMOR_PATH_CHARACTERS} characters" in text
    assert f"does not answer within {limits.PONG_SECONDS} s" in text
    assert f"at most {rootfs._MAX_LINKS} links" in text
    assert f"Linux has {len(fields.CAPABILITIES)}" in text
    assert SPECIAL_NAMES[UNKNOWN] in text
    parts, length = constant("lib/walk.h", "FAST_DEPTH"), constant("lib/walk.h", "FAST_NAME") - 1
    assert f"{parts} parts of a path, {length} bytes in each" in text


def test_the_bounds_of_metrics_are_those_of_the_code() -> None:
    text = " ".join((ROOT / "docs" / "metrics.md").read_text().split())
    assert f"at most {metrics.SERIES} series" in text
    assert metrics.IDLE_SECONDS == 3600
    assert f"after {metrics.LONGEST} characters" in text
    assert f"At most {http.CONNECTIONS} connections" in text
    assert f"has {http.PATIENCE_SECONDS:.0f} seconds and {http.HEAD_BYTES >> 10} KiB" in text
