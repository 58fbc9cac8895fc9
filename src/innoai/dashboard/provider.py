"""An OpenID Connect provider that members may sign in with (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

Its configuration and its keys are read when they are needed, and again when they are old or do not fit.
"""

from __future__ import annotations

import asyncio
import math
import secrets as randomness
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import msgspec
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.config import OidcSettings, Settings

SCOPE = "openid email profile"
TIMEOUT_SECONDS = 10.0
KEPT_SECONDS = 600.0
MAX_ANSWER_BYTES = 256 * 1024
LEEWAY_SECONDS = 60
"""How far the clocks of the two servers may be apart."""

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""With public keys alone: with a shared secret, whoever knows it could sign in as anybody."""

log = structlog.get_logger()


class Journey(msgspec.Struct, frozen=True):
    """What the browser set out with, to be compared when it comes back."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    next: str
    began_at: float
    again: bool
    """Whether the person was to prove anew who they are."""
    connects: bool
    """Whether a member who is signed in connects the provider, instead of signing in by it."""


class Identity(NamedTuple):
    """Whom the provider has authenticated. `email` only if the provider has seen that it is theirs.

    `proved_at`: when the person proved over there who they are; 0 where the provider does not say.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None
    proved_at: float


class Provider:
    """The provider of the settings."""

    def __init__(
        self, settings: OidcSettings, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._turn = asyncio.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys = KeySet([])
        self._read_at = -math.inf

    async def set_out(
        self, redirect_uri: str, back: str, *, again: bool, connects: bool
    ) -> tuple[str, Journey]:
        """Where to send the browser, and what to keep of it; `again` has the person prove who they are anew.

        Raises:
            InnoError: the provider cannot be reached, or is not what the settings say.
        """
        await self._read(KEPT_SECONDS)
        journey = Journey(
            state=randomness.token_urlsafe(32),
            nonce=randomness.token_urlsafe(32),
            verifier=randomness.token_urlsafe(48),
            redirect_uri=redirect_uri,
            next=back,
            began_at=self._clock(),
            again=again,
            connects=connects,
        )
        added = {"prompt": "login", "max_age": "0"} if again else {}
        async with self._client(journey) as client:
            address, _ = client.create_authorization_url(
                self._metadata["authorization_endpoint"],
                state=journey.state,
                nonce=journey.nonce,
                code_verifier=journey.verifier,
                **added,
            )
        return str(address), journey

    async def arrive(self, journey: Journey, code: str, state: str, issuer: str | None) -> Identity:
        """Whom the browser comes back with.

        Raises:
            InnoError: it is not the journey that was begun, the provider does not vouch for anybody, or it
                does not say that they proved anew who they are, as they were to.
        """
        if not randomness.compare_digest(state.encode(), journey.state.encode()):
            raise _failed("the state is not the one that was sent")
        await self._read(KEPT_SECONDS)
        # Whoever runs another provider must not be able to pass its answers on as this one's (RFC 9207).
        if issuer is not None and issuer != self._metadata["issuer"]:
            raise _failed("another issuer answers")
        try:
            async with self._client(journey) as client:
                token = await client.fetch_token(
                    self._metadata["token_endpoint"], code=code, code_verifier=journey.verifier
                )
            return await self._identity(token, journey)
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
            raise _failed(f"{type(error).__name__}: {error}") from None
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from None

    async def _identity(self, token: dict[str, Any], journey: Journey) -> Identity:
        claims = await self._verified(str(token["id_token"]), token.get("access_token"), journey.nonce)
        email = claims.get("email")
        is_seen = claims.get("email_verified") is True
        return Identity(
            issuer=self._metadata["issuer"],
            subject=str(claims["sub"]),
            email=email.strip().casefold() if is_seen and isinstance(email, str) else None,
            name=claims["name"] if isinstance(claims.get("name"), str) else None,
            proved_at=self._proved_at(claims, journey),
        )

    async def _verified(self, id_token: str, access_token: str | None, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that this provider signed for this server and this journey."""
        try:
            decoded = jwt.decode(id_token, self._keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            # The provider may have changed its keys since they were read.
            await self._read(0.0)
            decoded = jwt.decode(id_token, self._keys, algorithms=list(ALGORITHMS))
        options = {
            "iss": {"essential": True, "value": self._metadata["issuer"]},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        params = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": access_token}
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(self._clock()), leeway=LEEWAY_SECONDS)
        return dict(decoded.claims)

    def _proved_at(self, claims: dict[str, Any], journey: Journey) -> float:
        """When the person proved who they are. On a journey for a new proof that is after it began.

        The browser carries `max_age` there and may leave it out, so that the answer has to show that the
        provider has heeded it (OpenID Connect Core 1.0 §3.1.2.1, §3.1.3.7).
        """
        stated = claims.get("auth_time")
        if stated is None:
            if journey.again:
                raise InnoError(
                    "invalid_request",
                    f"{self.settings.name} does not say when you last proved who you are, so it is no proof "
                    "here. Use your password or a passkey.",
                )
            return 0.0
        proved_at = min(float(stated), self._clock())
        if journey.again and proved_at < journey.began_at - LEEWAY_SECONDS:
            raise InnoError(
                "invalid_request",
                f"{self.settings.name} remembered you and did not ask you to prove who you are. Try again.",
            )
        return proved_at

    async def _read(self, max_age: float) -> None:
        """Read configuration and keys, unless they were read within `max_age` seconds."""
        async with self._turn:
            if self._monotonic() - self._read_at < max_age:
                return
            issuer = self.settings.issuer
            try:
                async with httpx2.AsyncClient(**_HTTP) as client:
                    metadata = await _json(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                    if metadata.get("issuer") != issuer:
                        raise ValueError(f"it says that its issuer is {metadata.get('issuer')}")
                    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                        _check_address(name, metadata.get(name), issuer)
                    keys = KeySet.import_key_set(await _json(client, metadata["jwks_uri"]))  # type: ignore[arg-type]
            except (httpx2.HTTPError, ValueError, JoseError, KeyError, TypeError) as error:
                raise self._unreachable(error) from None
            self._metadata, self._keys, self._read_at = metadata, keys, self._monotonic()

    def _client(self, journey: Journey) -> AsyncOAuth2Client:
        secret = self.settings.client_secret
        known = self._metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"
        return AsyncOAuth2Client(
            self.settings.client_id,
            secret,
            token_endpoint_auth_method="none" if secret is None else method,
            scope=SCOPE,
            redirect_uri=journey.redirect_uri,
            code_challenge_method="S256",
            **_HTTP,
        )

    def _unreachable(self, error: Exception) -> InnoError:
        log.warning(
            "the provider cannot be used", issuer=self.settings.issuer, why=f"{type(error).__name__}: {error}"
        )
        return InnoError(
            "service_unavailable", f"{self.settings.name} cannot be reached just now. Sign in in another way."
        )


_HTTP: dict[str, Any] = {"timeout": TIMEOUT_SECONDS, "follow_redirects": False}


def open_provider(settings: Settings) -> Provider | None:
    """The provider, if the settings name one."""
    oidc = settings.dashboard.oidc
    return None if oidc is None else Provider(oidc, time.time, time.monotonic)


async def _json(client: httpx2.AsyncClient, address: str) -> dict[str, Any]:
    """A JSON object of bounded size."""
    content = bytearray()
    async with client.stream("GET", address) as answer:
        if answer.status_code != 200:
            raise ValueError(f"{address} answers with {answer.status_code}")
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise ValueError(f"{address} answers with more than {MAX_ANSWER_BYTES} bytes")
    try:
        return msgspec.json.decode(bytes(content), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"{address} is no JSON object: {error}") from None


def _check_address(name: str, address: object, issuer: str) -> None:
    """See that an endpoint is as safe to reach as the issuer is."""
    if not isinstance(address, str) or urlsplit(address).scheme not in ("https", urlsplit(issuer).scheme):
        raise ValueError(f"its {name} is no address that can be used")


def _failed(why: str) -> InnoError:
    log.warning("a sign-in with the provider failed", why=why)
    return InnoError("invalid_request", "Signing in with the provider did not work. Try it again.")
