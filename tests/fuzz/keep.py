# SPDX-License-Identifier: Apache-2.0
"""Takes the fewest of the inputs that `run` has added, and of the corpus, that reach as much: the new corpus.

python -m tests.fuzz.keep
"""

import sys

from tests.fuzz import TARGETS, corpus
from tests.fuzz.run import BUILD, spread, start


def keep(name: str) -> None:
    """Put the fewest inputs that reach all that is known to be reached into the repository."""
    place = BUILD / name
    spread(place / "kept", corpus.read(corpus.CORPUS, name))
    spread(place / "fewest", ())
    (place / "added").mkdir(exist_ok=True)
    done = start(name, "-set_cover_merge=1", place / "fewest", place / "added", place / "kept")
    fewest = [file.read_bytes() for file in (place / "fewest").iterdir()]
    if done.returncode or not fewest:
        sys.exit(f"{done.stdout[-4000:]}\nFAULT {name}: not merged")
    corpus.write(corpus.CORPUS, name, fewest)
    print(f"==> {name}: {len(fewest)} inputs", flush=True)


if __name__ == "__main__":
    for each in TARGETS:
        keep(each)
