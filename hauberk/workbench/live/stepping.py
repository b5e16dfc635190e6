# SPDX-License-Identifier: Apache-2.0
"""The steps of a scenario, and what they expect."""

import shlex
from typing import Final

from hauberk.policy.document import Scalar
from hauberk.workbench.live.fields import Fields
from hauberk.workbench.live.goregexp import RegexpError, compile_go
from hauberk.workbench.live.scenario import AlertPattern, Condition, Step

ALERT_FIELDS: Final = {
    "action": "Action",
    "cluster": "ClusterName",
    "container": "ContainerName",
    "cwd": "Cwd",
    "data": "Data",
    "enforcer": "Enforcer",
    "host": "HostName",
    "image": "ContainerImage",
    "labels": "Labels",
    "message": "Message",
    "namespace": "NamespaceName",
    "operation": "Operation",
    "parent": "ParentProcessName",
    "pod": "PodName",
    "policy": "PolicyName",
    "process": "ProcessName",
    "resource": "Resource",
    "result": "Result",
    "severity": "Severity",
    "source": "Source",
    "tags": "Tags",
    "tty": "TTY",
    "type": "Type",
    "uid": "UID",
}
"""What scenarios call the fields of an alert."""
HOW: Final = ("contains", "matches", "not")
"""What may follow a field's name."""
_ODD: Final = frozenset({"operations", "count", "resource_empty"})
"""What some of KubeArmor's tests expect of logs, and nothing here looks for."""
EXITS: Final = ("ok", "fail", "any")


def read_step(fields: Fields) -> Step:
    """One step."""
    for key in ("note", "notes", "depends_on_posture", "acts_as"):
        fields.get(key)  # For people: the command itself says it all.
    before = fields.flag("before_policy")
    apply, delete = fields.texts("apply"), fields.texts("delete")
    argv = _command(fields)
    settings = fields.pairs("set_config")
    expect = fields.mapping("expect")
    log = fields.mapping("expect_log")
    is_log_odd = log is not None and bool(_ODD & set(log.node.entries))
    step = Step(
        line=fields.line,
        target=fields.text("target"),
        argv=argv,
        user=fields.text("user", "root"),
        cwd=fields.text("cwd"),
        tty=fields.flag("tty", True),
        retry=fields.flag("retry"),
        is_before=before,
        apply=apply,
        delete=delete,
        settings=settings,
        exit=_exit(expect) if expect else "any",
        output_matches=_regexps(expect, "output_matches"),
        output_contains=expect.texts("output_contains") if expect else (),
        output_not_matches=_regexps(expect, "output_not_matches"),
        output_not_contains=expect.texts("output_not_contains") if expect else (),
        alert=_alert(fields, "expect_alert"),
        no_alert=_alert(fields, "expect_no_alert"),
        log=None if is_log_odd else _alert(fields, "expect_log"),
        is_log_odd=is_log_odd,
    )
    if expect:
        expect.finish()
    if not (argv or settings or apply or delete):
        fields.faults.add(fields.line, fields.name("exec"), "is missing")
    fields.finish()
    return step


def _command(fields: Fields) -> tuple[str, ...]:
    node = fields.get("exec")
    if not isinstance(node, Scalar):
        return fields.texts("exec")
    try:
        return tuple(shlex.split(node.text))
    except ValueError as error:
        fields.wrong("exec", f"{error}", node)
        return ()


def _exit(fields: Fields) -> str:
    text = fields.text("exit", "any")
    if text not in EXITS and not text.isdecimal():
        fields.wrong("exit", f"`{text}` is neither a number nor one of {', '.join(EXITS)}")
    return text


def _regexps(fields: Fields | None, key: str) -> tuple[str, ...]:
    texts = fields.texts(key) if fields else ()
    for text in texts:
        _check_regexp(fields, key, text)
    return texts


def _check_regexp(fields: Fields | None, key: str, text: str) -> None:
    try:
        compile_go(text)
    except RegexpError as error:
        if fields:
            fields.wrong(key, error.message)


def _alert(fields: Fields, key: str) -> AlertPattern | None:
    found = fields.mapping(key)
    if found is None:
        return None
    at_least = found.number("count_min", 1)
    is_any = found.flag("any")
    conditions = []
    for name in found.node.entries:
        if name in ("count_min", "any"):
            continue
        field, how = name, "is"
        for suffix in HOW:
            if name.endswith(f"_{suffix}"):
                field, how = name.removesuffix(f"_{suffix}"), suffix
        if field not in ALERT_FIELDS:
            known = ", ".join(ALERT_FIELDS)
            found.wrong(name, f"no field of an alert is called so; known: {known}, each also with _contains,"
                        " _matches or _not behind it")  # fmt: skip
            continue
        value = found.text(name)
        if how == "matches":
            _check_regexp(found, name, value)
        conditions.append(Condition(field, how, value))
    if is_any and conditions:
        found.wrong("any", "cannot stand beside other conditions")
    return AlertPattern(tuple(conditions), at_least)
