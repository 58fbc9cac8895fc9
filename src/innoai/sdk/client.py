"""`InnoAI` and `AsyncInnoAI`: openai's clients, pointed at an innoai server, with its control plane added."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack

from openai import DEFAULT_MAX_RETRIES, APIStatusError, AsyncOpenAI, NotGiven, OpenAI, Timeout, not_given
from openai._base_client import BaseClient
from openai._httpx2 import request_exceptions
from typing_extensions import override

from innoai.sdk.answers import not_innoai, unreadable
from innoai.sdk.calls import auth, tiers
from innoai.sdk.errors import InvalidApiKey, MissingApiKey, TokenExpired, typed_error
from innoai.sdk.methods import send, send_async
from innoai.sdk.repeats import final_error, may_repeat
from innoai.sdk.resources import (
    AsyncAudit,
    AsyncAuth,
    AsyncBilling,
    AsyncCustomers,
    AsyncKeys,
    AsyncMembers,
    AsyncRequests,
    AsyncWebhooks,
    Audit,
    Auth,
    Billing,
    Customers,
    Keys,
    Members,
    Requests,
    Webhooks,
)
from innoai.sdk.tokens import AsyncTokenKeeper, Grant, TokenKeeper
from innoai.sdk.typed_streams import typed

if TYPE_CHECKING:
    import httpx2
    from openai._models import FinalRequestOptions

    from innoai.sdk.models.auth import Token
    from innoai.sdk.models.tiers import AccessMatrix

KEY_VARIABLE = "INNOAI_API_KEY"
BASE_URL_VARIABLE = "INNOAI_BASE_URL"
DEFAULT_BASE_URL = "http://127.0.0.1:8080/v1"
DEFAULT_TOKEN_LIFETIME = 3600
"""Seconds."""

AnswerT = TypeVar("AnswerT")


class OpenAIOptions(TypedDict, total=False):
    """Options of openai's clients that are passed on as they are."""

    organization: str | None
    project: str | None
    webhook_secret: str | None
    websocket_base_url: str | httpx2.URL | None
    _strict_response_validation: bool
    _enforce_credentials: bool


class _InnoAIClient(BaseClient[Any, Any]):
    """What both clients share: the key, typed errors, what is retried, no trace of OpenAI's environment."""

    api_key: str
    admin_api_key: str | None
    organization: str | None
    project: str | None
    webhook_secret: str | None
    _ambient_authorizations: frozenset[str]
    _keeper: TokenKeeper | AsyncTokenKeeper | None

    @property
    def root_key(self) -> str:
        """The API key itself; in token auth it is sent to /auth/token alone."""
        return self._keeper.grant.api_key if self._keeper is not None else self.api_key

    @override
    def _make_status_error(self, err_msg: str, *, body: object, response: httpx2.Response) -> APIStatusError:
        if response.is_redirect:
            return not_innoai(response)
        own = typed_error(err_msg, body=body, response=response)
        return own or super()._make_status_error(err_msg, body=body, response=response)

    @override
    def _should_retry(self, response: httpx2.Response) -> bool:
        """As openai's, but for conflicts and for what may have been done already."""
        return may_repeat(response, otherwise=super()._should_retry)

    def _forget_openai_environment(self, headers: Mapping[str, str] | None, options: OpenAIOptions) -> None:
        """Undo what openai read from OPENAI_*: another server's credentials must not be sent to this one."""
        self.admin_api_key = None
        self.organization = options.get("organization")
        self.project = options.get("project")
        self.webhook_secret = options.get("webhook_secret")
        self._custom_headers = headers or {}
        self._ambient_authorizations = frozenset()

    def _carried(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a copy such that token auth stays token auth, with tokens from where the copy points."""
        if self._keeper is None or not {"api_key", "base_url", "http_client"} & options.keys():
            return dict(options)
        grant = self._keeper.grant
        return {
            **options,
            "api_key": options.get("api_key") or grant.api_key,
            "_extra_kwargs": _token_options(grant.customer_id, grant.scopes, grant.expires_in),
        }


class InnoAI(_InnoAIClient, OpenAI):
    """A client of an innoai server: all of `openai.OpenAI`, and the control plane's resources.

    api_key: INNOAI_API_KEY by default. base_url: with `/v1`, by default INNOAI_BASE_URL and without that
    http://127.0.0.1:8080/v1. With customer_id or scopes the client uses token auth: it mints tokens narrowed
    to them that live token_lifetime seconds (60-86,400), and keeps them fresh; the key then goes to
    /auth/token alone. The rest are openai's options.
    Raises MissingApiKey without a key, ValueError on one that cannot be sent.
    """

    _keeper: TokenKeeper | None

    def __init__(
        self,
        *,
        api_key: str | TokenKeeper | None = None,
        base_url: str | httpx2.URL | None = None,
        customer_id: str | None = None,
        scopes: Sequence[str] | None = None,
        token_lifetime: int = DEFAULT_TOKEN_LIFETIME,
        timeout: float | Timeout | NotGiven | None = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: httpx2.Client | None = None,
        **options: Unpack[OpenAIOptions],
    ) -> None:
        credential: str | TokenKeeper
        if isinstance(api_key, TokenKeeper):
            credential = api_key
        elif customer_id is None and scopes is None:
            credential = _usable_key(api_key)
        else:
            grant = _grant(_usable_key(api_key), customer_id, scopes, token_lifetime)
            credential = TokenKeeper(
                grant, mint=lambda: _mint(self, grant), refresh=lambda t: _renew(self, t)
            )
        self._keeper = credential if isinstance(credential, TokenKeeper) else None
        super().__init__(
            api_key=credential,
            base_url=_usable_base_url(base_url),
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=http_client,
            **options,
        )
        self._forget_openai_environment(default_headers, options)

    @cached_property
    def auth(self) -> Auth:
        """Tokens, and what a credential is worth."""
        return Auth(self)

    @cached_property
    def keys(self) -> Keys:
        """The account's API keys."""
        return Keys(self)

    @cached_property
    def requests(self) -> Requests:
        """Requests as they happen, and the last refusals."""
        return Requests(self)

    @cached_property
    def customers(self) -> Customers:
        """The account's end customers."""
        return Customers(self)

    @cached_property
    def members(self) -> Members:
        """The people of the account."""
        return Members(self)

    @cached_property
    def billing(self) -> Billing:
        """What was used, what it cost, and what may be spent."""
        return Billing(self)

    @cached_property
    def webhooks(self) -> Webhooks:  # type: ignore[override]  # openai's speak of OpenAI's events
        """Where events are sent, and what became of them. `innoai.webhooks` verifies what they bring."""
        return Webhooks(self)

    @cached_property
    def audit(self) -> Audit:
        """The audit log: what was done, by whom, and from where."""
        return Audit(self)

    def tiers(self) -> AccessMatrix:
        """The access-control matrix: tiers, scopes, levels and the scope that each route asks for."""
        return send(self, tiers.tiers())

    def as_customer(
        self,
        customer_id: str,
        *,
        scopes: Sequence[str] | None = None,
        expires_in: int = DEFAULT_TOKEN_LIFETIME,
    ) -> Self:
        """A client that acts for that customer by token; it shares this one's connections.

        scopes: those of the key by default. expires_in: seconds that each token lives.
        """
        if not customer_id:
            raise ValueError("as_customer needs a customer's id; without one it would act with the whole key")
        narrowed = _token_options(customer_id, scopes, expires_in)
        return super().copy(api_key=self.root_key, _extra_kwargs=narrowed)

    @override
    def copy(self, **options: Any) -> Self:
        """This client with some of openai's options changed; token auth is carried over."""
        return super().copy(**self._carried(options))

    with_options = copy

    @override
    def _send_request(self, request: httpx2.Request, *, stream: bool, **options: Any) -> httpx2.Response:
        """openai repeats what this raises, but for errors of its own."""
        try:
            return super()._send_request(request, stream=stream, **options)
        except request_exceptions() as problem:
            if (final := final_error(problem, request)) is None:
                raise
            raise final from problem

    @override
    def _process_response(
        self, *, cast_to: Any, response: httpx2.Response, stream: bool, **options: Any
    ) -> Any:
        """openai gives what is no JSON as text, and an empty answer whatever came in its place."""
        if (problem := unreadable(response, cast_to, stream=stream)) is not None:
            response.close()
            raise problem
        return super()._process_response(cast_to=cast_to, response=response, stream=stream, **options)

    @override
    def request(
        self,
        cast_to: type[AnswerT],
        options: FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: Any = None,
    ) -> Any:
        """openai's one way out. A token refused with 401 is replaced, and the request sent once more."""
        stream_cls = typed(stream_cls)
        try:
            return super().request(cast_to, options, stream=stream, stream_cls=stream_cls)
        except (InvalidApiKey, TokenExpired) as refusal:
            refused = _bearer(refusal.request)
            if self._keeper is None or not self._keeper.issued(refused) or not _resendable(options):
                raise
            self._keeper.token(other_than=refused)
        return super().request(cast_to, options, stream=stream, stream_cls=stream_cls)


class AsyncInnoAI(_InnoAIClient, AsyncOpenAI):
    """`InnoAI` for asyncio: the same options and attributes; every method is awaited."""

    _keeper: AsyncTokenKeeper | None

    def __init__(
        self,
        *,
        api_key: str | AsyncTokenKeeper | None = None,
        base_url: str | httpx2.URL | None = None,
        customer_id: str | None = None,
        scopes: Sequence[str] | None = None,
        token_lifetime: int = DEFAULT_TOKEN_LIFETIME,
        timeout: float | Timeout | NotGiven | None = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: httpx2.AsyncClient | None = None,
        **options: Unpack[OpenAIOptions],
    ) -> None:
        credential: str | AsyncTokenKeeper
        if isinstance(api_key, AsyncTokenKeeper):
            credential = api_key
        elif customer_id is None and scopes is None:
            credential = _usable_key(api_key)
        else:
            grant = _grant(_usable_key(api_key), customer_id, scopes, token_lifetime)
            credential = AsyncTokenKeeper(
                grant, mint=lambda: _mint_async(self, grant), refresh=lambda t: _renew_async(self, t)
            )
        self._keeper = credential if isinstance(credential, AsyncTokenKeeper) else None
        super().__init__(
            api_key=credential,
            base_url=_usable_base_url(base_url),
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=http_client,
            **options,
        )
        self._forget_openai_environment(default_headers, options)

    @cached_property
    def auth(self) -> AsyncAuth:
        """Tokens, and what a credential is worth."""
        return AsyncAuth(self)

    @cached_property
    def keys(self) -> AsyncKeys:
        """The account's API keys."""
        return AsyncKeys(self)

    @cached_property
    def requests(self) -> AsyncRequests:
        """Requests as they happen, and the last refusals."""
        return AsyncRequests(self)

    @cached_property
    def customers(self) -> AsyncCustomers:
        """The account's end customers."""
        return AsyncCustomers(self)

    @cached_property
    def members(self) -> AsyncMembers:
        """The people of the account."""
        return AsyncMembers(self)

    @cached_property
    def billing(self) -> AsyncBilling:
        """What was used, what it cost, and what may be spent."""
        return AsyncBilling(self)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:  # type: ignore[override]  # openai's speak of OpenAI's events
        """Where events are sent, and what became of them. `innoai.webhooks` verifies what they bring."""
        return AsyncWebhooks(self)

    @cached_property
    def audit(self) -> AsyncAudit:
        """The audit log: what was done, by whom, and from where."""
        return AsyncAudit(self)

    async def tiers(self) -> AccessMatrix:
        """The access-control matrix: tiers, scopes, levels and the scope that each route asks for."""
        return await send_async(self, tiers.tiers())

    def as_customer(
        self,
        customer_id: str,
        *,
        scopes: Sequence[str] | None = None,
        expires_in: int = DEFAULT_TOKEN_LIFETIME,
    ) -> Self:
        """A client that acts for that customer by token; it shares this one's connections.

        scopes: those of the key by default. expires_in: seconds that each token lives.
        """
        if not customer_id:
            raise ValueError("as_customer needs a customer's id; without one it would act with the whole key")
        narrowed = _token_options(customer_id, scopes, expires_in)
        return super().copy(api_key=self.root_key, _extra_kwargs=narrowed)

    @override
    def copy(self, **options: Any) -> Self:
        """This client with some of openai's options changed; token auth is carried over."""
        return super().copy(**self._carried(options))

    with_options = copy

    @override
    async def _send_request(
        self, request: httpx2.Request, *, stream: bool, **options: Any
    ) -> httpx2.Response:
        """openai repeats what this raises, but for errors of its own."""
        try:
            return await super()._send_request(request, stream=stream, **options)
        except request_exceptions() as problem:
            if (final := final_error(problem, request)) is None:
                raise
            raise final from problem

    @override
    async def _process_response(
        self, *, cast_to: Any, response: httpx2.Response, stream: bool, **options: Any
    ) -> Any:
        """openai gives what is no JSON as text, and an empty answer whatever came in its place."""
        if (problem := unreadable(response, cast_to, stream=stream)) is not None:
            await response.aclose()
            raise problem
        return await super()._process_response(cast_to=cast_to, response=response, stream=stream, **options)

    @override
    async def request(
        self,
        cast_to: type[AnswerT],
        options: FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: Any = None,
    ) -> Any:
        """openai's one way out. A token refused with 401 is replaced, and the request sent once more."""
        stream_cls = typed(stream_cls)
        try:
            return await super().request(cast_to, options, stream=stream, stream_cls=stream_cls)
        except (InvalidApiKey, TokenExpired) as refusal:
            refused = _bearer(refusal.request)
            if self._keeper is None or not self._keeper.issued(refused) or not _resendable(options):
                raise
            await self._keeper.token(other_than=refused)
        return await super().request(cast_to, options, stream=stream, stream_cls=stream_cls)


def _mint(client: InnoAI, grant: Grant) -> Token:
    return send(client, auth.token(grant.customer_id, grant.scopes, grant.expires_in))


def _renew(client: InnoAI, refresh_token: str) -> Token:
    return send(client, auth.refresh(refresh_token))


async def _mint_async(client: AsyncInnoAI, grant: Grant) -> Token:
    return await send_async(client, auth.token(grant.customer_id, grant.scopes, grant.expires_in))


async def _renew_async(client: AsyncInnoAI, refresh_token: str) -> Token:
    return await send_async(client, auth.refresh(refresh_token))


def _usable_key(api_key: str | None) -> str:
    """The key given or the environment's, without surrounding white space (a file's last newline).

    Raises MissingApiKey without one, TypeError on one that is no text, and ValueError on one that no header
    can carry; none of them shows the key.
    """
    if api_key is not None and not isinstance(api_key, str):
        raise TypeError(f"api_key is a string, not {type(api_key).__name__}")
    key = (api_key if api_key is not None else os.environ.get(KEY_VARIABLE, "")).strip()
    if not key:
        raise MissingApiKey(f"no API key: pass api_key=… or set the environment variable {KEY_VARIABLE}")
    if not all("!" <= character <= "~" for character in key):
        raise ValueError("the API key contains a space or a character outside ASCII: copy it again")
    return key


def _usable_base_url(base_url: str | httpx2.URL | None) -> str | httpx2.URL:
    """The address given, the environment's, or this machine's.

    Raises ValueError on one that no request could be sent to, without showing it: it may be a key.
    """
    address = base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    if not str(address).startswith(("http://", "https://")):
        raise ValueError(
            f"the base URL starts with http:// or https:// and ends in /v1, like {DEFAULT_BASE_URL}"
        )
    return address


def _grant(key: str, customer_id: str | None, scopes: Sequence[str] | None, lifetime: int) -> Grant:
    if isinstance(scopes, str):
        raise TypeError("scopes is a list of strings, not one string")
    return Grant(key, customer_id, tuple(scopes) if scopes is not None else None, lifetime)


def _token_options(customer_id: str | None, scopes: Sequence[str] | None, lifetime: int) -> dict[str, Any]:
    return {"customer_id": customer_id, "scopes": scopes, "token_lifetime": lifetime}


def _bearer(request: httpx2.Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else None


def _resendable(options: FinalRequestOptions) -> bool:
    """Whether the body can be read a second time: JSON, bytes and forms of bytes can, open files cannot."""
    files = options.files or ()
    parts = [part for _, part in (files.items() if isinstance(files, Mapping) else files)]
    contents = [part[1] if isinstance(part, tuple) else part for part in parts]
    return all(isinstance(content, bytes | str | None) for content in (options.content, *contents))
