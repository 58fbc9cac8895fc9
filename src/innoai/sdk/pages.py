"""Lists by cursor. Iterating a page walks it and all pages after it."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
from typing import Generic, TypeVar

from openai import BaseModel
from openai._base_client import BaseAsyncPage, BasePage, BaseSyncPage, PageInfo
from pydantic import Field

from innoai.sdk.models.audit import AuditHead  # noqa: TC001 (pydantic reads it)

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


class _OfUsage(BaseModel):
    """What usage was asked for: from `from_` until `to`, costs in `currency`."""

    from_: datetime = Field(alias="from")
    to: datetime
    currency: str


class UsagePage(Page[ItemT], _OfUsage, Generic[ItemT]):
    """A page of usage; `from_`, `to` and `currency` say what it tells about."""


class AsyncUsagePage(AsyncPage[ItemT], _OfUsage, Generic[ItemT]):
    """A page of usage; `from_`, `to` and `currency` say what it tells about."""


class _OfLog(BaseModel):
    head: AuditHead


class AuditPage(Page[ItemT], _OfLog, Generic[ItemT]):
    """A page of the audit log; `head` is the latest entry of the whole."""


class AsyncAuditPage(AsyncPage[ItemT], _OfLog, Generic[ItemT]):
    """A page of the audit log; `head` is the latest entry of the whole."""
