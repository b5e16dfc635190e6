# SPDX-License-Identifier: Apache-2.0
"""What each kind of value may be: accepted as KubeArmor accepts it, refused with a hint, or warned about."""

from collections.abc import Callable

import pytest

from hauberk.policy.faults import Fault
from hauberk.policy.fields import CAPABILITIES, MAX_ELEMENTS, MAX_PATH_BYTES, PROTOCOLS
from hauberk.policy.load import Loaded
from hauberk.policy.models import KubeArmorPolicy, Policy

OnePolicy = Callable[..., Policy]
OneFault = Callable[..., Fault]
LoadSpec = Callable[..., Loaded]


def _quoted(text: str) -> str:
    escaped = "".join(f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


@pytest.mark.parametrize("path", ["/a", "//a", "/a b/ü*", "/a//b", "/-", "/.hidden", "/...", "/" + "ü" * 199])
def test_a_path_begins_with_a_slash_and_does_not_end_with_one(path: str, load_spec: LoadSpec) -> None:
    loaded = load_spec(f"file: {{matchPaths: [{{path: {_quoted(path)}}}]}}")
    (policy,) = loaded.policies
    assert policy.spec.file.match_paths[0].path == path


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("etc/x", "not an absolute path", "`/etc/x`"),
        ("", "not an absolute path", ""),
        ("/", "is a directory", "use matchDirectories with `dir: /`"),
        ("/etc/", "is a directory", "use matchDirectories with `dir: /etc/`"),
        ("/a\0b", "NUL", ""),
        ("/a\nb", "line break", "on one line"),
        ("/" + "x" * MAX_PATH_BYTES, f"{MAX_PATH_BYTES + 1} bytes long", ""),
    ],
)
def test_what_is_no_path_is_refused(path: str, message: str, hint: str, one_fault: OneFault) -> None:
    fault = one_fault(f"file: {{matchPaths: [{{path: {_quoted(path)}}}]}}")
    assert fault.field == "spec.file.matchPaths[0].path"
    assert message in fault.message
    assert hint in fault.hint


def test_a_long_path_is_taken_whole_and_warned_about(one_warning: OneFault, load_spec: LoadSpec) -> None:
    path = "/" + "x" * 200
    spec = f"file: {{matchPaths: [{{path: {path}}}]}}"
    assert "KubeArmor cuts this at 200" in one_warning(spec).message
    assert load_spec(spec).policies[0].spec.file.match_paths[0].path == path
    assert load_spec(spec.replace(path, path[:200])).warnings == ()


@pytest.mark.parametrize("path", ["/a/../b", "/./a", "/a/."])
def test_a_path_that_no_file_has_is_warned_about(path: str, one_warning: OneFault) -> None:
    assert "matches nothing" in one_warning(f"process: {{matchPaths: [{{path: {path}}}]}}").message


@pytest.mark.parametrize("directory", ["/", "/a/", "/a/b/", "//"])
def test_a_directory_begins_and_ends_with_a_slash(directory: str, one_policy: OnePolicy) -> None:
    policy = one_policy(f"file: {{matchDirectories: [{{dir: {directory}}}]}}")
    assert isinstance(policy, KubeArmorPolicy)
    assert policy.spec.file.match_directories[0].dir == directory


def test_a_directory_without_its_last_slash_gets_it_with_a_warning(
    one_warning: OneFault, load_spec: LoadSpec
) -> None:
    spec = "file: {matchDirectories: [{dir: /a/b}]}"
    warning = one_warning(spec)
    assert (warning.field, warning.hint) == ("spec.file.matchDirectories[0].dir", "write `/a/b/`")
    assert load_spec(spec).policies[0].spec.file.match_directories[0].dir == "/a/b/"


@pytest.mark.parametrize("directory", ["a/", "", "./a/"])
def test_what_is_no_directory_is_refused(directory: str, one_fault: OneFault) -> None:
    fault = one_fault(f"process: {{matchDirectories: [{{dir: '{directory}'}}]}}")
    assert "not an absolute directory" in fault.message


@pytest.mark.parametrize(
    ("name", "message"), [("a/b", "is a path"), ("", "is empty"), ("x" * 256, "longer than 255 bytes")]
)
def test_an_execname_is_a_name(name: str, message: str, one_fault: OneFault) -> None:
    assert message in one_fault(f"process: {{matchPaths: [{{execname: '{name}'}}]}}").message


def test_a_rule_that_names_no_program_is_refused(one_fault: OneFault) -> None:
    fault = one_fault("process: {matchPaths: [{ownerOnly: true}]}")
    assert (fault.field, fault.message) == ("spec.process.matchPaths[0]", "the rule names no program")


def test_a_source_is_a_program_and_no_directory(one_fault: OneFault) -> None:
    assert (
        "fromSource names programs"
        in one_fault("file: {matchPaths: [{path: /a, fromSource: [{path: /bin/}]}]}").message
    )


@pytest.mark.parametrize("pattern", ["/a/*", "/**/x", "/{a,b}/[^c]?", "/a\\*b", "memfd:*"])
def test_patterns_are_apparmors(pattern: str, one_policy: OnePolicy) -> None:
    policy = one_policy(f"file: {{matchPatterns: [{{pattern: '{pattern}'}}]}}")
    assert isinstance(policy, KubeArmorPolicy)
    assert policy.spec.file.match_patterns[0].pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        ("/a[b", "position 2: '[' is not closed", "add ']'"),
        ("/{a", "'{' is not closed", "add '}'"),
        ("*.conf", "a glob begins with '/'", "/**/"),
        ("", "is empty", ""),
    ],
)
def test_a_malformed_pattern_is_refused_with_its_position(
    pattern: str, message: str, hint: str, one_fault: OneFault
) -> None:
    fault = one_fault(f"file: {{matchPatterns: [{{pattern: '{pattern}'}}]}}")
    assert message in fault.message
    assert hint in fault.hint


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocols_are_all_lower_or_all_upper(name: str, one_policy: OnePolicy) -> None:
    policy = one_policy(f"network: {{matchProtocols: [{{protocol: '{name}, {name.upper()},udp'}}]}}")
    assert isinstance(policy, KubeArmorPolicy)
    assert policy.spec.network.match_protocols[0].protocols == (name, name, "udp")


@pytest.mark.parametrize(
    ("protocol", "message", "hint"),
    [
        ("tpc", "`tpc` is not a protocol", "did you mean `tcp`?"),
        ("xtcp", "`xtcp` is not a protocol", "did you mean `tcp`?"),
        ("udp,tpc", "`tpc` is not a protocol", "did you mean `tcp`?"),
        ("Tcp", "neither all lower nor all upper", "write `tcp`"),
        ("tcp,,udp", "empty element", ""),
        ("", "is empty", ""),
        ("~", "`~` is not a protocol", "known: tcp, udp"),
        (",".join(["tcp"] * (MAX_ELEMENTS + 1)), f"{MAX_ELEMENTS + 1} elements", ""),
    ],
)
def test_what_is_no_protocol_is_refused(protocol: str, message: str, hint: str, one_fault: OneFault) -> None:
    fault = one_fault(f"network: {{matchProtocols: [{{protocol: '{protocol}'}}]}}")
    assert message in fault.message
    assert hint in fault.hint


def test_all_capabilities_of_linux_are_known_by_their_number(load_spec: LoadSpec) -> None:
    assert len(CAPABILITIES) == 41
    assert (CAPABILITIES[0], CAPABILITIES[13], CAPABILITIES[21], CAPABILITIES[40]) == (
        "chown",
        "net_raw",
        "sys_admin",
        "checkpoint_restore",
    )
    loaded = load_spec(f"capabilities: {{matchCapabilities: [{{capability: '{','.join(CAPABILITIES)}'}}]}}")
    assert loaded.policies[0].spec.capabilities.match_capabilities[0].capabilities == CAPABILITIES


@pytest.mark.parametrize("name", CAPABILITIES[34:])
def test_a_newer_capability_is_accepted_with_a_warning(name: str, one_warning: OneFault) -> None:
    assert (
        f"KubeArmor does not know `{name}`"
        in one_warning(f"capabilities: {{matchCapabilities: [{{capability: {name}}}]}}").message
    )


def test_a_capability_with_its_prefix_is_accepted_with_a_warning(
    one_warning: OneFault, load_spec: LoadSpec
) -> None:
    spec = "capabilities: {matchCapabilities: [{capability: cap_net_raw}]}"
    assert one_warning(spec).hint == "write `net_raw`"
    assert load_spec(spec).policies[0].spec.capabilities.match_capabilities[0].capabilities == ("net_raw",)


@pytest.mark.parametrize(
    ("capability", "hint"),
    [("NET_RAW", "write `net_raw`"), ("CAP_CHOWN", "write `chown`"), ("net_row", "did you mean `net_raw`?")],
)
def test_what_is_no_capability_is_refused(capability: str, hint: str, one_fault: OneFault) -> None:
    assert one_fault(f"capabilities: {{matchCapabilities: [{{capability: {capability}}}]}}").hint == hint


@pytest.mark.parametrize(
    "where", ["{0}", "file: {{matchPaths: [{{path: /a, {0}}}]}}", "file: {{matchPaths: [{{path: /a}}], {0}}}"]
)
@pytest.mark.parametrize("action", ["allow", "audit", "block"])
def test_a_lower_case_action_is_taken_with_a_warning(where: str, action: str, load_spec: LoadSpec) -> None:
    loaded = load_spec(where.format(f"action: {action}"))
    assert loaded.faults == ()
    said = [warning for warning in loaded.warnings if warning.field.endswith("action")]
    assert [warning.hint for warning in said] == [f"write `{action.capitalize()}`"]
    assert action.capitalize() in repr(loaded.policies[0])


@pytest.mark.parametrize(
    ("action", "hint"),
    [
        ("BLOCK", "did you mean `Block`?"),
        ("deny", "one of Allow, Audit, Block"),
        ("yes", "one of"),
        ("''", "one of"),
    ],
)
def test_what_is_no_action_is_refused(action: str, hint: str, one_fault: OneFault) -> None:
    assert hint in one_fault(f"action: {action}").hint


@pytest.mark.parametrize("severity", ["1", "10", "5.0", "0x5", "0o7"])
def test_a_severity_is_a_whole_number_from_1_to_10(severity: str, load_spec: LoadSpec) -> None:
    assert load_spec(f"severity: {severity}").faults == ()


@pytest.mark.parametrize(
    ("severity", "message", "hint"),
    [
        ("0", "must be at least 1, and is 0", ""),
        ("11", "must be at most 10, and is 11", ""),
        ("'5'", "must be a whole number, and `5` is none", "remove the quotes"),
        ("5.5", "must be a whole number, and `5.5` is none", ""),
        ("high", "must be a whole number, and `high` is none", ""),
        ("yes", "must be a whole number, and `yes` is none", ""),
    ],
)
def test_another_severity_is_refused(severity: str, message: str, hint: str, one_fault: OneFault) -> None:
    fault = one_fault(f"severity: {severity}")
    assert (fault.field, fault.message, fault.hint) == ("spec.severity", message, hint)


@pytest.mark.parametrize("flag", ["true", "yes", "on", "True"])
def test_yes_and_on_are_true_as_in_kubernetes(flag: str, one_policy: OnePolicy) -> None:
    policy = one_policy(f"file: {{matchPaths: [{{path: /a, readOnly: {flag}}}]}}")
    assert isinstance(policy, KubeArmorPolicy)
    assert policy.spec.file.match_paths[0].read_only is True


@pytest.mark.parametrize(("flag", "hint"), [("'true'", "remove the quotes"), ("1", ""), ("maybe", "")])
def test_a_flag_is_true_or_false(flag: str, hint: str, one_fault: OneFault) -> None:
    fault = one_fault(f"file: {{matchPaths: [{{path: /a, readOnly: {flag}}}]}}")
    assert "must be true or false" in fault.message
    assert fault.hint == hint


@pytest.mark.parametrize(
    ("spec", "field", "written"),
    [
        ("message: 5", "spec.message", "5"),
        ("message: yes", "spec.message", "yes"),
        ("tags: [a, 5]", "spec.tags[1]", "5"),
        ("selector: {matchLabels: {app: 8080}}", "spec.selector.matchLabels.app", "8080"),
        ("selector: {matchLabels: {on: off}}", "spec.selector.matchLabels.true", "off"),
        (
            "process: {matchPaths: [{execname: 7z, allowedArgs: [-1]}]}",
            "spec.process.matchPaths[0].allowedArgs[0]",
            "-1",
        ),
    ],
)
def test_a_text_that_looks_like_something_else_must_be_quoted(
    spec: str, field: str, written: str, one_fault: OneFault
) -> None:
    fault = one_fault(spec)
    assert (fault.field, fault.hint) == (field, f"quote it: `'{written}'`")


def test_at_most_20_arguments_can_be_allowed(one_fault: OneFault, load_spec: LoadSpec) -> None:
    spec = "process: {{matchPaths: [{{path: /a, allowedArgs: [{0}]}}]}}"
    assert load_spec(spec.format(", ".join("a" * 20))).faults == ()
    assert "has 21 entries, at most 20" in one_fault(spec.format(", ".join("a" * 21))).message


@pytest.mark.parametrize(
    ("spec", "kind", "hint"),
    [
        ("syscalls: {matchSyscalls: [{syscall: [opne]}]}", "KubeArmorPolicy", "did you mean `open`?"),
        (
            "selector: {matchExpressions: [{key: namespace, operator: In, values: [a]}]}",
            "KubeArmorPolicy",
            "only `label` is possible",
        ),
        (
            "selector: {matchExpressions: [{key: pod, operator: In, values: [a]}]}",
            "KubeArmorClusterPolicy",
            "one of namespace, label",
        ),
        (
            "selector: {matchExpressions: [{key: label, operator: Exists}]}",
            "KubeArmorPolicy",
            "one of In, NotIn",
        ),
        ("{nodeSelector: {}, level: node}", "KubeArmorNetworkPolicy", "one of Pod, Policy, pod, policy"),
        ("{nodeSelector: {}, egress: [{limit: 5TB}]}", "KubeArmorNetworkPolicy", "such as `500MB`"),
        (
            "{nodeSelector: {}, egress: [{ports: [{port: '1', protocol: icmp}]}]}",
            "KubeArmorNetworkPolicy",
            "one of TCP",
        ),
        ("{nodeSelector: {}, egress: [{ports: [{port: 80}]}]}", "KubeArmorNetworkPolicy", "quote it: `'80'`"),
    ],
)
def test_a_value_outside_its_few_words_is_refused(
    spec: str, kind: str, hint: str, one_fault: OneFault
) -> None:
    assert hint in one_fault(spec, kind).hint


def test_a_port_range_ends_below_65536(one_fault: OneFault) -> None:
    spec = "{nodeSelector: {}, egress: [{ports: [{port: '1', endPort: 65536}]}]}"
    assert "at most 65535" in one_fault(spec, "KubeArmorNetworkPolicy").message


@pytest.mark.parametrize("name", ["read", "open", "rseq", "openat2", "io_uring_setup", "_sysctl"])
def test_system_calls_go_by_their_x86_64_names(name: str, load_spec: LoadSpec) -> None:
    assert load_spec(f"syscalls: {{matchSyscalls: [{{syscall: [{name}]}}]}}").faults == ()
