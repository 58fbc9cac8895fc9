"""The installation's secret, and what is derived from it: the key pepper and the sealing of secrets at rest.

The secret is INNOAI_SECRET, or a file of mode 0600 made at init. To replace it, set the new one and
keep the old in INNOAI_SECRET_PREVIOUS: keys and sealed values made under either keep working.
"""

from __future__ import annotations

import base64
import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from innoai.access import keys
from innoai.config import MIN_SECRET_BYTES, ConfigError

if TYPE_CHECKING:
    from innoai.config import Settings

_NONCE_BYTES = 12
_RESTORE = (
    "restore the former INNOAI_SECRET or this file, without which the store cannot be opened; "
    "for a new store `innoai init` makes one"
)


@dataclass(frozen=True, slots=True)
class Derived:
    """What one secret gives. `version` is its fingerprint, kept beside whatever was made under it."""

    version: str
    pepper: bytes = field(repr=False)
    sealer: AESGCM = field(repr=False)


def derive(secret: bytes) -> Derived:
    """Independent keys from one secret by HKDF-SHA256 (RFC 5869)."""
    return Derived(
        version=_hkdf(secret, "version", 4).hex(),
        pepper=_hkdf(secret, "pepper", 32),
        sealer=AESGCM(_hkdf(secret, "sealing", 32)),
    )


class Secrets:
    """The current secret's keys and, during a change of secret, the previous one's."""

    def __init__(self, current: bytes, previous: bytes | None = None) -> None:
        self.current = derive(current)
        self.previous = None if previous is None else derive(previous)
        self._all = [self.current] if self.previous is None else [self.current, self.previous]

    def digests(self, key: str) -> list[bytes]:
        """The digests under which the store may know an API key, the current pepper's first."""
        return [keys.digest(key, derived.pepper) for derived in self._all]

    def seal(self, plaintext: bytes, purpose: str) -> bytes:
        """AES-256-GCM under a fresh nonce; `purpose` is authenticated, so values cannot change places."""
        nonce = os.urandom(_NONCE_BYTES)
        version = bytes.fromhex(self.current.version)
        return version + nonce + self.current.sealer.encrypt(nonce, plaintext, purpose.encode())

    def is_outdated(self, sealed: bytes) -> bool:
        """Whether it was sealed under another secret than the current one."""
        return sealed[:4].hex() != self.current.version

    def sealed_anew(self, sealed: bytes, purpose: str) -> bytes | None:
        """The same under the current secret; None where it is so already, or neither secret opens it."""
        if not self.is_outdated(sealed):
            return None
        try:
            return self.seal(self.open(sealed, purpose), purpose)
        except ConfigError:
            return None

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """What was sealed for this purpose.

        Raises:
            ConfigError: the installation's secret is not the one that sealed it.
        """
        version, nonce, ciphertext = sealed[:4].hex(), sealed[4:16], sealed[16:]
        for derived in self._all:
            if derived.version == version:
                try:
                    return derived.sealer.decrypt(nonce, ciphertext, purpose.encode())
                except InvalidTag:
                    break
        raise ConfigError(
            "the store was made under another secret; restore the former INNOAI_SECRET or secret_file, "
            "or name it in INNOAI_SECRET_PREVIOUS"
        )


def load(settings: Settings, *, create: bool) -> Secrets:
    """The installation's secret, from the environment or the file; `create` makes a missing file.

    Make one only for a store that is yet to be made: no other can be opened with it.

    Raises:
        ConfigError: there is none, or the file cannot be used.
    """
    previous = settings.previous_secret.encode() if settings.previous_secret is not None else None
    if settings.secret is not None:
        return Secrets(settings.secret.encode(), previous)
    file = Path(settings.store.secret_file)
    if create and not (file.exists() and file.stat().st_size):
        _make(file)
    return Secrets(_read(file), previous)


def exposed_file(settings: Settings) -> Path | None:
    """The secret's file, where it is used and others than its owner may read it."""
    file = Path(settings.store.secret_file)
    if settings.secret is not None or not file.exists() or not file.stat().st_mode & 0o077:
        return None
    return file


def _make(file: Path) -> None:
    """Write a new secret into the file, unless another process that makes it at the same time was first."""
    try:
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not stream.read(1):
                stream.write(base64.b64encode(os.urandom(48)) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be made ({error.strerror}); set INNOAI_SECRET or store.secret_file"
        ) from None


def _read(file: Path) -> bytes:
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"{file}: the installation's secret cannot be read ({error.strerror}); {_RESTORE}"
        ) from None
    if not secret:
        raise ConfigError(f"{file}: the installation's secret is empty; {_RESTORE}")
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"{file}: the installation's secret has {len(secret)} bytes; it needs at least {MIN_SECRET_BYTES}"
        )
    return secret


def _hkdf(secret: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"innoai " + purpose.encode()).derive(secret)
