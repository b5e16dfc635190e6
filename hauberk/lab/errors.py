# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with the lab, apart from the command that runs in it.

A command that fails is no error here: its status is an ordinary result. `LostVMError` is the opposite case, a
machine that went away before it could report a status, and it is kept apart so that nobody takes one for the
other.
"""

from hauberk.errors import HauberkError


class LabError(HauberkError):
    """The lab could not do what it was asked for."""


class MissingToolError(LabError):
    """A program of the system that the lab needs is not installed."""


class KernelNotFoundError(LabError):
    """No such kernel is cached, and none could be fetched."""


class ModuleNotFoundInKernelError(LabError):
    """The kernel neither contains nor comes with a module that the lab needs."""


class LostVMError(LabError):
    """The virtual machine ended, or never came to life, without reporting the command's status.

    `console` is the tail of the guest's serial console: the kernel's last words.
    """

    def __init__(self, message: str, console: str = "") -> None:
        super().__init__(message)
        self.console = console
