"""Certificate authorities made up for a test, and what they sign: good, ended, of another name."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = ("localhost", "127.0.0.1")


class Authority:
    """An authority whose certificate is in the file `ca`."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.directory = directory
        self.ca = directory / f"{name}.crt"
        self._name = _named(f"Test authority {name}")
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(self._name, self._name, self._key.public_key(), days=2)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.ca.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, hosts=HERE, *, days: float = 1) -> tuple[Path, Path]:
        """Write `<name>.crt` and `<name>.key` for `hosts`; with negative `days` it has ended."""
        secret = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_named(name), self._name, secret.public_key(), days=days).add_extension(
            x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
        )
        certificate, key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        replace(key, _private(secret))
        replace(certificate, _pem(made.sign(self._key, hashes.SHA256())))
        return certificate, key


def replace(file: Path, content: bytes) -> None:
    """Put `content` in the place of a file at once, as whoever replaces a certificate should."""
    aside = file.with_suffix(".new")
    aside.write_bytes(content)
    aside.chmod(0o600)
    aside.replace(file)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject, issuer, public, *, days: float) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
