"""Methods of resources, sync and async, made from the functions of `calls`.

Those hold signature and documentation, so that each is written once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from innoai.sdk.pages import AsyncPage, Page
from innoai.sdk.streams import AsyncDownload, Download, open_stream, open_stream_async

if TYPE_CHECKING:
    from openai._base_client import AsyncPaginator

    from innoai.sdk.calls.call import Call, Listing
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


def fetch_page(client: InnoAI | AsyncInnoAI, listing: Listing[Any], page: Any) -> Any:
    """The first page, of that class; of an async client what may be awaited, or walked by `async for`."""
    options: Any = {"params": dict(listing.query)}
    return client.get_api_list(listing.path, model=listing.item, page=page[listing.item], options=options)


def calls(build: Callable[P, Call[AnswerT]]) -> Callable[Concatenate[Resource, P], AnswerT]:
    """The method that makes the call."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> AnswerT:
        return send(self._client, build(*args, **kwargs))

    return _documented(method, build)


def awaits(
    build: Callable[P, Call[AnswerT]],
) -> Callable[Concatenate[AsyncResource, P], Coroutine[Any, Any, AnswerT]]:
    """The async method that makes the call."""

    async def method(self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> AnswerT:
        return await send_async(self._client, build(*args, **kwargs))

    return _documented(method, build)


def lists(build: Callable[P, Listing[AnswerT]]) -> Callable[Concatenate[Resource, P], Page[AnswerT]]:
    """The method that fetches a page."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> Page[AnswerT]:
        page: Page[AnswerT] = fetch_page(self._client, build(*args, **kwargs), Page)
        return page

    return _documented(method, build)


def pages(
    build: Callable[P, Listing[AnswerT]],
) -> Callable[Concatenate[AsyncResource, P], AsyncPaginator[AnswerT, AsyncPage[AnswerT]]]:
    """The async method that fetches a page."""

    def method(
        self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncPaginator[AnswerT, AsyncPage[AnswerT]]:
        paginator: AsyncPaginator[AnswerT, AsyncPage[AnswerT]] = fetch_page(
            self._client, build(*args, **kwargs), AsyncPage
        )
        return paginator

    return _documented(method, build)


def downloads(build: Callable[P, Call[bytes]]) -> Callable[Concatenate[Resource, P], Download]:
    """The method that makes the call and leaves its answer to be read."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> Download:
        return open_stream(self._client, build(*args, **kwargs))

    return _documented(method, build)


def downloads_async(
    build: Callable[P, Call[bytes]],
) -> Callable[Concatenate[AsyncResource, P], Coroutine[Any, Any, AsyncDownload]]:
    """The async method that makes the call and leaves its answer to be read."""

    async def method(self: AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> AsyncDownload:
        return await open_stream_async(self._client, build(*args, **kwargs))

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
