# SPDX-License-Identifier: Apache-2.0
"""Where the package keeps its BPF objects."""

from importlib.resources import files

from hauberk.kernel.errors import LoadError


def object_image(name: str = "hauberk") -> bytes:
    """The bytes of one of Hauberk's BPF objects. Raises LoadError if the installation has none."""
    try:
        return files("hauberk").joinpath("bpf", f"{name}.bpf.o").read_bytes()
    except FileNotFoundError as error:
        raise LoadError("this installation has no BPF object: build it with `make setup`", 0) from error
