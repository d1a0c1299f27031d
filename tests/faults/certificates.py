"""A certificate authority for the tests, and servers' certificates: a good one, and some that must be refused."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What Python 3.13 asks of an authority.
_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@frozen
class Certificates:
    """Contexts of servers, and the one of a client that trusts the authority."""

    client: ssl.SSLContext
    good: ssl.SSLContext
    expired: ssl.SSLContext
    other_name: ssl.SSLContext
    other_authority: ssl.SSLContext


def make_certificates(folder: Path) -> Certificates:
    """Write the files into ``folder`` and load them."""
    key, authority = _authority("tests")
    other_key, other_authority = _authority("somebody else")
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    week = timedelta(days=7)

    def server(
        name: str,
        *,
        host: str = "127.0.0.1",
        ends: timedelta = week,
        signed_by: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] = (key, authority),
    ) -> ssl.SSLContext:
        signing_key, issuer = signed_by
        own_key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer.subject)
            .public_key(own_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * week)
            .not_valid_after(now + ends)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
            .sign(signing_key, hashes.SHA256())
        )
        file = folder / f"{name}.pem"
        file.write_bytes(
            own_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    return Certificates(
        client=ssl.create_default_context(cafile=folder / "ca.pem"),
        good=server("good"),
        expired=server("expired", ends=-week),
        other_name=server("other-name", host="127.0.0.9"),
        other_authority=server("other-authority", signed_by=(other_key, other_authority)),
    )


def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate
