# SPDX-License-Identifier: Apache-2.0
"""The values that policy fields can hold: paths, names, protocols, capabilities, actions.

Each type says what KubeArmor's custom resource definitions accept. What they refuse is a fault, unless it can
only mean one thing (a directory without its trailing slash, a path longer than 200 characters, a newer
capability): that is accepted with a warning, as is what is valid there but surely not meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final, Protocol, cast

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr, ValidationInfo
from pydantic_core import PydanticCustomError

from hauberk.automaton.errors import PatternError
from hauberk.automaton.patterns import Glob
from hauberk.policy.words import did_you_mean, shorten

MAX_PATH_BYTES: Final = 4096
"""Longest path, directory or pattern, in bytes of UTF-8: Linux's PATH_MAX."""

KUBEARMOR_PATH_CHARACTERS: Final = 200
"""What KubeArmor keeps of a path; longer ones it refuses or cuts."""

MAX_ALLOWED_ARGUMENTS: Final = 20
"""Most arguments one rule may allow."""

MAX_ELEMENTS: Final = 256
"""Most elements of a comma list of protocols, capabilities or domains."""


class Action(StrEnum):
    """What a rule does. The values are KubeArmor's spelling."""

    ALLOW = "Allow"
    AUDIT = "Audit"
    BLOCK = "Block"


class Listener(Protocol):
    """Takes warnings about values while a document is validated; it knows where in the document that is."""

    def warn(self, field_name: str | None, message: str, hint: str = "") -> None:
        """Report a value of the field `field_name` that is accepted but worth a word."""


PROTOCOLS: Final = (
    "tcp", "udp", "raw", "icmp", "icmpv6", "sctp", "stream", "dgram", "rdm", "seqpacket", "dccp", "packet",
    "all",
)  # fmt: skip
"""The protocol and socket type names of `network.matchProtocols`."""

CAPABILITIES: Final = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip
"""All capabilities of Linux; the position of a name is the capability's number."""

KUBEARMOR_LAST_CAPABILITY: Final = CAPABILITIES.index("mac_admin")
"""KubeArmor's definitions end here; what Linux added later they refuse."""

PRESETS: Final = ("anonymousMapExec", "filelessExec", "protectEnv", "exec", "protectProc")
"""The presets that KubeArmor knows."""


def refuse(message: str, hint: str | Callable[[], str] = "") -> PydanticCustomError:
    """Return the error for a validator to raise: `message` is what is wrong, `hint` what to write instead.

    A hint that takes time to find is given as a function, called only for the faults that are shown.
    """
    return PydanticCustomError("policy_value", "{message}", {"message": message, "hint": hint})


def _warn(info: ValidationInfo, message: str, hint: str = "") -> None:
    if info.context is not None:
        cast(Listener, info.context).warn(info.field_name, message, hint)


def _path_text(text: str, info: ValidationInfo, what: str) -> None:
    """Raise if no path, directory or pattern can be `text`; warn if KubeArmor would not take all of it."""
    if "\0" in text:
        raise refuse(f"a {what} cannot contain a NUL character")
    size = len(text.encode())
    if size > MAX_PATH_BYTES:
        raise refuse(f"the {what} is {size} bytes long, the longest possible is {MAX_PATH_BYTES}")
    if len(text) > KUBEARMOR_PATH_CHARACTERS:
        _warn(info, f"KubeArmor cuts this at {KUBEARMOR_PATH_CHARACTERS} characters; Hauberk takes all of it")


def _one_line(text: str, what: str) -> None:
    # A file can have such a name, but a text with `|` or `>` got it by mistake; a pattern can still match it.
    if "\n" in text:
        raise refuse(f"a {what} cannot contain a line break", "put the text on one line, without `|` or `>`")


def _from_root(text: str) -> str:
    return f"begin it with `/`: `/{shorten(text)}`" if text else ""


def _components(text: str, info: ValidationInfo) -> None:
    if "/." in text and any(part in (".", "..") for part in text.split("/")):
        _warn(info, "matches nothing: real paths have no `.` and `..`", "write the path without them")


_PLAIN: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[^\0\n/]+)+")
"""A path that nothing has to be said of, if it is not long."""


def _path(text: str, info: ValidationInfo) -> str:
    if len(text) <= KUBEARMOR_PATH_CHARACTERS and _PLAIN.fullmatch(text):
        return text
    _path_text(text, info, "path")
    _one_line(text, "path")
    if not text.startswith("/"):
        raise refuse(f"`{shorten(text)}` is not an absolute path", _from_root(text))
    if text.endswith("/"):
        raise refuse(
            f"`{shorten(text)}` ends with `/`, so it is a directory and not a path",
            f"use matchDirectories with `dir: {shorten(text)}`",
        )
    _components(text, info)
    return text


def _source_path(text: str, info: ValidationInfo) -> str:
    if text.startswith("/") and text.endswith("/"):
        raise refuse(f"`{shorten(text)}` is a directory; fromSource names programs, each by its full path")
    return _path(text, info)


def _directory(text: str, info: ValidationInfo) -> str:
    _path_text(text, info, "directory")
    _one_line(text, "directory")
    if not text.startswith("/"):
        raise refuse(f"`{shorten(text)}` is not an absolute directory", _from_root(text))
    if not text.endswith("/"):
        _warn(info, "a directory ends with `/`; KubeArmor refuses it without", f"write `{shorten(text)}/`")
        text += "/"
    _components(text, info)
    return text


def _syscall_path(text: str, info: ValidationInfo) -> str:
    _path_text(text, info, "path")
    _one_line(text, "path")
    if not text.startswith("/"):
        raise refuse(f"`{shorten(text)}` is not an absolute path", _from_root(text))
    return text


def _exec_name(text: str, info: ValidationInfo) -> str:
    _path_text(text, info, "program name")
    if not text:
        raise refuse("the program name is empty")
    if "/" in text:
        raise refuse(f"`{shorten(text)}` is a path; execname is a name without `/`", "use `path` for it")
    if len(text.encode()) > 255:
        raise refuse("the program name is longer than 255 bytes, the longest file name possible")
    return text


def _pattern(text: str, info: ValidationInfo) -> str:
    if not text:
        raise refuse("the pattern is empty")
    _path_text(text, info, "pattern")
    try:
        Glob(text.encode())
    except PatternError as error:
        raise refuse(shorten(error.message, 240), error.remedy) from None
    return text


def split_list(text: str) -> tuple[str, ...]:
    """Return the elements of a comma list, without blanks."""
    return tuple(element.replace(" ", "") for element in text.split(","))


def _elements(text: str) -> tuple[str, ...]:
    count = text.count(",") + 1
    if count > MAX_ELEMENTS:
        raise refuse(f"the list has {count} elements, at most {MAX_ELEMENTS} are possible")
    elements = split_list(text)
    if "" in elements:
        raise refuse("the list has an empty element" if len(elements) > 1 else "is empty")
    return elements


def _protocol(text: str) -> str:
    for name in _elements(text):
        if name.lower() not in PROTOCOLS:
            raise refuse(f"`{shorten(name)}` is not a protocol", partial(did_you_mean, name, PROTOCOLS))
        if name not in (name.lower(), name.upper()):
            raise refuse(f"`{name}` is neither all lower nor all upper case", f"write `{name.lower()}`")
    return text


def _capability(text: str, info: ValidationInfo) -> str:
    for name in _elements(text):
        bare = name.lower().removeprefix("cap_")
        if bare not in CAPABILITIES:
            raise refuse(f"`{shorten(name)}` is not a capability", partial(did_you_mean, bare, CAPABILITIES))
        if name != name.lower():
            raise refuse(f"capabilities are written in lower case, not `{name}`", f"write `{bare}`")
        if name != bare:
            _warn(info, f"KubeArmor does nothing for `{name}`, it wants no `cap_`", f"write `{bare}`")
        if CAPABILITIES.index(bare) > KUBEARMOR_LAST_CAPABILITY:
            _warn(info, f"KubeArmor does not know `{bare}`; Hauberk does")
    return text


def _domain(text: str) -> str:
    _elements(text)
    return text


def _object_name(text: str) -> str:
    if not text:
        raise refuse("the name is empty")
    if not text.isprintable():
        raise refuse(f"`{shorten(text)}` has characters that cannot be shown")
    return text


def _action(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, Action):
        return value
    if not isinstance(value, str):
        raise refuse("an action is a word", "one of Allow, Audit, Block")
    proper = value.lower().capitalize()
    if proper not in {action.value for action in Action}:
        raise refuse(f"`{shorten(value)}` is not an action", "one of Allow, Audit, Block")
    if value == value.lower():
        _warn(info, f"KubeArmor wants `{proper}`, with a capital", f"write `{proper}`")
    elif value != proper:
        raise refuse(f"`{value}` is not an action", f"did you mean `{proper}`?")
    return Action(proper)


def one_of(*words: str) -> BeforeValidator:
    """A validator for one of a few exact words."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in words:
            hint = f"one of {', '.join(words)}" if len(words) > 1 else f"only `{words[0]}` is possible"
            raise refuse(f"`{shorten(value)}` is not known here", hint)
        return value

    return BeforeValidator(check)


def matching(expression: str, what: str, hint: str = "") -> AfterValidator:
    """A validator for strings that match `expression` as a whole; `what` names such a string in the fault."""
    compiled = re.compile(expression)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise refuse(f"`{shorten(text)}` is not {what}", hint)
        return text

    return AfterValidator(check)


ActionField = Annotated[Action, BeforeValidator(_action)]
Severity = Annotated[StrictInt, Field(ge=1, le=10)]
Int32 = Annotated[StrictInt, Field(ge=-(2**31), le=2**31 - 1)]
PathField = Annotated[StrictStr, AfterValidator(_path)]
SourcePath = Annotated[StrictStr, AfterValidator(_source_path)]
DirectoryField = Annotated[StrictStr, AfterValidator(_directory)]
SyscallPath = Annotated[StrictStr, AfterValidator(_syscall_path)]
ExecName = Annotated[StrictStr, AfterValidator(_exec_name)]
PatternField = Annotated[StrictStr, AfterValidator(_pattern)]
ProtocolField = Annotated[StrictStr, AfterValidator(_protocol)]
CapabilityField = Annotated[StrictStr, AfterValidator(_capability)]
DomainField = Annotated[StrictStr, AfterValidator(_domain)]
ObjectName = Annotated[StrictStr, AfterValidator(_object_name)]
Text = StrictStr
Flag = StrictBool
