"""openai's streams of chunks, but an error event within one is raised as the class of its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin

from openai import APIError, APIStatusError, AsyncStream, Stream
from typing_extensions import override

from innoai.sdk.errors import typed_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx2

ChunkT = TypeVar("ChunkT")


class TypedStream(Stream[ChunkT], Generic[ChunkT]):
    """The chunks of an answer, as they come."""

    @override
    def __stream__(self) -> Iterator[ChunkT]:
        try:
            yield from super().__stream__()
        except APIError as problem:
            raise _of_code(problem, self.response) from None


class AsyncTypedStream(AsyncStream[ChunkT], Generic[ChunkT]):
    """The chunks of an answer, as they come."""

    @override
    async def __stream__(self) -> AsyncIterator[ChunkT]:
        try:
            async for chunk in super().__stream__():
                yield chunk
        except APIError as problem:
            raise _of_code(problem, self.response) from None


def typed(stream_cls: Any) -> Any:
    """The class that stands for openai's; what is no plain one of openai's stays."""
    ours: Any = {Stream: TypedStream, AsyncStream: AsyncTypedStream}.get(get_origin(stream_cls))
    return stream_cls if ours is None else ours[get_args(stream_cls)[0]]


def _of_code(problem: APIError, response: httpx2.Response) -> APIError:
    """The server's error, where the event bears one of its codes. Its status is that of the head: 200."""
    if isinstance(problem, APIStatusError):
        return problem
    return typed_error(problem.message, body={"error": problem.body}, response=response) or problem
