"""Days that people choose, as the instants that the API takes; all days are in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from innoai.errors import InnoError


def start_of(day: str) -> str:
    """The instant at which a day such as 2026-11-29 begins; empty for none. InnoError for no day at all."""
    return "" if not day else _instant(_date(day))


def end_of(day: str) -> str:
    """The instant at which the day is over, and the next begins."""
    return "" if not day else _instant(_date(day) + timedelta(days=1))


def midnight(now: float) -> datetime:
    """When the present day began."""
    return datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def as_text(at: datetime) -> str:
    """An instant in UTC, as the API writes it."""
    return at.isoformat().replace("+00:00", "Z")


def _date(day: str) -> date:
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise InnoError("invalid_request", "Write a day as 2027-01-31.") from None


def _instant(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
