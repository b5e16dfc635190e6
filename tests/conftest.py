# SPDX-License-Identifier: Apache-2.0
"""What all tests stand on: examples that repeat in CI, and signals as a shell in the foreground gives them.

A job that a script starts in the background ignores SIGINT and SIGQUIT, one under nohup SIGHUP, and so would
everything that the tests start.

gRPC, once a test has used it, would have every later fork wait until its threads are at rest, which they may
never be. What the tests fork has no use for it.
"""

import os
import signal

from hypothesis import settings

# A run that decides whether a change lands tries the same examples each time; others try new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
