# SPDX-License-Identifier: Apache-2.0
"""A web service with a hole, an attacker who comes in through it, and policies that stop him.

    run.py [--without POLICY]      leave out one of demo/policies and see what gets through

First without policies, to see that the attacks work; then under the policies, to see each of them refused by
the rule that is there for it while the service keeps answering. On this machine's kernel if that takes LSM
programs, else in the lab. Status 0 only if all of that was seen.
"""

import argparse
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from demo.score import Score
from demo.show import Screen, screen

HERE = Path(__file__).parent
ROOT = HERE.parent
BIN = ROOT / ".venv" / "bin"
ALERTS = ROOT / "build" / "demo" / "alerts.jsonl"

LAB_KERNEL = "6.12"
LOST_VM = 125
SILENCE_SECONDS = 240
"""Without a word for this long, what runs there is taken for dead. Fetching a kernel is not silent."""
END_SECONDS = 40

STAGE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
LAB = (str(BIN / "hauberk"), "lab", "run", "--kernel", LAB_KERNEL, "--")


@dataclass(frozen=True)
class Place:
    """Where the demonstration runs: the words for it, and what goes before the command."""

    words: str
    prefix: Sequence[str]


def choose_place() -> Place:
    """This machine, if `hauberk probe` says that it can enforce policies; else the lab."""
    probe = subprocess.run([BIN / "hauberk", "probe", "--json"], capture_output=True, text=True, check=False)
    if probe.returncode not in (0, 1):
        probe.check_returncode()
    found = json.loads(probe.stdout)
    kernel = found["observed"]["release"]
    if found["enforceable"]:
        return Place(
            f"This machine's kernel ({kernel}) can enforce policies, so all of this happens here.", ()
        )
    reasons = "; ".join(finding["message"] for finding in found["findings"])
    return Place(
        f"This machine's kernel ({kernel}) cannot enforce policies: {reasons}.\n"
        f"So all of this happens in the lab, a throwaway virtual machine with Debian's kernel {LAB_KERNEL}.",
        LAB,
    )


@contextmanager
def stage(place: Place, policies: Sequence[Path]) -> Iterator[subprocess.Popen[bytes]]:
    """The stage's process. It ends when its standard input does, and is not spared if it does not."""
    command = [*place.prefix, *STAGE, sys.executable, str(HERE / "stage.py"), *map(str, policies)]
    # A session of its own: Ctrl-C is for this process, which then lets the stage clear up.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    try:
        yield process
    finally:
        with suppress(OSError):
            process.stdin.close()
        if place.prefix:
            process.terminate()  # a machine that is thrown away needs no clearing up
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def messages(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What the stage says, as it comes; its standard error, and the lab's, as messages of kind `note`."""
    lines: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read(stream: IO[bytes], is_note: bool) -> None:
        try:
            for line in stream:
                text = line.decode(errors="replace").rstrip()
                lines.put({"kind": "note", "text": text} if is_note else json.loads(text))
        finally:
            lines.put(None)

    assert process.stdout
    assert process.stderr
    for stream, is_note in ((process.stdout, False), (process.stderr, True)):
        threading.Thread(target=read, args=(stream, is_note), daemon=True).start()
    ended = 0
    while ended < 2:
        try:
            message = lines.get(timeout=SILENCE_SECONDS)
        except queue.Empty:
            yield {"kind": "fault", "text": f"nothing was heard for {SILENCE_SECONDS} seconds"}
            return
        if message is None:
            ended += 1
        else:
            yield message


def check(policies: Sequence[Path]) -> None:
    """Have the policies checked. Raises CalledProcessError with the faults."""
    command = [str(BIN / "hauberk"), "policy", "check", *map(str, policies)]
    subprocess.run(command, capture_output=True, text=True, check=True)


def perform(place: Place, policies: Sequence[Path], score: Score, shown: Screen) -> None:
    """The whole demonstration; what was seen is in `score`."""
    ALERTS.parent.mkdir(parents=True, exist_ok=True)
    with shown, stage(place, policies) as process, ALERTS.open("w") as alerts:
        shown.step(f"booting Debian's kernel {LAB_KERNEL}" if place.prefix else "making room")
        for message in messages(process):
            match message["kind"]:
                case "note":
                    shown.note(message["text"])
                case "step":
                    shown.step(message["text"])
                case "attack":
                    alerts.writelines(json.dumps(alert) + "\n" for alert in message["alerts"])
            if message["kind"] not in ("note", "step"):
                score.take(message)
                shown.seen(message)
        if not score.finished and not score.faults:
            status = process.wait(END_SECONDS)
            lost = place.prefix and status == LOST_VM
            score.faults.append(
                "the virtual machine was lost, which says nothing about the policies"
                if lost
                else f"the stage ended early, with status {status}"
            )


def advice(place: Place) -> str:
    lab = "hauberk lab run -- " if place.prefix else ""
    return f"""\
What to try next, after `. .venv/bin/activate`:
  {lab}hauberk run -p demo/policies -l app=shop -- bash
      a shell under these policies: see for yourself
  python demo/run.py --without secrets
      the same again without one of the policies: what gets through then?
  hauberk policy check demo/policies/secrets.yaml
      write a policy, and have it checked
  hauberk probe
      what this machine's kernel can enforce
  hauberk lab run --kernel 6.1 -- hauberk probe
      a command on another kernel, in a throwaway virtual machine
  make test
      all the tests, on two kernels"""


def main() -> int:
    available = {path.stem: path for path in sorted((HERE / "policies").glob("*.yaml"))}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--without", choices=available, metavar="POLICY", help=f"leave out: {', '.join(available)}"
    )
    left_out = parser.parse_args().without
    policies = [path for name, path in available.items() if name != left_out]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    console = Console(highlight=False)
    start = time.monotonic()

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style))

    score = Score()
    try:
        say("A web shop: nginx, and a program that hands what visitors send to a shell.", "bold")
        say("The attacker comes in through that program, over HTTP, and is root.")
        check(policies)
        say(f"Policies, in demo/policies: {', '.join(path.stem for path in policies)}.")
        place = choose_place()
        say(f"{place.words}\n")
        perform(place, policies, score, screen(console, score))
    except subprocess.CalledProcessError as error:
        say(f"{error.stdout}{error.stderr}", "red")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; nothing is left running.")
        return 130
    say("")
    if complaints := score.complaints:
        say("This did not go as it should:", "bold red")
        for complaint in complaints:
            say(f"  {complaint}", "red")
        return 1
    say(
        f"All {len(score.rows)} attacks worked without policies. Under them all were refused, each by the "
        "rule that is there for it, and the service answered every time. "
        f"{time.monotonic() - start:.0f} seconds.",
        "bold green",
    )
    say(f"The alerts are in {ALERTS.relative_to(ROOT)}.\n")
    say(advice(place))
    return 0


if __name__ == "__main__":
    sys.exit(main())
