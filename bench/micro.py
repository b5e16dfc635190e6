# SPDX-License-Identifier: Apache-2.0
"""What enforcement costs: run as root in the lab, with --icount, by `run.py`.

Prints one JSON object: the nanoseconds of each operation in each setting, which -icount makes instructions;
how long it takes to put rules in force, by phase; and the memory that this takes. With arguments only for so
many rules.
"""

import gc
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hauberk.agent.child import in_child
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.engine import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.tables import Table, TableCompiler
from hauberk.kernel.namespaces import enter_root
from hauberk.kernel.signals import SignalReader
from hauberk.policy.load import load
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture, Postures, Rule
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
RULES = (0, 1, 100, 10_000)


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
    listed = subprocess.run(["ldd", root / "bin/dynamic"], capture_output=True, text=True, check=True)
    for word in listed.stdout.split():
        if word.startswith("/"):
            place = root / word.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, place)
    for path in (FULL, EARLY):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True)
        place.write_text("x" * 100)


def measure(root: Path, confine: Callable[[Command], None]) -> dict[str, int]:
    """What each operation takes in a process that `confine` was given before it began."""
    found = {}
    for title, arguments in OPERATIONS:
        out, into = os.pipe()

        def prepare(into: int = into) -> None:
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


def compiled(file: str, pid: int) -> tuple[tuple[Rule, ...], Table, dict[str, float], int]:
    """Rules and table of a policy file, as a child process of a session makes them.

    Also the seconds by phase, and the memory that it took, in bytes.
    """
    before, begin = peak_rss(), time.monotonic()
    policies = load([file]).policies if file else ()
    read = time.monotonic()
    gc.disable()
    rules = rule_set(policies, AUDIT, resolve=resolver(os.fsencode(f"/proc/{pid}/root")))
    del policies
    normalised = time.monotonic()
    table = TableCompiler(Meaning(rules), FIRST_TABLE).compile(mounts_of(pid))
    phases = {
        "read policies": read - begin,
        "normalise": normalised - read,
        "compile": time.monotonic() - normalised,
    }
    return rules.rules, table, phases, peak_rss() - before


def enforced(root: Path, rules: int) -> dict[str, object]:
    """The operations under so many rules, and what it took to put these in force."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "policy.yaml")
        file.write_text(policy(rules))
        begin = time.monotonic()
        waiting = Command(["/bin/micro"], partial(enter_root, str(root)))
        work = partial(compiled, str(file) if rules else "", waiting.pid)
        with SignalReader(()) as signals:
            _, table, phases, added = in_child(work, signals)
        handed_over = time.monotonic()
        disabled = needless(table.flags) if rules else ()
        engine = Engine.load(f"bench-{os.getpid()}", table_bytes=len(table.image), disabled=disabled)
        loaded = time.monotonic()
        engine.install(0, table)
        seconds = time.monotonic() - begin
    try:
        phases["processes"] = handed_over - begin - sum(phases.values())
        phases["load programs"] = loaded - handed_over
        phases["install"] = seconds - (loaded - begin)
        waiting.abandon()
        figures = measure(root, lambda command: engine.confine(0, command.pidfd))
        programs = sum(engine.verified_instructions().values())
    finally:
        engine.remove()
    return {
        "figures": figures,
        "phases": phases,
        "in_force_seconds": seconds,
        "table_bytes": len(table.image),
        "compile_added_bytes": added,
        "verified_instructions": programs,
    }


def ran(root: Path, rules: int) -> dict[str, float]:
    """What a whole `hauberk run` takes: memory, and time to the command's first instruction."""
    hauberk = str(Path(sys.executable).with_name("hauberk"))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "policy.yaml")
        file.write_text(policy(rules))
        command = [hauberk, "run", "--policy", str(file), "--root", str(root), "--", "/bin/micro", "begun"]
        begin = time.monotonic_ns()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            begun = int(process.stdout.readline() or 0)
            status = Path(f"/proc/{process.pid}/status").read_text().split() if begun else []
            process.stdin.close()
            _, ended, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(ended)
    if process.returncode or not begun:
        raise SystemExit(f"hauberk run with {rules} rules: status {process.returncode}")
    return {
        "resident_bytes": int(status[status.index("VmRSS:") + 1]) * 1024,
        "largest_process_bytes": usage.ru_maxrss * 1024,
        "begun_seconds": (begun - begin) / 1e9,
    }


def peak_rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    numbers = tuple(map(int, sys.argv[1:])) or RULES
    run: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        make_root(root)
        try:
            print("without an engine", file=sys.stderr)
            settings: dict[str, object] = {"none": {"figures": measure(root, lambda command: None)}}
            for rules in numbers:
                print(f"{rules:,} rules", file=sys.stderr)
                settings[str(rules)] = enforced(root, rules)
            for rules in (min(filter(None, numbers)), max(numbers)):
                print(f"a whole run with {rules:,} rules", file=sys.stderr)
                run[str(rules)] = ran(root, rules)
        finally:
            subprocess.run(["umount", "-l", root], check=True)
    print(json.dumps({"kernel": os.uname().release, "settings": settings, "run": run}, indent=1))


if __name__ == "__main__":
    main()
