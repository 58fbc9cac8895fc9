"""The control plane as attributes of a client, sync and async: `client.keys.create(…)`.

Every method is made from its function in `calls`, which holds its signature and documentation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from innoai.sdk import calls
from innoai.sdk.pages import AsyncPage, Page, async_page_of, page_of

if TYPE_CHECKING:
    from openai._base_client import AsyncPaginator

    from innoai.sdk.calls import Call, Listing
    from innoai.sdk.client import AsyncInnoAI, InnoAI

P = ParamSpec("P")
AnswerT = TypeVar("AnswerT")


class Resource:
    """A part of the control plane, reached through a client."""

    def __init__(self, client: InnoAI) -> None:
        self._client = client


class AsyncResource:
    """A part of the control plane, reached through an async client."""

    def __init__(self, client: AsyncInnoAI) -> None:
        self._client = client


def send(client: InnoAI, call: Call[AnswerT]) -> AnswerT:
    """Make the call. Raises the typed errors of `innoai.sdk.errors`, and openai's for connections."""
    answer: AnswerT = client.request(call.answer, call.options(client.root_key))
    return answer


async def send_async(client: AsyncInnoAI, call: Call[AnswerT]) -> AnswerT:
    """Make the call. Raises the typed errors of `innoai.sdk.errors`, and openai's for connections."""
    answer: AnswerT = await client.request(call.answer, call.options(client.root_key))
    return answer


def _calls(build: Callable[P, Call[AnswerT]]) -> Callable[Concatenate[Resource, P], AnswerT]:
    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> AnswerT:
        return send(self._client, build(*args, **kwargs))

    return _documented(method, build)


def _awaits(
    build: Callable[P, Call[AnswerT]],
) -> Callable[Concatenate[AsyncResource, P], Coroutine[Any, Any, AnswerT]]:
    async def method(self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> AnswerT:
        return await send_async(self._client, build(*args, **kwargs))

    return _documented(method, build)


def _lists(build: Callable[P, Listing[AnswerT]]) -> Callable[Concatenate[Resource, P], Page[AnswerT]]:
    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> Page[AnswerT]:
        listing = build(*args, **kwargs)
        page: Page[AnswerT] = self._client.get_api_list(
            listing.path,
            model=listing.item,
            page=page_of(listing.item),
            options={"params": dict(listing.query)},
        )
        return page

    return _documented(method, build)


def _pages(
    build: Callable[P, Listing[AnswerT]],
) -> Callable[Concatenate[AsyncResource, P], AsyncPaginator[AnswerT, AsyncPage[AnswerT]]]:
    def method(
        self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncPaginator[AnswerT, AsyncPage[AnswerT]]:
        listing = build(*args, **kwargs)
        pages: AsyncPaginator[AnswerT, AsyncPage[AnswerT]] = self._client.get_api_list(
            listing.path,
            model=listing.item,
            page=async_page_of(listing.item),
            options={"params": dict(listing.query)},
        )
        return pages

    return _documented(method, build)


MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def _documented(method: MethodT, build: Callable[..., Any]) -> MethodT:
    """The method with the builder's name, documentation and signature, `self` in front."""
    update_wrapper(method, build, assigned=("__name__", "__doc__"))
    signature = inspect.signature(build)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [own, *signature.parameters.values()]
    method.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return method


class Auth(Resource):
    """Tokens, and what a credential is worth."""

    token = _calls(calls.token)
    refresh = _calls(calls.refresh)
    validate = _calls(calls.validate)
    revoke = _calls(calls.revoke_token)
    introspect = _calls(calls.introspect)
    explain = _calls(calls.explain)


class Keys(Resource):
    """The account's API keys."""

    create = _calls(calls.create_key)
    list = _lists(calls.list_keys)
    get = _calls(calls.get_key)
    update = _calls(calls.update_key)
    rotate = _calls(calls.rotate_key)
    revoke = _calls(calls.revoke_key)


class Customers(Resource):
    """The account's end customers."""

    create = _calls(calls.create_customer)
    list = _lists(calls.list_customers)
    get = _calls(calls.get_customer)
    update = _calls(calls.update_customer)
    delete = _calls(calls.delete_customer)


class AsyncAuth(AsyncResource):
    """Tokens, and what a credential is worth."""

    token = _awaits(calls.token)
    refresh = _awaits(calls.refresh)
    validate = _awaits(calls.validate)
    revoke = _awaits(calls.revoke_token)
    introspect = _awaits(calls.introspect)
    explain = _awaits(calls.explain)


class AsyncKeys(AsyncResource):
    """The account's API keys."""

    create = _awaits(calls.create_key)
    list = _pages(calls.list_keys)
    get = _awaits(calls.get_key)
    update = _awaits(calls.update_key)
    rotate = _awaits(calls.rotate_key)
    revoke = _awaits(calls.revoke_key)


class AsyncCustomers(AsyncResource):
    """The account's end customers."""

    create = _awaits(calls.create_customer)
    list = _pages(calls.list_customers)
    get = _awaits(calls.get_customer)
    update = _awaits(calls.update_customer)
    delete = _awaits(calls.delete_customer)
