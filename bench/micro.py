# SPDX-License-Identifier: Apache-2.0
"""Instructions that enforcement adds to single operations. Run as root in the lab, with --icount (`make bench`).

Prints one JSON object: for each setting the nanoseconds of each operation, which -icount makes instructions.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.engine import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.kernel.namespaces import enter_root
from hauberk.policy.load import load
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture, Postures
from hauberk.rules.normalise import rule_set
from hauberk.workloads.command import Command
from hauberk.workloads.mounts import mounts_of
from hauberk.workloads.rootfs import resolver

AUDIT = Postures(file=Posture.AUDIT, network=Posture.AUDIT, capabilities=Posture.AUDIT)
FULL = "/srv/www/data/site/index.html"
EARLY = "/opt/www/data/site/index.html"
OPERATIONS = (
    ("open+close, whole path in the automaton", ("open", FULL)),
    ("open+close, automaton left at once", ("open", EARLY)),
    ("pwrite 1 byte", ("pwrite", FULL)),
    ("pread 1 byte", ("pread", FULL)),
    ("stat", ("stat", FULL)),
    ("socket+close, udp", ("socket",)),
    ("socket+connect+close, udp", ("connect",)),
    ("create+close+unlink", ("create", "/srv/www/data/site/new")),
    ("vfork+exec+exit+wait, static", ("exec", "/bin/micro")),
    ("vfork+exec+exit+wait, dynamic", ("exec", "/bin/dynamic")),
)


def policy(rules: int) -> str:
    """A policy of so many Block rules on files, among them the neighbours of what is opened."""
    paths = ["/srv/www/data/site/index.htm", "/srv/www/data/site/index.html.bak"]
    paths += [f"/usr/share/app-{n % 97:02}/data/file-{n:05}.conf" for n in range(rules)]
    lines = "\n".join(f"    - path: {path}" for path in paths[:rules])
    return (
        "apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: bench}\n"
        f"spec:\n  selector: {{}}\n  action: Block\n  file:\n    matchPaths:\n{lines}\n"
    )


def make_root(root: Path) -> None:
    """A tmpfs with the files that are opened and the programs that are run, and nothing else."""
    subprocess.run(["mount", "-t", "tmpfs", "bench", root], check=True)
    (root / "bin").mkdir()
    source = Path(__file__).with_name("micro.c")
    subprocess.run(["cc", "-O2", "-static", "-o", root / "bin/micro", source], check=True)
    subprocess.run(["cc", "-O2", "-o", root / "bin/dynamic", source], check=True)
    for line in subprocess.run(["ldd", root / "bin/dynamic"], capture_output=True, text=True, check=True).stdout.split():
        if line.startswith("/"):
            place = root / line.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(line, place)
    for path in (FULL, EARLY):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True)
        place.write_text("x" * 100)


def measure(root: Path, confine: Callable[[Command], None], operations: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, int]:
    """What each operation takes in a process that `confine` was given before it began."""
    found = {}
    for title, arguments in operations:
        out, into = os.pipe()

        def prepare() -> None:
            os.dup2(into, 1)
            enter_root(str(root))

        command = Command(["/bin/micro", *arguments], prepare)
        os.close(into)
        confine(command)
        command.start()
        with os.fdopen(out) as text:
            answer = text.read()
        if command.wait():
            raise SystemExit(f"{title}: failed")
        command.close()
        found[title] = int(answer)
    return found


def enforced(root: Path, rules: int) -> dict[str, object]:
    """The operations under so many rules, and what it took to put these in force."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(policy(rules) if rules else "")
        file.flush()
        before = peak_rss()
        begin = time.monotonic()
        policies = load([file.name]).policies if rules else []
        waiting = Command(["/bin/micro"], partial(enter_root, str(root)))
        resolve = resolver(os.fsencode(f"/proc/{waiting.pid}/root"))
        meaning = Meaning(rule_set(policies, AUDIT, resolve=resolve))
        table = TableCompiler(meaning, FIRST_TABLE).compile(mounts_of(waiting.pid))
        compiled = time.monotonic() - begin
        disabled = needless(table.flags) if rules else ()
        engine = Engine.load(f"bench-{os.getpid()}", table_bytes=len(table.image), disabled=disabled)
        loaded = time.monotonic() - begin
        engine.install(0, table)
        seconds = time.monotonic() - begin
    try:
        waiting.abandon()
        figures = measure(root, lambda command: engine.confine(0, command.pidfd), OPERATIONS)
        programs = sum(engine.verified_instructions().values())
    finally:
        engine.remove()
    return {
        "figures": figures,
        "compile_seconds": compiled,
        "load_seconds": loaded - compiled,
        "in_force_seconds": seconds,
        "table_bytes": len(table.image),
        "added_peak_rss_bytes": peak_rss() - before,
        "verified_instructions": programs,
    }


def peak_rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        make_root(root)
        result: dict[str, object] = {
            "kernel": os.uname().release,
            "none": {"figures": measure(root, lambda command: None, OPERATIONS)},
        }
        for rules in map(int, sys.argv[1:] or ("0", "1", "100", "10000")):
            result[str(rules)] = enforced(root, rules)
            print(f"{os.uname().release}: {rules} rules done", file=sys.stderr)
        subprocess.run(["umount", "-l", root], check=True)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
