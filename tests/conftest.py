# SPDX-License-Identifier: Apache-2.0
"""What all tests stand on: signals as a shell in the foreground gives them.

A job that a script starts in the background ignores SIGINT and SIGQUIT, one under nohup SIGHUP, and so would
everything that the tests start.
"""

import signal

for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
