# SPDX-License-Identifier: Apache-2.0
"""How commands talk to the node's agent: messages over a unix socket, and who may send them."""
