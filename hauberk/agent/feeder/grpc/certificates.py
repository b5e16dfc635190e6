# SPDX-License-Identifier: Apache-2.0
"""The server's certificate, read when it begins to listen."""

import ssl
from pathlib import Path

import grpc

from hauberk.errors import HauberkError

FILES = ("ca.crt", "server.crt", "server.key")
"""As KubeArmor names them."""
_REMEDY = "`hauberk certificates` makes them"


def server_credentials(directory: str) -> grpc.ServerCredentials:
    """For a server that takes only clients with a certificate of the same CA. Raises HauberkError."""
    authority, certificate, key = (Path(directory, name) for name in FILES)
    try:
        # gRPC would say of a faulty file no more than that it cannot listen.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
        contents = [path.read_bytes() for path in (authority, certificate, key)]
    except ssl.SSLError as error:
        raise HauberkError(
            f"the certificates in {directory} cannot be used: {error.reason or error}", _REMEDY
        ) from error
    except OSError as error:
        raise HauberkError(
            f"the certificates in {directory} cannot be read: {error.strerror or error}", _REMEDY
        ) from error
    return grpc.ssl_server_credentials([(contents[2], contents[1])], contents[0], require_client_auth=True)
