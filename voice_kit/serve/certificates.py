"""A certificate that this machine gives itself, so that a phone's browser opens its microphone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from voice_kit.errors import VoiceKitError
from voice_kit.settings import home

LASTS = timedelta(days=90)
RENEWED = timedelta(days=7)
"""A certificate that ends sooner than this is made anew."""


def certificate(
    hosts: Sequence[str], folder: Path | None = None, now: datetime | None = None
) -> tuple[Path, str]:
    """A file with a key and a certificate for these hosts, and the latter's fingerprint.

    The file is kept in VOICE_KIT_HOME, readable by its owner alone, and made anew when a host
    is missing in it, when it soon ends, or when others could have read it.
    """
    now = now or datetime.now(UTC)
    file = (folder or home()) / "lan" / "lan.pem"
    kept = _kept(file, hosts, now)
    if kept is None:
        kept, pem = _made(hosts, now)
        _write(file, pem)
    digest = kept.fingerprint(hashes.SHA256()).hex().upper()
    return file, ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _kept(file: Path, hosts: Sequence[str], now: datetime) -> x509.Certificate | None:
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:
            return None
        pem = file.read_bytes()
        kept = x509.load_pem_x509_certificate(pem)
        if load_pem_private_key(pem, None).public_key() != kept.public_key():
            return None
        names = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return None
    known = {*map(str, names.get_values_for_type(x509.IPAddress))}
    known |= {*names.get_values_for_type(x509.DNSName)}
    lasting = kept.not_valid_before_utc <= now and now + RENEWED < kept.not_valid_after_utc
    return kept if lasting and set(hosts) <= known else None


def _made(hosts: Sequence[str], now: datetime) -> tuple[x509.Certificate, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "voice-kit on this network")])
    alternatives = map(_name, dict.fromkeys([*hosts, "localhost", "127.0.0.1", "::1"]))
    public = key.public_key()
    made = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # the phone's clock may be behind
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectAlternativeName(list(alternatives)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made, private + made.public_bytes(Encoding.PEM)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(file: Path, pem: bytes) -> None:
    beside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(pem)
        beside.replace(file)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise VoiceKitError(
            f"The certificate cannot be kept in {file.parent}: {error.strerror}. Set "
            "VOICE_KIT_HOME to a folder that can be written."
        ) from error
