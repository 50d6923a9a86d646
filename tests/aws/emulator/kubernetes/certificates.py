"""Certificates and keys of a cluster: an authority of its own, and an identity for everybody in it.

A certificate and its key share one file, which programs written in Go take for either of the two.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = datetime.timedelta(days=365)
NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


class Authority:
    """A cluster's authority, and the folder in which everybody's files are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = self._builder(name, name, self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = builder.add_extension(usage, critical=True).sign(self.key, hashes.SHA256())
        folder.mkdir(mode=0o700)
        self._write("ca.crt", self.certificate.public_bytes(serialization.Encoding.PEM))
        self._write("ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM) + private(self.key))

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self.folder / name

    def issue(self, file: str, user: str, group: str | None = None, *, serves: tuple[str, ...] = ()) -> Path:
        """Makes an identity for a client, or for a server with names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group:
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        builder = self._builder(x509.Name(attributes), self.certificate.subject, key.public_key())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if serves else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        if serves:
            names = [x509.DNSName(name) if not is_address(name) else address(name) for name in serves]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return self._write(file, certificate.public_bytes(serialization.Encoding.PEM) + private(key))

    def signing_key(self) -> tuple[Path, Path]:
        """Makes the key that tokens of ServiceAccounts are signed with, and its public half."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        half = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return self._write("service-accounts.key", private(key)), self._write("service-accounts.pub", half)

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + VALIDITY)
        )

    def _write(self, name: str, content: bytes) -> Path:
        path = self.path(name)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        return path


def private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """A key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def is_address(name: str) -> bool:
    """Whether a name is an address."""
    return name.replace(".", "").isdigit()


def address(text: str) -> x509.IPAddress:
    """An address as certificates have it."""
    return x509.IPAddress(ipaddress.ip_address(text))
