"""Access and refresh tokens: JSON Web Tokens (RFC 7519) in one exact spelling, held to RFC 8725.

A token is accepted only in the very bytes that this module would write. The header segment must be
equal to the one header of a live signing key, which leaves no room for `none`, another algorithm,
`crit`, `jwk`, `jku` or a duplicate member; the signature segment is compared in its encoded form,
which leaves none for padding or stray bits; and the payload must survive decoding and encoding
unchanged, which leaves none for duplicate, unknown or ill-typed claims.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Mapping

Algorithm = Literal["HS256", "EdDSA"]
TokenUse = Literal["access", "refresh"]

MAX_TOKEN_BYTES = 8192
MIN_SECRET_BYTES = 32
ED25519_BYTES = 32
DEFAULT_LIFETIME = 3600
MIN_LIFETIME = 60
MAX_LIFETIME = 86_400
REFRESH_LIFETIME = 30 * 86_400
CLOCK_SKEW = 60
"""Seconds by which a replica's clock may run behind the one that issued a token."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class Claims(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a token says. Times in Unix seconds.

    `sub` is the customer's id, or the key's where there is no customer; `client_id` the id of the key
    that minted it; `sid` names the family of all tokens from one mint. A refresh token carries in
    `lifetime` the seconds for which the access tokens that it gives live, and in `generation` its
    place in the chain when it rotates at each use.
    """

    iss: str
    aud: str
    sub: str
    client_id: str
    scope: str
    jti: str
    iat: int
    exp: int
    token_use: TokenUse
    sid: str
    customer_id: str | None = None
    lifetime: int | None = None
    generation: int | None = None

    @property
    def scopes(self) -> frozenset[str]:
        """`scope` taken apart (RFC 6749 §3.3)."""
        return frozenset(self.scope.split())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key id and its one algorithm. `secret` is an HMAC secret, or an Ed25519 private key's 32 bytes."""

    kid: str
    algorithm: Algorithm
    secret: bytes = field(repr=False)
    header: str = ""

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise ValueError(
                f"signing key {self.kid}: {len(self.secret)} secret bytes, {MIN_SECRET_BYTES} are needed"
            )
        if self.algorithm == "EdDSA" and len(self.secret) != ED25519_BYTES:
            raise ValueError(
                f"signing key {self.kid}: {len(self.secret)} secret bytes, Ed25519 takes {ED25519_BYTES}"
            )
        if not self.header:
            header = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}
            object.__setattr__(self, "header", _encode(msgspec.json.encode(header)))

    def sign(self, signed: str) -> str:
        """The encoded signature over `header.payload`."""
        if self.algorithm == "HS256":
            return _encode(hmac.digest(self.secret, signed.encode(), "sha256"))
        return _encode(Ed25519PrivateKey.from_private_bytes(self.secret).sign(signed.encode()))

    def has_signed(self, signed: str, signature: str) -> bool:
        """Whether `signature` is this key's, in its one encoding, over `signed`."""
        if self.algorithm == "HS256":
            return hmac.compare_digest(self.sign(signed), signature)
        try:
            public = Ed25519PrivateKey.from_private_bytes(self.secret).public_key()
            public.verify(_decode(signature), signed.encode())
        except (InvalidSignature, ValueError):
            return False
        return True

    def public_jwk(self) -> dict[str, str] | None:
        """The public half as a JWK (RFC 8037 §2); an HMAC secret has none."""
        if self.algorithm == "HS256":
            return None
        public = Ed25519PrivateKey.from_private_bytes(self.secret).public_key()
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": self.kid,
            "x": _encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)),
        }


def mint(claims: Claims, key: SigningKey) -> str:
    """The compact serialisation (RFC 7515 §7.1) of the claims under the key."""
    signed = f"{key.header}.{_encode(msgspec.json.encode(claims))}"
    return f"{signed}.{key.sign(signed)}"


class SigningKeys:
    """The signing keys that tokens may bear: one that signs, and those that still verify.

    ValueError when two of them share a key id, since a key id stands for one key and one algorithm.
    """

    __slots__ = ("_by_header", "current")

    def __init__(self, current: SigningKey, retiring: tuple[SigningKey, ...] = ()) -> None:
        keys = (*retiring, current)
        if len({key.kid for key in keys}) < len(keys):
            raise ValueError("two signing keys share a key id; give each its own")
        self.current = current
        self._by_header: Mapping[str, SigningKey] = {key.header: key for key in keys}

    def verify_signature(self, token: str) -> bytes:
        """The payload of a token that one of the keys signed.

        Raises:
            InnoError: invalid_api_key, whatever is wrong with it.
        """
        if len(token) > MAX_TOKEN_BYTES or _COMPACT.fullmatch(token) is None:
            raise _invalid()
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        key = self._by_header.get(header)
        if key is None or not key.has_signed(signed, signature):
            raise _invalid()
        try:
            return _decode(payload)
        except ValueError:
            raise _invalid() from None

    def verify(self, token: str, *, issuer: str, audience: str, use: TokenUse, now: float) -> Claims:
        """The claims of a token that this installation issued for this use, expired or not.

        Expiry is left to the decision, which says so in its own code.

        Raises:
            InnoError: invalid_api_key, whatever is wrong with it.
        """
        payload = self.verify_signature(token)
        try:
            claims = msgspec.json.decode(payload, type=Claims)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _invalid() from None
        genuine = (
            msgspec.json.encode(claims) == payload
            and claims.iss == issuer
            and claims.aud == audience
            and claims.token_use == use
            and claims.iat <= now + CLOCK_SKEW
        )
        if not genuine:
            raise _invalid()
        return claims

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The JWK Set (RFC 7517 §5) of the public keys."""
        jwks = (key.public_jwk() for key in self._by_header.values())
        return {"keys": [jwk for jwk in jwks if jwk is not None]}


def is_token_shaped(credential: str) -> bool:
    """Whether a credential is to be read as a token at all: three segments of the base64url alphabet."""
    return len(credential) <= MAX_TOKEN_BYTES and _COMPACT.fullmatch(credential) is not None


def _invalid() -> InnoError:
    return InnoError("invalid_api_key", "The provided token is invalid or has been revoked.")


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(segment: str) -> bytes:
    """The bytes of a segment; ValueError unless this is the one way to write them."""
    data = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if _encode(data) != segment:
        raise ValueError("not the canonical base64url form")
    return data
