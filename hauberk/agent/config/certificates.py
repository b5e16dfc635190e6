# SPDX-License-Identifier: Apache-2.0
"""Certificates for gRPC: a CA, a server and a client, under the file names that KubeArmor's programs expect.

Keys are ECDSA on P-256 and readable to their owner alone. A certificate is good for one thing only: a client
cannot pose as a server, nor the other way around.
"""

import datetime
import ipaddress
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hauberk.agent.control.place import own_directory
from hauberk.errors import HauberkError

_CA_DAYS: Final = 3650
_SKEW: Final = datetime.timedelta(hours=1)
"""Clocks differ: certificates hold from a little before they were made."""
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_USAGES: Final = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


class CertificateError(HauberkError):
    """Certificates cannot be made here."""


def make(directory: Path, names: Sequence[str], days: int, *, renew: bool = False) -> list[Path]:
    """Make what is missing, or with `renew` all but the CA; the files that were written.

    `names` are further names and IP addresses of this node. Raises CertificateError.
    """
    # Whoever could write there would decide who is let in.
    own_directory(directory, 0o700)
    authority_files = directory / "ca.crt", directory / "ca.key"
    written: list[Path] = []
    try:
        if any(path.exists() for path in authority_files):
            authority, key = _read(*authority_files)
        else:
            authority, key = _authority()
            written += _write(*authority_files, authority, key)
        for role in _USAGES:
            files = directory / f"{role}.crt", directory / f"{role}.key"
            if not renew and any(path.exists() for path in files):
                raise CertificateError(f"{files[0]} or {files[1].name} is there already", "give --renew")
            written += _write(*files, *_issue(role, authority, key, names, days))
    except OSError as error:
        raise CertificateError(f"making certificates in {directory}: {error.strerror}") from error
    return written


def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    # Two authorities of one name would be taken for each other.
    name = _name(f"hauberk CA {os.urandom(4).hex()}")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _begin(name, name, key.public_key(), _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return made.sign(key, hashes.SHA256()), key


def _issue(
    role: str,
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    names: Iterable[str],
    days: int,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _begin(_name(f"hauberk {role}"), authority.subject, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USAGES[role]]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if role == "server":
        all_names = dict.fromkeys((socket.gethostname(), *_LOCAL, *names))
        made = made.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in all_names]), critical=False
        )
    return made.sign(signer, hashes.SHA256()), key


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        raise CertificateError(f"{name!r} is neither a host's name nor an IP address") from None


def _read(certificate: Path, key: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The CA that is there."""
    try:
        authority = x509.load_pem_x509_certificate(certificate.read_bytes())
        signer = serialization.load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise CertificateError(f"{certificate} or {key.name} is damaged", "restore or remove them") from error
    if not isinstance(signer, ec.EllipticCurvePrivateKey) or authority.public_key() != signer.public_key():
        raise CertificateError(f"{key} is not the key of {certificate.name}", "restore or remove them")
    return authority, signer


def _write(
    certificate: Path, key: Path, made: x509.Certificate, own: ec.EllipticCurvePrivateKey
) -> tuple[Path, Path]:
    """Replace a pair, the key first: a certificate whose key is not there yet is of no use."""
    pem = serialization.Encoding.PEM
    text = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for path, data, mode in ((key, text, 0o600), (certificate, made.public_bytes(pem), 0o644)):
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        temporary.replace(path)
    return certificate, key
