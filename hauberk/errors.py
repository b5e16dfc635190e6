# SPDX-License-Identifier: Apache-2.0
"""The root of every error that Hauberk raises on purpose.

A `HauberkError` carries a message for the user and, where there is one, the remedy. The command line prints
both and exits; anything else that reaches the command line is a defect.
"""


class HauberkError(Exception):
    """Something the user can be told about.

    `message` says what is wrong, `remedy` (may be empty) what to do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
