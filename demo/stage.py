# SPDX-License-Identifier: Apache-2.0
"""Where it happens: the service, the attacker and the attacks, first without policies, then under them.

    unshare --mount --net --pid --fork --kill-child --mount-proc PYTHON demo/stage.py POLICY...

In namespaces of its own, so that nothing of the machine is touched: the service's files are in a file system
in memory mounted over /var/www, its network is a loopback that nobody else sees, and whatever is left running
ends with this process, which is the first of its process namespace. It also ends when its standard input is
closed.

Standard output has one JSON object a line, with a `kind`:
  step      text                            what is being done now
  answer    page, right                     the service was asked for a page
  attack    round, number, worked, alerts   an attack was tried
  stray     alert                           a policy refused something that no attack asked for
  fault     text                            the demonstration itself failed
  finished
"""

import fcntl
import json
import os
import queue
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from demo.attacks import ADDRESS, ATTACKS, LISTENER_PORT, PASSWORDS, SHOP, UPLOADS, WEB_PORT, Attack
from demo.score import WITH, WITHOUT, is_expected

SERVICE = Path(__file__).parent / "service"
HAUBERK = Path(sys.executable).parent / "hauberk"
ENVIRONMENT = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"HOME={SHOP}")
"""The service's whole environment, as a container's would be: nothing of the user's."""

START_SECONDS = 120
REQUEST_SECONDS = 60
# What an earlier attack did too is told with its repeats, after five seconds.
ALERT_SECONDS = 10
END_SECONDS = 15


class StageError(Exception):
    """The demonstration cannot go on."""


def tell(kind: str, **what: Any) -> None:
    print(json.dumps({"kind": kind, **what}), flush=True)


def prepare_namespaces() -> None:
    """A file system in memory for the service's files, and a loopback that is up."""
    if os.getpid() != 1:
        raise StageError("this is to be started by demo/run.py, in namespaces of its own")
    if HAUBERK.is_relative_to("/var/www"):
        raise StageError("the demonstration hides what is in /var/www, and Hauberk is in there")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/www"], check=True)
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, 0x8913, request))[1]  # SIOCGIFFLAGS
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))  # SIOCSIFFLAGS, IFF_UP


def lay_out(token: str) -> None:
    """Put the service's files where it expects them, as new."""
    shop = Path(SHOP)
    shutil.rmtree(shop, ignore_errors=True)
    for name in ("html/staff", "cgi-bin", "secrets", "uploads", "run"):
        (shop / name).mkdir(parents=True)
    shutil.copy(SERVICE / "nginx.conf", shop)
    shutil.copy(SERVICE / "index.html", shop / "html")
    shutil.copy(SERVICE / "lookup.cgi", shop / "cgi-bin")
    (shop / "html/staff/index.html").write_text("Coffee is in the kitchen.\n")
    Path(UPLOADS, "note.html").write_text(f"owned: {token}\n")
    passwords = Path(PASSWORDS)
    passwords.write_text(f"staff:{{PLAIN}}{token}\n")
    shutil.chown(passwords, group="www-data")
    passwords.chmod(0o640)


def fetch(path: str, headers: str = "") -> tuple[int, str]:
    """Status and body of a page. Raises OSError if nobody answers."""
    with socket.create_connection((ADDRESS, WEB_PORT), REQUEST_SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: shop\r\n{headers}\r\n".encode())
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body.decode(errors="replace")


class Listener:
    """The attacker's end of a reverse shell: says `id` to whoever calls, and keeps what comes back."""

    def __init__(self) -> None:
        self.heard = ""
        self._socket = socket.create_server((ADDRESS, LISTENER_PORT))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            caller, _ = self._socket.accept()
        except OSError:
            return  # closed: nobody called
        with caller, caller.makefile("rb") as sound:
            caller.settimeout(REQUEST_SECONDS)
            caller.sendall(b"id; exit\n")
            with suppress(OSError):
                self.heard = sound.read().decode(errors="replace")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._socket.close()
        self._thread.join()


class Service:
    """The running service. Under policies, its alerts come as Hauberk writes them."""

    def __init__(self, policies: Sequence[str]) -> None:
        command = ["env", "-i", *ENVIRONMENT, "sh", str(SERVICE / "start.sh")]
        if policies:
            # The policies' Allow rules are exceptions from their Blocks, no lists of all that the service may
            # do: hence these postures.
            options = [part for policy in policies for part in ("--policy", policy)]
            options += ["--label", "app=shop", "--name", "shop", "--posture", "file=allow,network=allow"]
            command = [str(HAUBERK), "run", *options, "--alerts", "-", "--", *command]
        self._words = tempfile.TemporaryFile()  # noqa: SIM115, open as long as the service runs
        self._alerts: queue.Queue[dict[str, Any]] = queue.Queue()
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._words, cwd="/"
        )
        assert self._process.stdout
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            self._alerts.put(json.loads(line))

    def wait_until_it_answers(self) -> None:
        """Raises StageError if it never does."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                fetch("/")
                return
            except OSError:
                time.sleep(0.1)
        raise StageError(f"the service did not start: {self.last_words() or 'it said nothing'}")

    def alerts(self, attack: Attack | None = None) -> list[dict[str, Any]]:
        """What has been refused since the last time; waits a while for the refusal of `attack`. Without one,
        repeats of what was told before do not count."""
        found: list[dict[str, Any]] = []
        end = time.monotonic() + (ALERT_SECONDS if attack else 0)
        while True:
            try:
                found.append(self._alerts.get(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                return [alert for alert in found if attack or "FirstTime" not in alert["Hauberk"]]
            if attack and is_expected(found[-1], attack):
                end = 0

    def last_words(self) -> str:
        self._words.seek(0)
        return self._words.read().decode(errors="replace").strip()[-2000:]

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # What outlives the service is this process's child now, the first of its namespace: processes
        # of an interrupted attack, and Hauberk, which looks after them and then frees the tables.
        end = time.monotonic() + END_SECONDS
        with suppress(ChildProcessError):
            while time.monotonic() < end:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.05)


@contextmanager
def serving(policies: Sequence[str]) -> Iterator[Service]:
    service = Service(policies)
    try:
        service.wait_until_it_answers()
        yield service
    finally:
        service.stop()


def ask(page: str, wanted: str, headers: str = "") -> None:
    """Ask the service for a page as a visitor would, and tell whether the answer was right."""
    try:
        status, body = fetch(page, headers)
    except OSError:
        status, body = 0, ""
    tell("answer", page=page, right=status == 200 and wanted in body)


def visit(token: str) -> None:
    """Everything the service is there for."""
    staff = b64encode(f"staff:{token}".encode()).decode()
    ask("/", "We are open.")
    ask("/staff/", "Coffee is in the kitchen.", f"Authorization: Basic {staff}\r\n")
    ask("/lookup?host=localhost", "localhost")


def attempt(attack: Attack, token: str) -> bool:
    """Try an attack through the careless page; whether it worked."""
    listener = Listener() if attack.seen_in == "listener" else None
    try:
        _, seen = fetch(f"/lookup?host={quote('localhost;' + attack.command)}")
    except OSError as error:
        raise StageError(f"{attack.title}: the service did not answer: {error}") from error
    finally:
        if listener:
            listener.close()
    if listener:
        seen = listener.heard
    elif attack.seen_in == "page":
        _, seen = fetch("/owned.html")
    return re.search(attack.sign.replace("TOKEN", token), seen, re.MULTILINE) is not None


def play(which: str, policies: Sequence[str]) -> None:
    """One round: the service is started, visited, attacked and visited, and stopped."""
    token = secrets.token_hex(8)
    lay_out(token)
    under = f"under {len(policies)} policies" if policies else "without policies"
    tell("step", text=f"starting the service {under}")
    with serving(policies) as service:
        visit(token)
        for number, attack in enumerate(ATTACKS):
            for alert in service.alerts():
                tell("stray", alert=alert)
            tell("step", text=f"{under}: {attack.title}")
            worked = attempt(attack, token)
            alerts = service.alerts(attack if policies and not worked else None)
            tell("attack", round=which, number=number, worked=worked, alerts=alerts)
            ask("/", "We are open.")
        visit(token)
        for alert in service.alerts():
            tell("stray", alert=alert)
        tell("step", text="stopping the service")


def main() -> int:
    def end(*_: object) -> None:
        raise SystemExit(130)

    def end_with_stdin() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    try:
        prepare_namespaces()
        play(WITHOUT, ())
        play(WITH, sys.argv[1:])
    except (OSError, StageError, subprocess.SubprocessError) as error:
        tell("fault", text=str(error))
        return 1
    tell("finished")
    return 0


if __name__ == "__main__":
    sys.exit(main())
