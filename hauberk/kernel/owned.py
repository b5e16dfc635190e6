# SPDX-License-Identifier: Apache-2.0
"""A file descriptor that an object owns, and closes once."""

import os
from typing import Self


class Owned:
    """Whoever derives from this puts its descriptor into `_fd`. Use as a context manager, or call `close`."""

    _fd: int

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
