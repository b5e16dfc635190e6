# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the targets one after the other: `make fuzz`, or `python -m tests.fuzz.run [TARGET ...]`.

FUZZ_SECONDS is the time for each target. The inputs that a run adds stay in build/fuzz/TARGET/added, where
the next run begins and `tests.fuzz.keep` finds them. A target fails if an input breaks what it promises,
takes longer than `INPUT_SECONDS`, or takes the process beyond `RSS_MIB` of memory. That input then lies in
build/fuzz/TARGET, and belongs into tests/fuzz/found.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.fuzz import TARGETS, corpus

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build" / "fuzz"
INPUT_SECONDS: Final = 10
RSS_MIB: Final = 256
"""Most memory of a fuzzing process: Python, Hauberk, atheris, the corpus, and what an input takes."""


def start(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.one", name, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target and print how it went; whether it went well."""
    place = BUILD / name
    target = import_module(f"tests.fuzz.{name}")
    beginning = [*target.seeds(), *corpus.read(corpus.CORPUS, name), *corpus.read(corpus.FOUND, name)]
    spread(place / "beginning", beginning)
    (place / "added").mkdir(exist_ok=True)
    (place / "words").write_text("".join(words(beginning)))
    print(f"==> {name}: {seconds} s from {len(beginning)} inputs", flush=True)
    done = start(
        name,
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={RSS_MIB}",
        f"-max_len={target.MAX_LENGTH}",
        f"-dict={place / 'words'}",
        f"-artifact_prefix={place}/",
        "-len_control=20",
        "-print_final_stats=1",
        place / "added",
        place / "beginning",
    )
    (place / "log").write_text(done.stdout)
    figures = dict(re.findall(r"^stat::(\w+): +(\d+)", done.stdout, re.MULTILINE))
    reached = re.findall(r" cov: (\d+) ft: (\d+) corp: (\d+)/", done.stdout)
    edges, features, kept = reached[-1] if reached else ("?", "?", "?")
    print(
        f"    {figures.get('number_of_executed_units', '?')} inputs, {edges} edges and {features} features"
        f" reached by {kept} of them; memory at most {figures.get('peak_rss_mb', '?')} MiB of {RSS_MIB},"
        f" slowest input {figures.get('slowest_unit_time_sec', '?')} s of {INPUT_SECONDS}"
    )
    if done.returncode:
        trouble = done.stdout.rpartition("= Uncaught Python exception: =")
        print((trouble[2] if trouble[1] else done.stdout)[-4000:])
        print(f"FAULT {name}: see {place.relative_to(ROOT)}", flush=True)
    return done.returncode == 0


def spread(directory: Path, inputs: Iterable[bytes]) -> None:
    """Make `directory` anew, with a file for each input."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for number, data in enumerate(inputs):
        (directory / str(number)).write_bytes(data)


def words(inputs: Iterable[bytes]) -> Iterable[str]:
    """The words of inputs, as a libFuzzer dictionary: without it, mutations would seldom spell a field."""
    found = {word for data in inputs for word in re.findall(rb"[A-Za-z/_.-]{2,40}", data)}
    return (f'"{word.decode()}"\n' for word in sorted(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], metavar="TARGET")
    asked = parser.parse_args().target or TARGETS
    seconds = int(os.environ.get("FUZZ_SECONDS", "600"))
    failed = [name for name in asked if not fuzz(name, seconds)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
