# SPDX-License-Identifier: Apache-2.0
"""One target under atheris: `python -m tests.fuzz.one TARGET [libFuzzer's options, directories and files]`.

Only this module imports atheris, and it imports the target by it, so that coverage of Hauberk and of the
target's own model guides the mutations.
"""

import resource
import sys
import warnings
from importlib import import_module
from typing import Final

import atheris

from tests.fuzz import TARGETS

ADDRESS_SPACE: Final = 2 << 30
"""Beyond it an allocation fails at once; the limit on resident memory is looked at once a second."""


def main() -> None:
    name = sys.argv.pop(1)
    if name not in TARGETS:
        sys.exit(f"`{name}` is not a target: {', '.join(TARGETS)}")
    with atheris.instrument_imports(include=["hauberk", f"tests.fuzz.{name}"]):
        target = import_module(f"tests.fuzz.{name}")
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    # To merge corpora libFuzzer starts itself again, by a shell and with what it takes for its own name.
    program = f"{sys.executable} -m tests.fuzz.one {name}"
    atheris.Setup([program, *sys.argv[1:]], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
