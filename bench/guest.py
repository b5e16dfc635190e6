# SPDX-License-Identifier: Apache-2.0
"""What enforcement costs: run as root in the lab, with --icount, by `run.py` and `check.py`.

    guest.py all PARSER | quick

Prints one JSON object (`report.py` says what is in it). PARSER is the path of apparmor_parser. `quick` takes
only what `check.py` compares.
"""

import json
import os
import sys
from typing import Any

from bench.change import change
from bench.cost import enforced, ran, shared
from bench.micro import measure, measure_programs
from bench.root import made_root
from bench.settings import Setting, in_engine, under_apparmor

RULES = (0, 1, 100, 10_000)
COMPARED = 100
"""Rules under which programs are measured, and beside which AppArmor is put."""
APPARMOR = (100, 10_000)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    quick = sys.argv[1] == "quick"
    settings: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] = {"kernel": os.uname().release, "settings": settings}
    with made_root() as root:
        say("without enforcement")
        settings["none"] = {"figures": measure(root, Setting())}
        if not quick:
            settings["none"] |= {"programs": measure_programs(root, Setting())}
            for rules in APPARMOR:
                say(f"AppArmor, {rules:,} rules")
                setting = under_apparmor(sys.argv[2], rules)
                settings[f"apparmor-{rules}"] = {"figures": measure(root, setting)}
                if rules == COMPARED:
                    settings[f"apparmor-{rules}"] |= {"programs": measure_programs(root, setting)}
        for rules in (COMPARED,) if quick else RULES:
            say(f"{rules:,} rules")
            with enforced(root, rules) as (engine, costs):
                setting = in_engine(engine)
                settings[str(rules)] = {"figures": measure(root, setting), **costs}
                if rules == COMPARED and not quick:
                    settings[str(rules)] |= {"programs": measure_programs(root, setting)}
                    say("workloads that share a policy")
                    found["memory"] = shared(engine, root, rules)
        if not quick:
            say("changes of a policy")
            found["change"] = change(COMPARED)
            found["run"] = {}
            for rules in (1, 100, 10_000):
                say(f"a whole run with {rules:,} rules")
                found["run"] |= {str(rules): ran(root, rules)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
