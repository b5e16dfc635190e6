# SPDX-License-Identifier: Apache-2.0
"""The images that scenarios run in, made equivalent from Debian packages.

An image is a tree that stays as it is, and what is put over it for each container anew: users, configuration,
and the files that scenarios are about.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hauberk.workbench.live import packages, programs
from hauberk.workbench.live.scenario import ScenarioError, User, WantedFile
from hauberk.workloads.rootfs import resolver

USER1: Final = User("user1", "/home/user1")
WAITS: Final = "bin/pause"
"""The program that a container without a command runs: it only waits."""
NAMESERVER: Final = "192.0.2.53"
_FIRST_UID: Final = 1000
_PATH: Final = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")

_SYSTEM_USERS: Final = (
    *(("root", 0, "/root", "/bin/bash"), ("daemon", 1, "/usr/sbin", "/usr/sbin/nologin")),
    *(
        ("www-data", 33, "/var/www", "/usr/sbin/nologin"),
        ("nobody", 65534, "/nonexistent", "/usr/sbin/nologin"),
    ),
)
_PAM: Final = {
    "common-auth": "auth [success=1 default=ignore] pam_unix.so nullok\n"
    "auth requisite pam_deny.so\nauth required pam_permit.so\n",
    "common-account": "account required pam_unix.so\n",
    "common-password": "password required pam_unix.so\n",
    "common-session": "session required pam_unix.so\n",
    "common-session-noninteractive": "session required pam_unix.so\n",
}
_TEXTS: Final = {
    "etc/hosts": "127.0.0.1\tlocalhost\n",
    "etc/host.conf": "multi on\n",
    "etc/resolv.conf": f"nameserver {NAMESERVER}\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    "etc/shells": "/bin/sh\n/bin/bash\n/bin/dash\n",
    "run/utmp": "",
}


@dataclass(frozen=True, slots=True)
class Image:
    """`tree` gives the directory below; `files` and `users` are put over it."""

    tree: Callable[[], Path] | None
    files: tuple[WantedFile, ...] = ()
    users: tuple[User, ...] = ()
    directory: str = "/"
    """Where programs begin."""


def _file(path: str, content: str, owner: str = "root") -> WantedFile:
    return WantedFile(path, owner, content=f"{content}\n")


def _program(path: str, owner: str = "root") -> WantedFile:
    return WantedFile(path, owner, 0o755, program=path.rpartition("/")[2])


MULTIUBUNTU: Final = Image(
    packages.unmerged,
    (
        *(_file("/secret.txt", "secret file"), _file("/plain.txt", "plain file")),
        *(_file("/credentials/password", "password file"), _file("/credentials/token", "token file")),
        *(_file("/credentials/keys/cert.ca", "cert file"), _file("/credentials/keys/priv.key", "key file")),
        _file("/home/user1/secret_data1.txt", "secret file user1", "user1"),
        _file("/home/user1/otherfile.txt", "other file", "user1"),
        _file("/home/user1/dir1/key1.txt", "key file 1", "user1"),
        *(_program("/hello"), _program("/readwrite")),
        *(_program("/home/user1/hello", "user1"), _program("/home/user1/readwrite", "user1")),
    ),
    (USER1,),
)
_WORDPRESS: Final = (
    _file("/var/www/html/wp-config.php", "<?php define('DB_PASSWORD', 'secret');", "www-data"),
)
_NGINX: Final = (
    _file("/usr/share/nginx/html/index.html", "<!DOCTYPE html>\n<html>\nWelcome to nginx!\n</html>"),
    WantedFile("/docker-entrypoint.sh", mode=0o755, content='#!/bin/sh\nexec "$@"\n'),
)

IMAGES: Final = (
    (("multiubuntu",), MULTIUBUNTU),
    (("nginx", "alpine"), Image(None, _NGINX)),
    (("alpine",), Image(None)),
    (("busybox",), Image(None)),
    (("nginx",), Image(packages.merged, _NGINX)),
    (("wordpress", "4.8"), Image(packages.unmerged, _WORDPRESS, directory="/var/www/html")),
    (("wordpress",), Image(packages.merged, _WORDPRESS, directory="/var/www/html")),
    (("mysql",), Image(packages.unmerged, (_file("/var/lib/mysql/ibdata1", "data"),))),
    (("debian",), Image(packages.merged)),
    (("ubuntu",), Image(packages.merged)),
)
"""By words that all have to be in an image's name; the first that fits."""


def find_image(name: str) -> Image:
    """The image that a scenario means. Raises ScenarioError."""
    for words, image in IMAGES:
        if all(word in name.lower() for word in words):
            return image
    known = ", ".join(dict.fromkeys(" ".join(words) for words, _ in IMAGES))
    raise ScenarioError(f"`{name}` is no image that can be made from Debian packages", f"known: {known}")


def dress(
    root: Path, image: Image, hostname: str, users: Sequence[User], files: Sequence[WantedFile]
) -> dict[str, int]:
    """Put over a mounted tree what the image has, and what a scenario wants besides; the ids of its users.

    Raises ScenarioError.
    """
    if image.tree is None:
        _applets(root)
    everyone = list({user.name: user for user in (*image.users, *users)}.values())
    uids = _accounts(root, everyone)
    for path, text in {**_TEXTS, "etc/hostname": f"{hostname}\n"}.items():
        _write(root / path, text)
    for name, text in _PAM.items():
        _write(root / "etc/pam.d" / name, text)
    for directory in ("dev", "proc", "sys", "tmp", "mnt", "root", "usr/bin", "var"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    _link(root / "var/run", "/run")
    for name, target in (("usr/bin/python", "python3"), ("bin/nc", "nc.openbsd")):
        if (root / name).with_name(target).exists():
            _link(root / name, target)
    for name in (".bashrc", ".profile"):
        if (root / "etc/skel" / name).exists():
            shutil.copyfile(root / "etc/skel" / name, root / "root" / name)
    programs.put("pause", root / WAITS)
    wanted = {file.path: file for file in image.files}
    wanted |= {file.path: file for file in files if file.path not in wanted}
    for file in wanted.values():
        put_file(root, file, uids)
    return uids


def put_file(root: Path, file: WantedFile, uids: dict[str, int]) -> None:
    """Make a file below `root`, with the directories above it. Raises ScenarioError."""
    target = root / file.path.lstrip("/")
    owner = uids.get(file.owner)
    if owner is None:
        raise ScenarioError(f"{file.path} is to be {file.owner}'s, and there is no such user")
    missing = [each for each in target.parents if not each.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    for each in missing:
        os.chown(each, owner, owner)
    if file.program in programs.NAMES:
        programs.put(file.program, target)
    elif file.program:
        source = find_program(root, file.program)
        if source is None:
            raise ScenarioError(f"{file.path} is to be a copy of {file.program}, which is not there")
        shutil.copyfile(source, target)
    else:
        # Whoever writes of a file's content does not mean that its last line has no end.
        _write(target, file.content if file.content.endswith("\n") else f"{file.content}\n")
    target.chmod(file.mode)
    os.chown(target, owner, owner)


def find_program(root: Path, name: str) -> Path | None:
    """A program's file below `root`, by its path, or looked for as a shell does; None if it is not there."""
    resolve = resolver(os.fsencode(str(root).rstrip("/")))
    for path in [name.lstrip("/")] if "/" in name else [f"{place}/{name}" for place in _PATH]:
        found = Path(os.fsdecode(os.fsencode(str(root).rstrip("/")) + resolve(os.fsencode(f"/{path}"))))
        if found.is_file() and os.access(found, os.X_OK):
            return found
    return None


def _accounts(root: Path, users: Sequence[User]) -> dict[str, int]:
    """Write the files that tell of users, and make their homes; the users' ids."""
    rows = list(_SYSTEM_USERS)
    rows += [(user.name, _FIRST_UID + at, user.home, user.shell) for at, user in enumerate(users)]
    if not (root / "bin/bash").exists():
        rows = [(name, uid, home, shell.replace("bash", "sh")) for name, uid, home, shell in rows]
    _write(root / "etc/passwd", "".join(f"{n}:x:{u}:{u}::{home}:{shell}\n" for n, u, home, shell in rows))
    _write(root / "etc/group", "".join(f"{name}:x:{uid}:\n" for name, uid, _, _ in rows))
    _write(root / "etc/shadow", "".join(f"{name}:*:19000:0:99999:7:::\n" for name, _, _, _ in rows), 0o640)
    _write(root / "etc/gshadow", "".join(f"{name}:*::\n" for name, _, _, _ in rows), 0o640)
    uids = {name: uid for name, uid, _, _ in rows}
    for user in users:
        home = root / user.home.lstrip("/")
        home.mkdir(parents=True, exist_ok=True)
        for name in (".bashrc", ".profile"):
            if (root / "etc/skel" / name).exists():
                shutil.copyfile(root / "etc/skel" / name, home / name)
                os.chown(home / name, uids[user.name], uids[user.name])
        home.chmod(0o755)
        os.chown(home, uids[user.name], uids[user.name])
    return uids


def _applets(root: Path) -> None:
    """A root file system of nothing but busybox, as that of Alpine's images."""
    target = root / "bin/busybox"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(packages.busybox(), target)
    target.chmod(0o755)
    for name in ("sh", "cat", "ls", "sleep", "touch", "echo", "head", "id", "ping", "wget", "nc", "su"):
        _link(root / "bin" / name, "/bin/busybox")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
