# SPDX-License-Identifier: Apache-2.0
"""What a scenario requires: programs, files, users, mounts, an Internet."""

import re
from typing import Final

from hauberk.workbench.live.fields import Fields
from hauberk.workbench.live.scenario import Requirements, User, WantedFile

_USER: Final = re.compile(r"(?P<name>[a-z_][a-z0-9_-]*)(?: \((?P<about>.*)\))?")
_PATH: Final = re.compile(r"/[^\s()]*")

_PROGRAMS: Final = (
    (re.compile(r"(ELF|program)\b.*\bhelloworld\b"), "hello"),
    (re.compile(r"(ELF|program)\b.* -r PATH\b|(copy of|as) /readwrite\b"), "readwrite"),
    (re.compile(r"(ELF|program)\b.*\bread LINE\b"), "read"),
    (re.compile(r"(ELF|program)\b.*\b[Uu]sage\b"), "write"),
)
"""What describes a program instead of a file's content, and the program that is meant."""
_COPY: Final = re.compile(r"copy of (\S+)")
_DESCRIBED: Final = re.compile(r"(ELF|program|(python )?script)\b")


def read_requirements(fields: Fields) -> Requirements:
    """The `requires` of a scenario."""
    if fields.get("kernel") is not None:
        fields.wrong("kernel", "live tests cannot tell whether it is met")
    found = Requirements(
        programs=fields.texts("programs"),
        files=tuple(_file(each) for each in fields.mappings("files")),
        users=tuple(_user(fields, each) for each in fields.texts("users")),
        mounts=tuple(_mount(fields, each) for each in fields.texts("mounts")),
        working_directory=fields.text("working_directory", "/"),
        network=fields.flag("outbound_network"),
    )
    fields.finish()
    return found


def _file(fields: Fields) -> WantedFile:
    path, content, mode = fields.text("path"), fields.text("content"), fields.text("mode")
    owner = fields.text("owner", "root")
    if not path.startswith("/"):
        fields.wrong("path", f"`{path}` does not begin with /")
    if mode and not re.fullmatch(r"0?[0-7]{3,4}", mode):
        fields.wrong("mode", f"`{mode}` is no mode such as '0644'")
        mode = ""
    program = next((name for pattern, name in _PROGRAMS if pattern.match(content)), "")
    if not program and (copy := _COPY.fullmatch(content)):
        program = copy[1]
    if not program and _DESCRIBED.match(content):
        fields.wrong("content", f"describes a program that live tests do not have: {content}")
    fields.finish()
    default = 0o755 if program else 0o644
    return WantedFile(path, owner, int(mode, 8) if mode else default, "" if program else content, program)


def _user(fields: Fields, text: str) -> User:
    found = _USER.fullmatch(text)
    if not found:
        fields.wrong("users", f"`{text}` is not of the form `NAME (home DIR, shell PROGRAM)`")
        return User("nobody", "/")
    words = dict(part.strip().split(" ", 1) for part in (found["about"] or "").split(",") if " " in part)
    name = found["name"]
    return User(name, words.get("home", f"/home/{name}"), words.get("shell", "/bin/bash"))


def _mount(fields: Fields, text: str) -> str:
    """The path of a mounted file that is described in words: the first path in them, and if that is a
    directory, `token` in it."""
    found = _PATH.search(text)
    if not found:
        fields.wrong("mounts", f"`{text}` names no path")
        return "/token"
    path = found[0].rstrip(",;.")
    return f"{path}token" if path.endswith("/") else path
