# SPDX-License-Identifier: Apache-2.0
"""What one client, and all of them together, can make the feeder spend."""

from typing import Final

MAX_CALLS: Final = 64
"""Calls at once, streams included, on all connections together; the next ones get RESOURCE_EXHAUSTED."""
MAX_CONNECTIONS: Final = 128
"""Connections at once; the next ones are closed."""
MAX_REQUEST: Final = 1 << 20
"""Bytes of one request: a policy, at most."""
_MAX_METADATA: Final = 8 << 10
PING_SECONDS: Final = 30
PONG_SECONDS: Final = 10
IDLE_SECONDS: Final = 300
HANDSHAKE_SECONDS: Final = 10
"""How long a connection may take before it speaks HTTP/2, or TLS."""

SERVER_OPTIONS: Final = (
    # Two servers on one port would each get a part of the clients.
    ("grpc.so_reuseport", 0),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.max_concurrent_streams", MAX_CALLS),
    ("grpc.max_receive_message_length", MAX_REQUEST),
    ("grpc.max_metadata_size", _MAX_METADATA),
    ("grpc.absolute_max_metadata_size", _MAX_METADATA),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
    # A client whose machine is gone says nothing: it is pinged.
    ("grpc.keepalive_time_ms", PING_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", PONG_SECONDS * 1000),
    # The timeout above alone does nothing: this one, of a minute, would be waited for.
    ("grpc.http2.ping_timeout_ms", PONG_SECONDS * 1000),
    # While nothing happens, too, however long.
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_connection_idle_ms", IDLE_SECONDS * 1000),
    # KubeArmor's relay pings every five seconds, also while nothing happens.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
)
"""Options of every server."""
