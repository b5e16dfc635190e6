# SPDX-License-Identifier: Apache-2.0
"""Every setting: how users name it, what it may be, and which attribute of `Settings` it becomes.

A setting that means what one of KubeArmor's means has KubeArmor's name. One name serves in all places: it is
the key in the file, `--NAME` the flag, and `HAUBERK_NAME` in capitals the variable. KubeArmor's own
variables, which have no prefix, are heeded as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, get_args

from hauberk.agent.config.endpoints import Address, Endpoint, Port
from hauberk.agent.config.kinds import (
    SECTIONS,
    Boolean,
    Choice,
    Kind,
    Labels,
    NamedSections,
    Names,
    Number,
    Overrides,
    Path,
    Patterns,
    Sections,
    Text,
)
from hauberk.agent.config.settings import HOST_NAME_LABEL, OnAgentLoss, Settings
from hauberk.rules.model import Posture
from hauberk.sinks.log_records import PLACES

PREFIX: Final = "HAUBERK_"
"""What the names of variables begin with."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `attribute` may lead into one of `Settings`' attributes (`postures.file`). `kubearmor`:
    KubeArmor has it, under the same name. `meaning` is a sentence without its full stop. `usual` is the
    default in words, if it depends on the machine."""

    key: str
    attribute: str
    kind: Kind
    meaning: str
    kubearmor: bool = False
    usual: str = ""

    @property
    def default(self) -> str:
        """What holds if nobody sets it, for people."""
        return self.usual or self.shown(Settings())

    @property
    def flag(self) -> str:
        """The option of `hauberk agent`."""
        return f"--{self.key}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables, the one that wins first."""
        name = self.key.upper()
        return (PREFIX + name, name) if self.kubearmor else (PREFIX + name,)

    def of(self, settings: Settings) -> Any:
        """The value."""
        return attrgetter(self.attribute)(settings)

    def shown(self, settings: Settings) -> str:
        """The value as the environment or a flag would have it."""
        return self.kind.text(self.of(settings))


_POSTURES: Final = tuple(str(posture) for posture in Posture)
_POSTURE_OF: Final = (("File", "file"), ("Network", "network"), ("Capabilities", "capabilities"))
_POSTURES_OF: Final = (
    ("default", "postures", "containers"),
    ("hostDefault", "host_postures", "the host and its services"),
)
_BESIDE: Final = "once the section has an Allow rule, in "
_SOCKET_BYTES: Final = 107
"""Longest name of a unix socket."""

SETTINGS: Final = (
    Setting(
        "policiesDirectory",
        "policies_directory",
        Path("DIR"),
        "Directory of policies that are in force as long as they lie there; it is watched",
    ),
    Setting("stateDirectory", "state_directory", Path("DIR"), "Directory of what the agent has to remember"),
    Setting("socket", "socket", Path(longest=_SOCKET_BYTES), "Socket on which commands ask the agent"),
    Setting(
        "socketGroup",
        "socket_group",
        Text("GROUP|none", words=(("none", ""),)),
        "Group whose members may ask the agent, besides root",
    ),
    Setting(
        "logPath",
        "alerts",
        Path("PATH|stdout|none", words=(("stdout", "-"), ("none", ""), ("-", "-"))),
        "Where alerts go, a JSON object a line",
        kubearmor=True,
    ),
    Setting(
        "logMaxMiB",
        "alerts_mib",
        Number(1, 1 << 20, none=True),
        "Before the file of alerts has more than this, in MiB, it is rotated",
    ),
    Setting(
        "logFiles", "alerts_files", Number(1, 1000), "How many files of alerts that were rotated are kept"
    ),
    Setting(
        "enableKubeArmorPolicy",
        "container_policy",
        Boolean(),
        "Whether policies bind containers",
        kubearmor=True,
    ),
    Setting(
        "enableKubeArmorHostPolicy",
        "host_policy",
        Boolean(),
        "Whether policies bind the host and its services",
        kubearmor=True,
    ),
    *(
        Setting(
            f"{prefix}{name}Posture",
            f"{attribute}.{section}",
            Choice(_POSTURES),
            f"What becomes of accesses that no rule names, {_BESIDE}{where}",
            kubearmor=True,
        )
        for prefix, attribute, where in _POSTURES_OF
        for name, section in _POSTURE_OF
    ),
    Setting(
        "namespacePostures",
        "namespace_postures",
        Overrides(tuple(section for _, section in _POSTURE_OF), _POSTURES),
        "Default postures that are others in some namespaces",
    ),
    Setting(
        "visibility",
        "visibility",
        Sections(tuple(SECTIONS), "SECTION,..."),
        "Sections whose permitted accesses are reported too, of containers",
        kubearmor=True,
    ),
    Setting(
        "namespaceVisibility",
        "namespace_visibility",
        NamedSections(),
        "The same for some namespaces, in place of `visibility`",
    ),
    Setting(
        "hostVisibility",
        "host_visibility",
        Sections(tuple(SECTIONS), "SECTION,..."),
        "Sections whose permitted accesses are reported too, of the host and its services",
        kubearmor=True,
    ),
    Setting(
        "untrackedNs", "untracked_namespaces", Names(), "Namespaces that no policy binds", kubearmor=True
    ),
    Setting("baseSet", "base_set", Boolean(), "Whether posture block leaves the base set readable"),
    Setting(
        "onAgentLoss",
        "on_agent_loss",
        Choice(get_args(OnAgentLoss)),
        "What becomes of containers that start while the agent does not run",
    ),
    Setting(
        "host",
        "node_name",
        Text("NAME"),
        "The node's name, in alerts and for host policies",
        kubearmor=True,
        usual="the machine's name",
    ),
    Setting(
        "nodeLabels",
        "node_labels",
        Labels(),
        "The node's labels, which host policies select; its name is always one of them",
        usual=f"{HOST_NAME_LABEL}=HOST",
    ),
    Setting("cluster", "cluster", Text("NAME"), "The cluster's name, in alerts", kubearmor=True),
    Setting(
        "tableMiB", "table_mib", Number(1, 512), "Room in the kernel for the tables of all workloads, in MiB"
    ),
    Setting("maxTasks", "max_tasks", Number(1024, 1 << 20), "How many tasks can be confined at once"),
    Setting(
        "alertThrottling",
        "throttling",
        Boolean(),
        "Whether clients get alerts together of which there are too many",
        kubearmor=True,
    ),
    Setting(
        "maxAlertPerSec",
        "max_alerts",
        Number(1, 100_000),
        "How many alerts of a workload clients get one by one in a second",
        kubearmor=True,
    ),
    Setting(
        "throttleSec",
        "throttle_seconds",
        Number(1, 3600),
        "For how many seconds, after more than that, alerts are told together",
        kubearmor=True,
    ),
    Setting(
        "alsoTo",
        "also_to",
        Names(PLACES, "journald,syslog"),
        "Logs of this machine that have alerts and logs too",
    ),
    Setting("maskArguments", "masks", Patterns(), "Secrets in arguments, which nobody is told"),
    Setting(
        "enableIMA", "hashes", Boolean(), "Whether clients get hashes of programs and files", kubearmor=True
    ),
    Setting("metricsAddress", "metrics", Endpoint(), "Where Prometheus finds metrics, under /metrics"),
    Setting(
        "historyMiB",
        "history_mib",
        Number(4, 1 << 16, none=True),
        "Room on disk for the last alerts and logs, which `hauberk logs` shows, in MiB",
    ),
    Setting("gRPC", "grpc_port", Port(), "Port of gRPC, for KubeArmor's clients", kubearmor=True),
    Setting(
        "gRPCHealthPort",
        "grpc_health_port",
        Port(),
        "Port at which gRPC tells whether it serves",
        kubearmor=True,
    ),
    Setting("gRPCAddress", "grpc_address", Address(), "Address at which gRPC listens"),
    Setting(
        "tlsEnabled",
        "tls_enabled",
        Boolean(),
        "Whether gRPC is encrypted and open to those with a certificate only",
        kubearmor=True,
    ),
    Setting(
        "tlsCertPath",
        "tls_directory",
        Path("DIR"),
        "Directory of the certificates that `hauberk certificates` makes",
        kubearmor=True,
    ),
    Setting(
        "gRPCCompat",
        "grpc_compat",
        Choice(("none", "plaintext")),
        "Whether alerts and logs are served without encryption at an address other than loopback",
    ),
)
BY_KEY: Final = {setting.key: setting for setting in SETTINGS}

_FOREIGN: Final = """
    tlsCertProvider seLinuxProfileDir criSocket nriSocket nriIndex
    enableNRI enableKubeArmorVm k8s debug hostDefaultDevicePosture coverageTest lsm bpfFsPath enforcerAlerts
    defaultPostureLogs initTimeout enableKubeArmorStateAgent
    annotateResources procfsMount machineIDPath useOCIHooks enableUSBDeviceHandler
    dropResourceFromProcessLogs matchArgs enableNetworkPolicyEnforcer
"""
FOREIGN: Final = frozenset(_FOREIGN.split())
"""KubeArmor's settings that the agent does not have."""
