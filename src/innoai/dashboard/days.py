"""Days that people choose, as the instants that the API takes; all days are in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from innoai.errors import InnoError

FIRST_DAY = date(1970, 1, 1)
"""The API's first."""
LAST_DAY = date(9999, 12, 30)
"""The last that has a next one, and so an end."""


def start_of(day: str) -> str:
    """The instant at which a day such as 2026-11-29 begins; empty for none. InnoError for no day at all.

    Days before the first and after the last count as these.
    """
    return "" if not day else _instant(_date(day, "from"))


def end_of(day: str) -> str:
    """The instant at which the day is over, and the next begins."""
    return "" if not day else _instant(_date(day, "to") + timedelta(days=1))


def check_order(since: str, until: str) -> None:
    """Refuse a range that is over before it begins; of two instants as they are given above."""
    if since and until and until <= since:
        raise InnoError("invalid_request", "Until is before From. Choose a later day.", param="to")


def midnight(now: float) -> datetime:
    """When the present day began."""
    return datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def as_text(at: datetime) -> str:
    """An instant in UTC, as the API writes it."""
    return at.isoformat().replace("+00:00", "Z")


def _date(day: str, field: str) -> date:
    try:
        written = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise InnoError("invalid_request", "Write a day as 2027-01-31.", param=field) from None
    return min(max(written, FIRST_DAY), LAST_DAY)


def _instant(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
