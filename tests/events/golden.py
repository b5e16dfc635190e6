# SPDX-License-Identifier: Apache-2.0
"""The cases of the golden tests: a record, packed by hand, and the JSON that it becomes.

`.venv/bin/python -m tests.events.golden` writes the files in golden/ anew; read the difference before you
commit it.
"""

import struct
from ipaddress import IPv6Address
from pathlib import Path

import msgspec

from hauberk.automaton.patterns import Directory, Exact
from hauberk.events.clock import Clock
from hauberk.events.identity import PodOwner, WorkloadIdentity
from hauberk.events.record import CUT, PEER_ADDRESS, Call, Record, decode
from hauberk.events.repeats import Repeat
from hauberk.events.translate import Translator
from hauberk.events.users import UserNames
from hauberk.rules.model import (
    MOVE,
    NONE,
    POSTURE,
    UNKNOWN,
    Action,
    Capability,
    PolicyId,
    Protocol,
    Rule,
    Scope,
    Section,
    Verdict,
)

from .pack import access, pack, repeat

DIRECTORY = Path(__file__).with_name("golden")

POD = 7
HOST = 1
STRANGER = 99
GENERATION = 3

POD_IDENTITY = WorkloadIdentity(
    cluster_name="default",
    host_name="node-1",
    node_id="3f0c",
    namespace="shop",
    pod_name="cart-5d9-x1",
    labels={"tier": "web", "app": "cart"},
    container_id="ab12",
    container_name="cart",
    container_image="cart:1@sha256:00ff",
    owner=PodOwner("Deployment", "cart", "shop"),
)
HOST_IDENTITY = WorkloadIdentity(cluster_name="default", host_name="node-1", node_id="3f0c", is_host=True)


def _rule(index: int, where: str, section: Section, action: Action, target: object, **more: object) -> Rule:
    policy = PolicyId("KubeArmorPolicy", "shop", "cart-hardening")
    return Rule(policy, Scope.NAMESPACE, index, where, 10 + index, section, action, target, **more)


RULES = (
    _rule(
        0,
        "spec.file.matchPaths[0]",
        Section.FILE,
        Action.BLOCK,
        Exact(b"/etc/shadow"),
        severity=5,
        tags=("NIST", "CIS"),
        message="reads a secret",
    ),
    _rule(
        1, "spec.process.matchPaths[0]", Section.PROCESS, Action.BLOCK, Exact(b"/usr/bin/apt"), severity=10
    ),
    _rule(
        2, "spec.file.matchDirectories[0]", Section.FILE, Action.AUDIT, Directory(b"/etc", True), severity=1
    ),
    _rule(
        3, "spec.network.matchProtocols[0]", Section.NETWORK, Action.BLOCK, Protocol("raw"), tags=("MITRE",)
    ),
    _rule(4, "spec.capabilities.matchCapabilities[0]", Section.CAPABILITIES, Action.BLOCK, Capability(13)),
    _rule(5, "spec.file.matchPaths[1]", Section.FILE, Action.ALLOW, Exact(b"/srv/page")),
    Rule(
        PolicyId("KubeArmorClusterPolicy", "", "no-tools"),
        Scope.CLUSTER,
        0,
        "spec.process.matchPaths[2]",
        7,
        Section.PROCESS,
        Action.BLOCK,
        Exact(b"/usr/bin/nc"),
    ),
)
HOST_RULES = (
    Rule(
        PolicyId("KubeArmorHostPolicy", "", "guard-ssh"),
        Scope.HOST,
        0,
        "spec.file.matchDirectories[0]",
        9,
        Section.FILE,
        Action.BLOCK,
        Directory(b"/root/.ssh", True),
        severity=7,
    ),
)

IPV4 = struct.pack("=H", 2) + bytes((1, 187, 192, 0, 2, 7)) + bytes(8)
IPV6 = struct.pack("=H", 10) + bytes((1, 187, 0, 0, 0, 0)) + IPv6Address("2001:db8::7").packed + bytes(4)
DNS_SERVER = struct.pack("=H", 2) + bytes((0, 53, 10, 96, 0, 10)) + bytes(8)
QUERY = bytes.fromhex("0007 0100 0001 0000 0000 0000") + b"\x03www\x07example\x03org\0\0\x1c\0\1"
ANCESTRY = struct.pack("=I", 4100) + b"sh\0/bin/sh\0" + struct.pack("=I", 4000) + b"nginx\0nginx: a b\0"


def seen(section: Section, call: Call, **more: object) -> Record:
    """An access that no rule speaks of."""
    values = {"rule": NONE, "verdict": Verdict.PERMIT, "section": section, "call": call, "object": b""}
    return access(**(values | more))


CREAT_TRUNC_CLOEXEC = 0o1 | 0o100 | 0o1000 | 0o2000000 | 0o100000

CASES: dict[str, Record] = {
    "file_read_refused": access(owner=0, detail=(0o100000 | 0o2000000, 0, 0, 0)),
    "file_write_audited": access(
        rule=2, verdict=Verdict.AUDIT, object=b"/etc/motd", detail=(CREAT_TRUNC_CLOEXEC, 0, 0, 0), owner=0
    ),
    "file_default_posture_refused": access(rule=POSTURE, object=b"/opt/x", detail=(0o2, 0, 0, 0)),
    "file_default_posture_audited": access(rule=POSTURE, verdict=Verdict.AUDIT, object=b"/opt/x"),
    "file_unknown_object": access(rule=UNKNOWN, object=b""),
    "file_rename_of_a_protected_path": access(
        rule=MOVE, call=Call.RENAME, object=b"/etc", other=b"/tmp/etc", owner=0
    ),
    "file_rename_refused_with_spaces": access(call=Call.RENAME, other=b"/tmp/a flags=O_RDONLY b", owner=33),
    "file_link_refused": access(call=Call.LINK, other=b"/tmp/shadow", owner=0),
    "file_unlink_refused": access(call=Call.UNLINK, owner=0),
    "file_chmod_refused": access(call=Call.CHMOD, owner=0),
    "file_mmap_refused": access(call=Call.MMAP, detail=(5, 0, 0, 0), owner=0),
    "file_mount_refused": access(call=Call.MOUNT, object=b"/etc", other=b"tmpfs"),
    "file_forged_name": access(
        object=b'/tmp/a","Action":"Allow\n{"PolicyName":"x"}\x1b[2K\xff\\xff\xe2\x80\xaetxt',
        comm=b"a\rb",
        tty=b"pts0",
    ),
    "file_unicode_name": access(object="/srv/żółć/日本".encode()),
    "file_thread_of_a_process": access(tid=4190, tty=b"pts3"),
    "file_read_seen": access(
        rule=NONE, verdict=Verdict.PERMIT, object=b"/etc/hosts", detail=(0o100000, 0, 0, 0)
    ),
    "file_read_allowed": access(rule=5, verdict=Verdict.ALLOWED, object=b"/srv/page", owner=33),
    "process_exec_refused": access(
        rule=1,
        section=Section.PROCESS,
        call=Call.EXEC,
        object=b"/usr/bin/apt",
        args=b"apt\0update\0-o\0Dir::Cache=/tmp/a b\0",
        owner=0,
    ),
    "process_exec_of_a_cluster_policy": access(
        rule=6, section=Section.PROCESS, call=Call.EXEC, object=b"/usr/bin/nc", args=b"nc\0"
    ),
    "process_exec_with_more_arguments_than_fit": access(
        rule=1, section=Section.PROCESS, call=Call.EXEC, object=b"/usr/bin/apt", args=b"apt\0upda"
    ),
    "process_exec_without_arguments": access(
        rule=POSTURE, section=Section.PROCESS, call=Call.EXEC, object=b"memfd:payload"
    ),
    "process_exec_with_an_empty_argument": access(
        rule=1, section=Section.PROCESS, call=Call.EXEC, object=b"/usr/bin/apt", args=b"\0\0x\0"
    ),
    "process_exec_seen": access(
        rule=NONE,
        verdict=Verdict.PERMIT,
        section=Section.PROCESS,
        call=Call.EXEC,
        object=b"/usr/bin/id",
        args=b"id\0-u\0",
    ),
    "process_mprotect_refused": access(
        rule=1, section=Section.PROCESS, call=Call.MPROTECT, object=b"/usr/bin/apt", detail=(4, 0, 0, 0)
    ),
    "network_raw_refused": access(
        rule=3, section=Section.NETWORK, call=Call.SOCKET, object=b"", detail=(2, 3, 1, 0)
    ),
    "network_connect_default_posture": access(
        rule=POSTURE, section=Section.NETWORK, call=Call.CONNECT, object=b"", detail=(10, 1, 0, 0)
    ),
    "network_packet_audited": access(
        rule=POSTURE,
        verdict=Verdict.AUDIT,
        section=Section.NETWORK,
        call=Call.SOCKET,
        object=b"",
        detail=(17, 3, 768, 0),
    ),
    "network_unknown_numbers": access(
        rule=3, section=Section.NETWORK, call=Call.BIND, object=b"", detail=(99, 9, 200, 0)
    ),
    "network_connect_refused_with_its_address": access(
        rule=3,
        section=Section.NETWORK,
        call=Call.CONNECT,
        object=b"",
        detail=(2, 1, 6, 16),
        address=IPV4,
        ancestry=ANCESTRY,
    ),
    "network_bind_seen_of_a_unix_socket": seen(
        Section.NETWORK, Call.BIND, detail=(1, 1, 0, 12), address=b"\x01\0/run/a b=c\0"
    ),
    "network_accept_seen": seen(
        Section.NETWORK, Call.ACCEPT, detail=(10, 1, 6, PEER_ADDRESS), address=IPV6, flags=CUT
    ),
    "dns_query_seen": seen(Section.NETWORK, Call.DNS, detail=(2, 2, 17, 16), address=DNS_SERVER, text=QUERY),
    "dns_query_seen_over_tcp": seen(
        Section.NETWORK, Call.DNS, detail=(2, 1, 6, 257), address=DNS_SERVER, text=b"\0\x21" + QUERY
    ),
    "dns_query_that_could_not_be_read": seen(
        Section.NETWORK, Call.DNS, detail=(2, 2, 17, 16), address=DNS_SERVER, text=b""
    ),
    "process_exit_seen_of_a_login": seen(
        Section.PROCESS, Call.EXIT, detail=(0, 0, 0, 0), login=1000, session=3
    ),
    "process_exit_seen": seen(Section.PROCESS, Call.EXIT, detail=(3 << 8, 0, 0, 0)),
    "process_killed_seen": seen(Section.PROCESS, Call.EXIT, detail=(0x8B, 0, 0, 0)),
    "file_rename_seen": seen(
        Section.FILE, Call.RENAME, object=b"/tmp/a", other=b"/tmp/b", detail=(1, 0, 0, 0), owner=33
    ),
    "setuid_seen": seen(Section.CAPABILITIES, Call.SETUID, detail=(0, 0, 33, 33)),
    "mount_seen": seen(
        Section.CAPABILITIES, Call.MOUNT, object=b"/mnt", detail=(6, 0, 0, 0), text=b"my disk\0ext4\0"
    ),
    "ptrace_seen": seen(Section.CAPABILITIES, Call.PTRACE, object=b"/usr/bin/sleep", detail=(18, 4242, 0, 0)),
    "bpf_seen": seen(Section.CAPABILITIES, Call.BPF, detail=(5, 0, 0, 0)),
    "capability_refused": access(
        rule=4, section=Section.CAPABILITIES, call=Call.CAPABLE, object=b"", detail=(13, 0, 0, 0)
    ),
    "capability_without_a_name": access(
        rule=POSTURE, section=Section.CAPABILITIES, call=Call.CAPABLE, object=b"", detail=(55, 0, 0, 0)
    ),
    "host_file_refused": access(
        workload=HOST, object=b"/root/.ssh/id", exe=b"/usr/bin/cat", tty=b"tty1", uid=0
    ),
    "host_file_seen": access(workload=HOST, rule=NONE, verdict=Verdict.PERMIT, object=b"/etc/hosts"),
    "unknown_rule": access(rule=4711),
    "unknown_table": access(generation=4),
    "unknown_workload": access(workload=STRANGER),
    "ids_at_their_limits": access(
        uid=2**32 - 2,
        owner=2**32 - 2,
        ns_tgid=0,
        ns_parent_tgid=0,
        parent_tgid=0,
        exe=b"",
        parent=b"",
        cwd=b"",
    ),
}


REPEATS: dict[str, tuple[Record | None, Repeat]] = {
    "repeats_file_read_refused": (CASES["file_read_refused"], repeat(count=9_999)),
    "repeats_network_raw_refused": (CASES["network_raw_refused"], repeat(rule=3, section=2, call=20)),
    "repeats_of_an_alert_that_is_not_known_here": (None, repeat(count=3)),
    "repeats_of_a_socket_that_is_not_known_here": (
        None, repeat(rule=POSTURE, section=Section.NETWORK, call=Call.CONNECT)
    ),
}  # fmt: skip
"""What slots counted, and the record that was the first."""


def translator() -> Translator:
    """One that knows the workloads and rules above, at a fixed time of day."""
    clock = Clock(boottime=lambda: 0, realtime=lambda: 1_795_000_000_000_000_000)
    made = Translator(clock, users=UserNames(Path(__file__).with_name("passwd")))
    made.add_workload(POD, POD_IDENTITY)
    made.add_rules(POD, GENERATION, RULES)
    made.add_workload(HOST, HOST_IDENTITY)
    made.add_rules(HOST, GENERATION, HOST_RULES)
    return made


def render(record: Record) -> str:
    """The JSON of a record, from its bytes on, laid out for reading."""
    line = msgspec.json.encode(translator().translate(decode(pack(record))))
    return msgspec.json.format(line, indent=2).decode() + "\n"


def render_repeats(first: Record | None, counted: Repeat) -> str:
    """The JSON of the alert for repeats, laid out for reading."""
    line = msgspec.json.encode(translator().repeats(counted, first))
    return msgspec.json.format(line, indent=2).decode() + "\n"


def files() -> dict[str, str]:
    """What the golden files hold, by their names."""
    return {name: render(record) for name, record in CASES.items()} | {
        name: render_repeats(*case) for name, case in REPEATS.items()
    }


def main() -> None:
    """Write all golden files, and no others stay."""
    DIRECTORY.mkdir(exist_ok=True)
    for stale in DIRECTORY.glob("*.json"):
        stale.unlink()
    for name, text in files().items():
        (DIRECTORY / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
