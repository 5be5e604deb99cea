"""Keys and certificates, made by openssl(1). Keys go in and out by files and standard input only."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

DAYS_OF_CA, DAYS_OF_CERTIFICATE = 3650, 365

CLIENT, SERVER = "clientAuth", "serverAuth"


class OpensslError(Exception):
    """openssl(1) refused; what it said."""


def _openssl(*arguments: str | Path, data: bytes = b"", **options: object) -> bytes:
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise OpensslError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return bytes(done.stdout)


def new_key(path: Path) -> None:
    """An RSA key of 2048 bits in PKCS#1, as kubeadm makes them."""
    pem = _openssl("genrsa", "-traditional", "2048")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def public_key(key: Path) -> str:
    return _openssl("pkey", "-in", key, "-pubout").decode()


def new_ca(certificate: Path, key: Path, common_name: str) -> None:
    new_key(key)
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as settings:
        settings.write(
            "[req]\ndistinguished_name = dn\nx509_extensions = ca\nprompt = no\n"
            f"[dn]\nCN = {common_name}\n[ca]\nbasicConstraints = critical, CA:TRUE\n"
            "keyUsage = critical, digitalSignature, keyEncipherment, keyCertSign\n"
            f"subjectKeyIdentifier = hash\nsubjectAltName = DNS:{common_name}\n"
        )
        settings.flush()
        days = str(DAYS_OF_CA)
        pem = _openssl("req", "-x509", "-new", "-key", key, "-days", days, "-config", settings.name)
    certificate.write_bytes(pem)
    certificate.chmod(0o644)


def request(key: Path, common_name: str, organizations: Sequence[str] = ()) -> str:
    """A certificate signing request, PEM."""
    subject = "".join(f"/O={name}" for name in organizations) + f"/CN={common_name}"
    return _openssl("req", "-new", "-key", key, "-subj", subject).decode()


def sign(
    csr: str, ca: Path, ca_key: Path, usages: Sequence[str], names: Sequence[str] = (), days: int = 0
) -> str:
    """The certificate that the CA makes of a request, PEM.

    ``names`` are alternative names in openssl's form, such as "DNS:kubernetes" or "IP:10.96.0.1".
    """
    extensions = (
        "keyUsage = critical, digitalSignature, keyEncipherment\nbasicConstraints = critical, CA:FALSE\n"
        f"extendedKeyUsage = {', '.join(usages)}\nauthorityKeyIdentifier = keyid\n"
    )
    if names:
        extensions += f"subjectAltName = {', '.join(names)}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".ext") as file:
        file.write(extensions)
        file.flush()
        arguments = ["x509", "-req", "-CA", ca, "-CAkey", ca_key, "-extfile", file.name]
        arguments += ["-set_serial", f"0x{os.urandom(8).hex()}", "-days", str(days or DAYS_OF_CERTIFICATE)]
        return _openssl(*arguments, data=csr.encode()).decode()


def self_signed(certificate: Path, key: Path, common_name: str) -> None:
    new_key(key)
    options = ["-subj", f"/CN={common_name}", "-days", str(DAYS_OF_CERTIFICATE)]
    certificate.write_bytes(_openssl("req", "-x509", "-new", "-key", key, *options))


def spki_hash(certificate_pem: str) -> str:
    """ "sha256:<hex>" of the certificate's public key (RFC 7469), as caCertHashes pins it."""
    key = _openssl("x509", "-pubkey", "-noout", data=certificate_pem.encode())
    der = _openssl("pkey", "-pubin", "-outform", "DER", data=key)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def subject(pem: str, kind: str = "x509") -> dict[str, list[str]]:
    """The subject of a certificate ("x509") or a request ("req"), by attribute: {"O": […], "CN": […]}."""
    text = _openssl(kind, "-noout", "-subject", "-nameopt", "multiline,-esc_msb,utf8", data=pem.encode())
    found: dict[str, list[str]] = {"O": [], "CN": []}
    for line in text.decode().splitlines():
        name, _, value = line.partition("=")
        short = {"organizationName": "O", "commonName": "CN"}.get(name.strip())
        if short:
            found[short].append(value.strip())
    return found


def not_after(certificate_pem: str) -> datetime:
    text = _openssl("x509", "-noout", "-enddate", data=certificate_pem.encode()).decode().strip()
    moment = datetime.strptime(text.removeprefix("notAfter="), "%b %d %H:%M:%S %Y GMT")
    return moment.replace(tzinfo=UTC)


class Tampered(Exception):
    """What was sealed was changed, or sealed with another key."""


def seal(data: bytes, key_hex: str) -> bytes:
    """Encrypt and authenticate.

    kubeadm uses AES-GCM, which openssl(1) does not offer: here AES-256-CTR, then HMAC-SHA256 over it.
    """
    salt = os.urandom(16)
    text = salt + _cipher("-e", data, key_hex, salt)
    return text + hmac.digest(_mac_key(key_hex), text, "sha256")


def unseal(sealed: bytes, key_hex: str) -> bytes:
    text, mac = sealed[:-32], sealed[-32:]
    if not hmac.compare_digest(hmac.digest(_mac_key(key_hex), text, "sha256"), mac):
        raise Tampered("cipher: message authentication failed")
    return _cipher("-d", text[16:], key_hex, text[:16])


def _mac_key(key_hex: str) -> bytes:
    return hashlib.sha256(b"authenticate" + bytes.fromhex(key_hex)).digest()


def _cipher(direction: str, data: bytes, key_hex: str, salt: bytes) -> bytes:
    # The key goes by a pipe: a command line is for everybody to read.
    reading, writing = os.pipe()
    os.write(writing, f"{key_hex}{salt.hex()}\n".encode())
    os.close(writing)
    try:
        options = ["-aes-256-ctr", "-pbkdf2", "-iter", "1000", "-nosalt", "-pass", f"fd:{reading}"]
        return _openssl("enc", direction, *options, data=data, pass_fds=(reading,))
    finally:
        os.close(reading)
