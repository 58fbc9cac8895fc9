"""Lists by cursor. Iterating a page walks it and all pages after it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from openai._base_client import BaseAsyncPage, BasePage, BaseSyncPage, PageInfo

ItemT = TypeVar("ItemT")


class _Cursor(BasePage[ItemT], Generic[ItemT]):
    data: list[ItemT]
    next_cursor: str | None = None

    def _get_page_items(self) -> list[ItemT]:
        return self.data

    def has_next_page(self) -> bool:
        """Whether the server named a next page; an empty page may still have one."""
        return self.next_cursor is not None

    def next_page_info(self) -> PageInfo | None:
        return PageInfo(params={"cursor": self.next_cursor}) if self.next_cursor is not None else None


class Page(_Cursor[ItemT], BaseSyncPage[ItemT], Generic[ItemT]):
    """`.data` is this page, `.next_cursor` names the next one; `for item in page` walks them all."""


class AsyncPage(_Cursor[ItemT], BaseAsyncPage[ItemT], Generic[ItemT]):
    """`.data` is this page, `.next_cursor` names the next one; `async for item in page` walks them all."""


def page_of(model: type[Any]) -> Any:
    """The sync page class of that model, for openai's response parser."""
    return Page[model]  # type: ignore[valid-type]


def async_page_of(model: type[Any]) -> Any:
    """The async page class of that model, for openai's response parser."""
    return AsyncPage[model]  # type: ignore[valid-type]
