# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measure in the lab, and show every figure beside its target.

    run.py [--kernel 6.12]... [--write-docs] [--from-stored]

Writes build/bench-KERNEL.json. A target that is not met is shown and is no failure; the status is 0 unless
something could not be measured. --write-docs puts the figures into docs/performance.md, --from-stored takes
those of the last run.
"""

import argparse
import json
import subprocess
import sys
import threading
from pathlib import Path

from bench import report

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
BUILD = ROOT / "build"
DOCUMENT = ROOT / "docs" / "performance.md"
KERNELS = ("6.1", "6.12")


def stored(kernel: str) -> Path:
    return BUILD / f"bench-{kernel}.json"


def measure(kernel: str) -> None:
    """Measure in one boot, into `stored(kernel)`; without success nothing is stored."""
    stored(kernel).unlink(missing_ok=True)
    command = [str(BIN / "hauberk"), "lab", "run", "--kernel", kernel, "--icount", "--"]
    command += [str(BIN / "python"), "-m", "bench.micro"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        out: list[bytes] = []
        reader = threading.Thread(target=lambda pipe: out.append(pipe.read()), args=(process.stdout,))
        reader.start()
        for line in process.stderr:
            print(f"[{kernel}] {line.decode(errors='replace').rstrip()}", file=sys.stderr, flush=True)
        reader.join()
    if process.returncode == 0:
        stored(kernel).write_bytes(out[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kernel", action="append", choices=KERNELS, help="only this one; both if not given")
    parser.add_argument(
        "--write-docs", action="store_true", help="write the figures into docs/performance.md"
    )
    parser.add_argument("--from-stored", action="store_true", help="measure nothing, take the last figures")
    arguments = parser.parse_args()
    kernels = arguments.kernel or list(KERNELS)
    BUILD.mkdir(exist_ok=True)
    if not arguments.from_stored:
        # Instructions are counted, so the machines may share this one's processors.
        threads = [threading.Thread(target=measure, args=(kernel,)) for kernel in kernels]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    missing = [kernel for kernel in kernels if not stored(kernel).exists()]
    results = [json.loads(stored(kernel).read_text()) for kernel in kernels if kernel not in missing]
    if results:
        print(report.text(results))
    if missing:
        print(f"could not be measured: {', '.join(missing)}", file=sys.stderr)
        return 1
    if arguments.write_docs:
        DOCUMENT.write_text(report.with_figures(DOCUMENT.read_text(), report.markdown(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
