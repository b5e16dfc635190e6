# SPDX-License-Identifier: Apache-2.0
"""Where the package keeps its BPF object."""

from importlib.resources import files

from hauberk.kernel.errors import LoadError


def object_image() -> bytes:
    """The bytes of Hauberk's BPF object. Raises LoadError if the installation has none."""
    try:
        return files("hauberk").joinpath("bpf", "hauberk.bpf.o").read_bytes()
    except FileNotFoundError as error:
        raise LoadError("this installation has no BPF object: build it with `make setup`", 0) from error
