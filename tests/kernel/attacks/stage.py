# SPDX-License-Identifier: Apache-2.0
"""Where attacks are run: free tasks and workloads, vaults before them, and an outside that looks on.

All attacks of one place whose rules get in nobody's way share a workload, since starting one takes a second
in the lab. What comes of an attack is not what it says of itself: the runner looks for the secret, at the
vault, and at the machine's port.
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import yaml

from hauberk.events.alert import Alert
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.translate import Translator
from hauberk.kernel.namespaces import enter_root
from tests.attacks.building import BUILT
from tests.attacks.catalogue import HERE, Attack
from tests.kernel.arena import AUDIT, BLOCK, Arena
from tests.kernel.helpers.act import Done, Session

SECONDS_TO_GET_READY = 60
REPLACEMENTS = 50
"""How often a policy is put in force anew; each time takes room in the engine's tables."""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_FS_IOC_GETFLAGS = 0x80086601


@dataclass(frozen=True)
class Attempt:
    """What came of an attack: did it succeed, its status and output, and the alerts."""

    won: bool
    status: str
    output: str
    alerts: tuple[Alert, ...]

    def __str__(self) -> str:
        told = "".join(f"\n  {alert.PolicyName}: {alert.Operation} {alert.Resource}" for alert in self.alerts)
        return f"{'won' if self.won else 'lost'}, {self.status}, said {self.output!r}{told}"


class Port:
    """The machine's TCP and UDP port, for both families, and all that came in. A context manager."""

    def __init__(self) -> None:
        self._tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.number = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._udp.bind(("::", self.number))
        self._came: list[bytes] = []
        self._stop = threading.Event()
        self._listening = [threading.Thread(target=each) for each in (self._streams, self._datagrams)]

    def __enter__(self) -> Self:
        for socket_ in (self._tcp, self._udp):
            socket_.settimeout(0.5)
        for thread in self._listening:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._listening:
            thread.join()
        self._tcp.close()
        self._udp.close()

    def _streams(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                connection, _ = self._tcp.accept()
                connection.settimeout(10)
                with connection, suppress(OSError):
                    self._came.append(connection.recv(1000))

    def _datagrams(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                self._came.append(self._udp.recv(1000))

    def heard(self, word: str) -> bool:
        """Did the word come in? What is under way gets a moment to arrive."""
        for _ in range(10):
            if any(word.encode() in each for each in self._came):
                return True
            time.sleep(0.05)
        return False


@dataclass
class Ground:
    """A task that runs attacks: free, or a workload under their rules. A context manager."""

    arena: Arena
    act: Path
    built: dict[str, Path]
    port: Port
    place: str
    free: bool
    attacks: Sequence[Attack]
    """Those whose rules hold here, if it is not free."""
    session: Session = field(init=False)

    def __enter__(self) -> "Ground":
        written = [] if self.free else [self._policy(each) for each in self.attacks if each.sections]
        closed = not self.free and any(attack.posture == "block" for attack in self.attacks)
        enter = own_root(self.act.parent) if self.place == "privileged" else partial(enter_root, "/")

        def prepare() -> None:
            enter()
            for attack in self.attacks:
                if attack.early:
                    self._lay_out(attack, Path(self._base(attack)))
                    self._help(attack.early, attack, Path(self._base(attack)))

        self.word = secrets.token_hex(8)
        postures = BLOCK if closed else AUDIT
        self.session = Session(
            self.arena, self.act, "---\n".join(written), postures, prepare=prepare, confined=not self.free
        ).__enter__()
        self.root = f"/proc/{self.session._command.pid}/root"
        return self

    def __exit__(self, *arguments: object) -> None:
        self.session.__exit__(*arguments)

    def attempt(self, attack: Attack) -> Attempt:
        """Lay out a vault, let the attack run, and look what came of it."""
        place = Path(f"{self.root}{self._base(attack)}")
        if not attack.early:
            self.word = secrets.token_hex(8)
            self._lay_out(attack, place)
        if attack.before:
            self._help(attack.before, attack, place)
        before = fingerprint(place / "vault") if attack.wins == "changed" else []
        with outsider(attack.outside, self._view(attack, place)), self._replacing(attack.replaced):
            done = self.session.do(" ; ".join(self._statements(attack)))
        output = (place / "open" / "output").read_bytes().decode(errors="replace")
        won = {
            "secret": lambda: self.word in output,
            "changed": lambda: fingerprint(place / "vault") != before,
            "ran": lambda: " ran\n" in output,
            "reached": lambda: self.port.heard(self.word),
            "said": lambda: "won\n" in output,
        }[attack.wins]()
        return Attempt(won, done.results[-1], output, tuple(alerts(done)))

    @contextmanager
    def _replacing(self, wanted: bool) -> Iterator[None]:
        """Put the same policy in force anew, again and again, until the attack is over."""
        over = threading.Event()
        session, engine = self.session, self.arena.engine

        def replace() -> None:
            for _ in range(REPLACEMENTS):
                engine.apply(session.workload, session.meaning, session._command.pid)
                if over.wait(0.02):
                    break

        thread = threading.Thread(target=replace)
        if wanted:
            thread.start()
        yield
        over.set()
        if wanted:
            thread.join()

    def _base(self, attack: Attack) -> str:
        top = "/tmp" if attack.lies_on == "tmpfs" else "/srv"
        return f"{top}/attacks/{'free' if self.free else 'bound'}/{attack.name}"

    def _statements(self, attack: Attack) -> Iterator[str]:
        base = self._base(attack)
        program = str(self.built.get(attack.name, attack.file))
        for name, value in {
            "V": f"{base}/vault",
            "O": f"{base}/open",
            "PORT": str(self.port.number),
            "WORD": self.word if attack.wins == "reached" else "none",
            "PATH": PATH,
        }.items():
            yield f"setenv {name} {value}"
        yield f"chdir {base}/open"
        yield f"run {base}/open/output {'/bin/sh ' if attack.file.suffix == '.sh' else ''}{program}"

    def _lay_out(self, attack: Attack, place: Path) -> None:
        for name in ("vault", "open"):
            (place / name).mkdir(parents=True)
        (place / "vault" / "secret").write_text(f"{self.word}\n")
        for name, victim in (("prog", "prog"), ("lib.so", "lib")):
            shutil.copy(self.built[victim], place / "vault" / name)

    def _view(self, attack: Attack, place: Path) -> dict[str, str]:
        """The environment of whoever is outside: the attack's directories as they are seen from there."""
        program = str(self.built.get(attack.name, attack.file))
        return {"V": f"{place}/vault", "O": f"{place}/open", "SELF": program, "HERE": str(HERE)}

    def _help(self, script: str, attack: Attack, place: Path) -> None:
        view = {**os.environ, "PATH": PATH, **self._view(attack, place)}
        subprocess.run(["sh", "-ec", script], env=view, check=True)

    def _policy(self, attack: Attack) -> str:
        base = self._base(attack)
        program = str(self.built.get(attack.name, attack.file))
        words = {"{v}": f"{base}/vault", "{o}": f"{base}/open", "{self}": program, "{act}": str(self.act)}
        return yaml.safe_dump(
            {
                "apiVersion": "security.kubearmor.com/v1",
                "kind": "KubeArmorPolicy",
                "metadata": {"name": attack.name, "namespace": "default"},
                "spec": {"selector": {}, "action": "Block", **_filled(attack.sections, words)},
            }
        )


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
        return value
    if isinstance(value, Mapping):
        return {key: _filled(each, words) for key, each in value.items()}
    return [_filled(each, words) for each in value] if isinstance(value, list) else value


def alerts(done: Done) -> Iterator[Alert]:
    """The records as users would see them."""
    translator = Translator(Clock())
    session = done.session
    translator.add_workload(session.workload, WorkloadIdentity(namespace="default", container_name="test"))
    for generation in {record.generation for record in done.records}:
        translator.add_rules(session.workload, generation, session.meaning.rules)
    for record in done.records:
        event = translator.translate(record)
        assert isinstance(event, Alert)
        yield event


def fingerprint(top: Path) -> list[tuple[object, ...]]:
    """All that can be changed of what lies at a place: names, attributes, contents."""
    if not os.path.lexists(top):
        return []
    paths = [top, *sorted(top.rglob("*"))]
    return [(str(path), *_attributes(path)) for path in paths]


def _attributes(path: Path) -> Iterator[object]:
    status = path.lstat()
    yield from (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        yield name, os.getxattr(path, name, follow_symlinks=False)
    if path.is_symlink():
        yield os.readlink(path)
    elif path.is_file() or path.is_dir():
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with suppress(OSError):
                yield struct.unpack("l", fcntl.ioctl(fd, _FS_IOC_GETFLAGS, bytes(8)))
            if path.is_file():
                yield os.read(fd, 1 << 20)
        finally:
            os.close(fd)


@contextmanager
def outsider(script: str, view: dict[str, str]) -> Iterator[None]:
    """Somebody whom no rule binds, at work meanwhile. It makes $O/ready when it is."""
    if not script:
        yield
        return
    process = subprocess.Popen(["sh", "-ec", script], env={**os.environ, **view}, start_new_session=True)
    try:
        end = time.monotonic() + SECONDS_TO_GET_READY
        while not Path(view["O"], "ready").exists():
            assert process.poll() is None, "whoever is outside has ended"
            assert time.monotonic() < end, "whoever is outside is not ready"
            time.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def own_root(helpers: Path) -> Callable[[], None]:
    """For a child: move into a root of its own, as a container runtime would make it.

    An overlay of a layer that is empty but for links, with programs mounted into it; this machine's /proc, so
    that all processes are seen; all capabilities stay.
    """
    root, script = root_file_system(helpers)

    def enter() -> None:
        enter_root("/")
        subprocess.run(["sh", "-ec", script], check=True)
        enter_root(str(root))

    return enter


def root_file_system(helpers: Path) -> tuple[Path, str]:
    """Where that root will be, and how to mount it in a mount namespace of one's own."""
    home = Path("/run/attacks", secrets.token_hex(4))
    for name in ("lower", "upper", "work", "root"):
        (home / name).mkdir(parents=True)
    lower = home / "lower"
    for name in ("usr", "etc", "proc", "sys", "dev", "srv", "root", "run", "tmp", "var/tmp"):
        (lower / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (lower / name).symlink_to(f"usr/{name}")
    for name in ("ld.so.cache", "passwd", "group"):
        shutil.copy(f"/etc/{name}", lower / "etc" / name)
    root = home / "root"
    shown = sorted({Path("/usr"), Path("/usr/lib/modules"), helpers, BUILT, HERE})
    lines = [
        f"mount -t overlay -o lowerdir={lower},upperdir={home}/upper,workdir={home}/work overlay {root}",
        f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
        *(f"mkdir -p {root}{path} && mount --bind {path} {root}{path}" for path in shown),
    ]
    return root, "\n".join(lines)
