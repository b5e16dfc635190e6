# SPDX-License-Identifier: Apache-2.0
"""The root file system that is measured in: a tmpfs with what is opened and run, and nothing else.

In memory, so that no figure waits for a disk or for the machine around.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.policy import EARLY, FULL

PROGRAMS = ("sh", "make", "sed", "grep", "cat", "cmp", "mv", "rm", "mkdir", "seq", "tar", "nginx")
BUILD = Path(__file__).resolve().parent.parent / "build" / "bench"
COMPILED = {
    "micro": ("micro.c", "-static"),
    "dynamic": ("micro.c",),
    "nothing": ("nothing.c", "-static", "-nostdlib"),
}
"""Programs of our own: source and options."""
TREE_FILES, TREE_DIRECTORIES = 120, 12
TARGETS = 6

# What configure scripts and small makefiles do: a template, a comparison, and a move if something changed.
MAKEFILE = f"""
OUT = $(patsubst %,out/%.h,$(shell seq {TARGETS}))
all: $(OUT)
out/%.h: template
\t@mkdir -p out
\t@sed -e 's/@NAME@/$*/' template > $@.new
\t@if grep -q NAME_$* $@.new; then cat $@.new template > $@.all; fi
\t@if cmp -s $@.all $@; then rm $@.all; else mv $@.all $@; fi
\t@rm $@.new
"""
TEMPLATE = "".join(f"#define NAME_@NAME@_{n} {n}\n" for n in range(40))

NGINX = """
daemon off;
worker_processes 1;
user root;
pid /run/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
  access_log /var/log/access.log;
  client_body_temp_path /run/body; proxy_temp_path /run/proxy; fastcgi_temp_path /run/fastcgi;
  uwsgi_temp_path /run/uwsgi; scgi_temp_path /run/scgi;
  server { listen 127.0.0.1:8080; root /srv/www/data; }
}
"""


def compile_programs() -> None:
    """Compile what the root will need, outside of the machine, where it takes no time."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name, (source, *options) in COMPILED.items():
        subprocess.run(
            ["cc", "-O2", *options, "-o", BUILD / name, Path(__file__).with_name(source)], check=True
        )


@contextmanager
def made_root() -> Iterator[Path]:
    """The root, until the end of the block."""
    with TemporaryDirectory() as directory:
        subprocess.run(["mount", "-t", "tmpfs", "bench", directory], check=True)
        try:
            _fill(Path(directory))
            yield Path(directory)
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


def _fill(root: Path) -> None:
    for name in ("bin", "etc", "run", "tmp", "var/log", "proc", "sys", "dev", "build"):
        (root / name).mkdir(parents=True)
    for name in COMPILED:
        shutil.copy(BUILD / name, root / "bin" / name)
    _copy_libraries(root, root / "bin/dynamic")
    for name in PROGRAMS:
        found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
        if found is None:
            raise SystemExit(f"{name} is not installed")
        shutil.copy(found, root / "bin" / name)
        _copy_libraries(root, Path(found))
    for path in (FULL, EARLY):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True)
        place.write_text("x" * 100)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/nginx.conf").write_text(NGINX)
    (root / "build/Makefile").write_text(MAKEFILE)
    (root / "build/template").write_text(TEMPLATE)
    for number in range(TREE_FILES):
        place = root / f"srv/tree/part-{number % TREE_DIRECTORIES:02}/file-{number:03}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"line {number}\n" * (number % 60 + 1) * 5)


def _copy_libraries(root: Path, program: Path) -> None:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    for word in listed.stdout.split():
        place = root / word.lstrip("/")
        if word.startswith("/") and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, place)
