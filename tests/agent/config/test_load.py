# SPDX-License-Identifier: Apache-2.0
"""Settings come from file, environment and flags, and whoever writes something wrong is told where."""

import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hauberk.agent.config import load as loading
from hauberk.agent.config.load import Loaded, SettingsError, load
from hauberk.agent.config.settings import Settings
from hauberk.agent.config.table import BY_KEY, FOREIGN, SETTINGS
from hauberk.rules.model import Posture, Postures, Section, Seen


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.yaml"


def write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)  # whatever the umask is


def of(file: Path, text: str, environment: Mapping[str, str] | None = None, **flags: str) -> Loaded:
    write(file, text)
    return load(file, environment or {}, flags)


def faults(file: Path, text: str, environment: Mapping[str, str] | None = None, **flags: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        of(file, text, environment, **flags)
    for fault in caught.value.faults:
        assert fault in caught.value.message
    return [fault.removeprefix(f"{file}:") for fault in caught.value.faults]


def test_without_anything_the_defaults_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "nowhere" / "agent.yaml")
    loaded = load(None, {}, {})
    assert loaded.settings == Settings()
    assert {row.origin for row in loaded.rows()} == {"default"}


def test_the_default_file_is_read_if_it_is_there(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(loading, "DEFAULT_FILE", file)
    write(file, "cluster: blue\n")
    assert load(None, {}, {}).settings.cluster == "blue"


def test_an_empty_file_sets_nothing(file: Path) -> None:
    assert of(file, "# nothing yet\n").settings == Settings()


def test_flags_win_over_variables_and_these_over_the_file(file: Path) -> None:
    text = "cluster: file\nhost: file\nonAgentLoss: refuse\n"
    loaded = of(file, text, {"HAUBERK_CLUSTER": "variable", "HAUBERK_HOST": "variable"}, cluster="flag")
    assert (loaded.settings.cluster, loaded.settings.node_name, loaded.settings.on_agent_loss) == (
        "flag",
        "variable",
        "refuse",
    )
    rows = {row.key: (row.value, row.origin) for row in loaded.rows()}
    assert rows["cluster"] == ("flag", "--cluster")
    assert rows["host"] == ("variable", "HAUBERK_HOST")
    assert rows["onAgentLoss"] == ("refuse", f"{file}:3")
    assert rows["logPath"] == ("stdout", "default")
    assert list(rows) == [setting.key for setting in SETTINGS]


def test_kubearmors_variables_are_heeded_and_ours_win(file: Path) -> None:
    assert of(file, "", {"VISIBILITY": "process"}).settings.visibility == (Section.PROCESS,)
    both = of(file, "", {"VISIBILITY": "process", "HAUBERK_VISIBILITY": "file"})
    assert both.settings.visibility == (Section.FILE,)
    assert both.origins["visibility"] == "HAUBERK_VISIBILITY"
    assert of(file, "", {"BASESET": "false"}).settings.base_set, "KubeArmor has no such setting"


def test_an_empty_variable_is_none(file: Path) -> None:
    assert of(file, "", {"HAUBERK_HOST": "", "CLUSTER": ""}).origins == {}


VALUES: list[tuple[str, str, str, Any]] = [
    ("policiesDirectory", "/srv/policies", "/srv/policies", "/srv/policies"),
    ("stateDirectory", "/srv/state", "/srv/state", "/srv/state"),
    ("socket", "/run/a/b.sock", "/run/a/b.sock", "/run/a/b.sock"),
    ("socketGroup", "wheel", "wheel", "wheel"),
    ("logPath", "none", "none", ""),
    ("logMaxMiB", "100", "100", 100),
    ("logFiles", "3", "3", 3),
    ("enableKubeArmorPolicy", "no", "0", False),
    ("enableKubeArmorHostPolicy", "false", "f", False),
    ("defaultFilePosture", "block", "block", Posture.BLOCK),
    ("defaultNetworkPosture", "allow", "allow", Posture.ALLOW),
    ("defaultCapabilitiesPosture", "block", "block", Posture.BLOCK),
    ("hostDefaultFilePosture", "block", "block", Posture.BLOCK),
    ("hostDefaultNetworkPosture", "allow", "allow", Posture.ALLOW),
    ("hostDefaultCapabilitiesPosture", "block", "block", Posture.BLOCK),
    (
        "namespacePostures",
        "{a: {file: block, network: allow}, b: {file: audit}}",
        "a/file=block, a/network=allow,b/file=audit",
        {"a": {"file": "block", "network": "allow"}, "b": {"file": "audit"}},
    ),
    (
        "visibility",
        "[network, process, network]",
        "network,process,network",
        (Section.NETWORK, Section.PROCESS),
    ),
    (
        "namespaceVisibility",
        "{a: [process, dns], b: none}",
        "a=process+dns,b=none",
        {"a": (Seen.PROCESS, Seen.DNS), "b": ()},
    ),
    ("hostVisibility", "'file, capabilities'", "file,capabilities", (Section.FILE, Section.CAPABILITIES)),
    ("untrackedNs", "none", "none", ()),
    ("baseSet", "off", "off", False),
    ("onAgentLoss", "refuse", "refuse", "refuse"),
    ("host", "'007'", "007", "007"),
    (
        "nodeLabels",
        "{site: berlin, empty: ''}",
        "site=berlin,empty=",
        {"kubearmor.io/hostname": Settings().node_name, "site": "berlin", "empty": ""},
    ),
    ("cluster", "'yes'", "yes", "yes"),
    ("tableMiB", "0x10", "16", 16),
    ("maxTasks", "65536", "65536", 65536),
    ("alertThrottling", "false", "false", False),
    ("maxAlertPerSec", "100", "100", 100),
    ("throttleSec", "5", "5", 5),
    ("alsoTo", "[syslog, journald]", "syslog,journald", ("syslog", "journald")),
    (
        "maskArguments",
        r"[default, 'corp-\w+', '(?i)pin=(\d{4})']",
        r"default corp-\w+ (?i)pin=(\d{4})",
        ("default", r"corp-\w+", r"(?i)pin=(\d{4})"),
    ),
    ("enableIMA", "true", "true", True),
    ("metricsAddress", "'[::1]:9100'", "[::1]:9100", "[::1]:9100"),
    ("historyMiB", "none", "0", 0),
    ("gRPC", "'4000'", "4000", 4000),
    ("gRPCHealthPort", "none", "none", 0),
    ("gRPCAddress", "'::1'", "::1", "::1"),
    ("tlsEnabled", "true", "1", True),
    ("tlsCertPath", "/srv/tls", "/srv/tls", "/srv/tls"),
    ("gRPCCompat", "plaintext", "plaintext", "plaintext"),
]


@pytest.mark.parametrize(("key", "yaml", "text", "value"), VALUES, ids=[value[0] for value in VALUES])
def test_a_value_is_the_same_from_everywhere(file: Path, key: str, yaml: str, text: str, value: Any) -> None:
    setting = BY_KEY[key]
    written = of(file, f"{key}: {yaml}")
    assert setting.of(written.settings) == value != setting.of(Settings())
    assert of(file, "", {f"HAUBERK_{key.upper()}": text}).settings == written.settings
    assert of(file, "", **{key: text}).settings == written.settings
    assert of(file, "", **{key: setting.shown(written.settings)}).settings == written.settings


def test_every_setting_has_a_value_in_these_tests() -> None:
    assert [value[0] for value in VALUES] == [setting.key for setting in SETTINGS]


def test_every_attribute_has_a_setting() -> None:
    attributes = {setting.attribute.partition(".")[0] for setting in SETTINGS}
    assert attributes == {field.name for field in msgspec.structs.fields(Settings)}


def test_no_name_is_one_of_kubearmors_other_settings() -> None:
    assert not FOREIGN & BY_KEY.keys()


def test_all_faults_are_told_at_once(file: Path) -> None:
    text = (
        "clutser: a\ndefaultFilePosture: Block\nvisibility: [file, fle]\nnriIndex: 1\ntableMiB: 4096\n"
        "host: 007\n"
    )
    told = faults(file, text, {"HAUBERK_BASESET": "maybe", "HAUBERK_ONAGENTLOS": "refuse"}, logPath="alerts")
    assert told == [
        "1:1: there is no setting `clutser` (did you mean `cluster`?)",
        "2:21: defaultFilePosture: must be one of allow, audit, block, and is `Block`",
        "3:20: visibility: must be one of process, file, network, capabilities, dns, and is `fle`",
        "4:1: `nriIndex` is a setting of KubeArmor that this agent does not have (remove it)",
        "5:11: tableMiB: must be a whole number from 1 to 512, and is `4096`",
        "6:7: host: must be text, and `007` is a number in YAML (quote it: `'007'`)",
        "HAUBERK_BASESET: must be true or false, and is `maybe`",
        "HAUBERK_ONAGENTLOS: there is no such setting (did you mean `HAUBERK_ONAGENTLOSS`?)",
        "--logPath: must be an absolute path, and is `alerts` (or one of stdout, none, -)",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("host: ''", "1:7: host: must not be empty"),
        ("host: [a]", "1:7: host: must be text, and is a list"),
        ("host:", "1:6: host: must be text, and is nothing"),
        (f"host: {'a' * 254}", "1:7: host: must be at most 253 printable characters"),
        ('cluster: "a\\nb"', "1:10: cluster: must be at most 253 printable characters"),
        ("socket: run/agent", "1:9: socket: must be an absolute path, and is `run/agent`"),
        (f"socket: /{'a' * 107}", "1:9: socket: must be a path of at most 107 bytes"),
        ("maskArguments: [a, '(']", "1:20: maskArguments: `(` is no pattern that can be used: missing ): ("),
        ("maskArguments: 'a*'", "1:16: maskArguments: `a*` is no pattern that can be used: matches an empty"),
        ("maskArguments: [1]", "1:17: maskArguments: must be text, and `1` is a number"),
        (f"maskArguments: '{'a' * 513}'", "has more than 512 characters"),
        (f"maskArguments: [{'a,' * 65}]", "1:16: maskArguments: has more than 64 patterns"),
        *(
            (f"metricsAddress: '{wrong}'", f"must be an IP address and a port, and is `{wrong}`")
            for wrong in (
                "9100",
                "localhost:9100",
                "127.0.0.1:0",
                "127.0.0.1:65536",
                "::1:9100",
                "[127.0.0.1]:1",
            )
        ),
        ("gRPC: 70000", "1:7: gRPC: must be a port, from 1 to 65535, or none, and is `70000`"),
        ("gRPC: -1", "1:7: gRPC: must be a port, from 1 to 65535, or none, and is `-1`"),
        (
            "gRPCAddress: localhost",
            "1:14: gRPCAddress: must be an IP address, and is `localhost` (as 127.0.0.1, or ::1)",
        ),
        ("baseSet: 1", "1:10: baseSet: must be true or false, and is `1`"),
        (
            "historyMiB: 3",
            "1:13: historyMiB: must be a whole number from 4 to 65536, and is `3` (or `none`)",
        ),
        ("maxTasks: true", "1:11: maxTasks: must be a whole number from 1024 to 1048576, and is `true`"),
        (
            "visibility: {file: true}",
            "1:13: visibility: must be a list, and is a mapping (`none` is the empty one)",
        ),
        (
            "nodeLabels: {a: true}",
            "1:17: nodeLabels: must be text, and `true` is a truth value in YAML (quote it: `'true'`)",
        ),
        (
            "nodeLabels: [a]",
            "1:13: nodeLabels: must be a mapping, and is a list (write `NAME: VALUE` lines below it)",
        ),
        (
            "namespacePostures: {a: {files: block}}",
            "1:32: namespacePostures: `files` has no posture (did you mean `file`?)",
        ),
        (
            "namespacePostures: {a: block}",
            "1:24: namespacePostures: must be a mapping, and is `block` (write `NAME: VALUE` lines below it)",
        ),
        ("host: a\nhost: b", "2:1: the field `host` is there twice"),
        ("- host", "1:1: has to be `NAME: VALUE` lines"),
        ("host: a\n---\ncluster: b", "3:1: is a second document (join it with the first one)"),
        ("host: [", "2:1: not valid YAML"),
        (f"untrackedNs: [{'a,' * 10_001}]", "more than 10000 values"),
    ],
)
def test_a_fault_in_the_file_is_told_with_its_place(file: Path, text: str, fault: str) -> None:
    (told,) = faults(file, text)
    assert fault in told


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("nodeLabels", "site"),
        ("nodeLabels", "=berlin"),
        ("nodeLabels", "a=1,a=2"),
        ("namespacePostures", "a=block"),
        ("namespacePostures", "file"),
    ],
)
def test_texts_of_mappings_have_a_form(file: Path, key: str, text: str) -> None:
    (told,) = faults(file, "", **{key: text})
    assert told == f"--{key}: must be of the form {BY_KEY[key].kind.form}, and is `{text}`"


def test_a_value_that_loses_is_judged_too(file: Path) -> None:
    (told,) = faults(file, "tableMiB: 0", tableMiB="8")
    assert told.startswith("1:11: tableMiB")


def test_the_name_label_follows_the_name(file: Path) -> None:
    loaded = of(file, "host: node-7\nnodeLabels: {site: berlin}")
    assert loaded.settings.node_labels == {"kubearmor.io/hostname": "node-7", "site": "berlin"}
    (told,) = faults(file, "nodeLabels: {kubearmor.io/hostname: other}", host="node-7")
    assert told == "1: kubearmor.io/hostname is not the node's name (set `host` instead)"


def test_other_variables_of_hauberk_are_no_faults(file: Path) -> None:
    of(file, "", {"HAUBERK_DEBUG": "1", "HAUBERK_CACHE": "/tmp", "HAUBERK_FULL": "1"})


def test_settings_can_be_handed_to_another_process(file: Path) -> None:
    settings = of(file, "defaultFilePosture: block").settings
    assert settings.postures == Postures(file=Posture.BLOCK)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_reading_settings_does_without_pydantic() -> None:
    code = "import sys, hauberk.agent.config.load; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_postures_and_sections_are_those_of_the_rules() -> None:
    """A word that only looks like a posture would compare with none, and nothing would be refused."""
    flags = {"defaultFilePosture": "block", "hostDefaultNetworkPosture": "allow", "visibility": "file"}
    settings = load(None, {}, flags).settings
    assert settings.postures.file is Posture.BLOCK
    assert settings.host_postures.network is Posture.ALLOW
    assert settings.visibility == (Section.FILE,)


def test_grpc_is_not_opened_to_other_machines_without_saying_how(file: Path) -> None:
    (told,) = faults(file, "cluster: a\ngRPCAddress: 0.0.0.0\n")
    assert told.startswith(
        "2: 0.0.0.0 can be reached by other machines, and gRPC is not encrypted (set tlsEn"
    )
    for how in ("tlsEnabled: true", "gRPCCompat: plaintext", "gRPC: none"):
        assert of(file, f"gRPCAddress: 0.0.0.0\n{how}\n").settings.grpc_address == "0.0.0.0"
    (told,) = faults(file, "tlsEnabled: true\ngRPCCompat: plaintext\n")
    assert "exclude each other" in told
