"""What people type, turned into what the API takes. Each parser raises typer.BadParameter with a way out."""

from __future__ import annotations

import json
import re
import sys
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import typer

from innoai.sdk.audit import Head

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,12}[smhdw])+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+)([smhdw])", re.ASCII)
_BARE_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
_KEY_ID = re.compile(r"key_[0-9A-Za-z]+", re.ASCII)
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_AMOUNT = re.compile(r"(0|[1-9]\d{0,9})(\.\d{1,9})?", re.ASCII)
_PERCENTAGE = re.compile(r"[1-9]\d?|100", re.ASCII)
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})", re.ASCII)
_ROUTE = re.compile(r"([A-Za-z]+) +(/\S*)", re.ASCII)
# A signature of HS256 has 32 bytes, and one of EdDSA 64.
_TOKEN = re.compile(r"([\w-]+)\.([\w-]+)\.(?:[\w-]{43}|[\w-]{86})", re.ASCII)
_VISIBLE_ASCII = re.compile(r"[!-~]+", re.ASCII)

NONE = "none"
"""What people write to take a bound away."""

ANY = "any"
"""What people write to take a list of the only networks or models away."""


def duration(text: str) -> int:
    """Seconds of `90d`, `24h`, `1h30m`, `2w` or a bare number of seconds."""
    if _BARE_SECONDS.fullmatch(text):
        return int(text)
    if _DURATION.fullmatch(text):
        return sum(int(amount) * _SECONDS_BY_UNIT[unit] for amount, unit in _DURATION_PART.findall(text))
    raise typer.BadParameter(f"{text!r} is no duration; write 90d, 24h, 1h30m, 45s or a number of seconds")


def instant_after(now: datetime, seconds: int) -> str:
    """The RFC 3339 instant `seconds` after `now`, in UTC, to the second."""
    try:
        return _rfc3339(now + timedelta(seconds=seconds))
    except OverflowError:
        raise typer.BadParameter("that is later than calendars reach; give a shorter duration") from None


def instant(text: str) -> str:
    """An instant in RFC 3339 as UTC. A bare date is its midnight in UTC; a time without a zone is refused."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no RFC 3339 time; write 2027-01-31T12:00:00Z") from None
    if moment.tzinfo is None and len(text) > len("2027-01-31"):
        raise typer.BadParameter(f"{text!r} names no time zone; add Z for UTC or an offset like +08:00")
    try:
        return _rfc3339(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is outside the calendar once turned into UTC") from None


def key_id(text: str) -> str:
    """A key's id. A secret is refused, because an id becomes part of an address, and addresses are logged."""
    if _KEY_ID.fullmatch(text):
        return text
    if text.startswith("sk-"):
        raise typer.BadParameter("that is a secret key; give its id (key_…), which `innoai keys list` shows")
    raise typer.BadParameter("that is no key id; `innoai keys list` shows them (key_…)")


def other_id(text: str, *, prefix: str, what: str, command: str) -> str:
    """The id of something else than a key or a customer."""
    if re.fullmatch(rf"{prefix}_[0-9A-Za-z]+", text, re.ASCII):
        return text
    raise typer.BadParameter(f"that is no {what}'s id; `innoai {command}` shows them ({prefix}_…)")


endpoint_id = partial(other_id, prefix="whe", what="endpoint", command="webhooks list")
delivery_id = partial(other_id, prefix="dlv", what="delivery", command="webhooks deliveries")
member_id = partial(other_id, prefix="mem", what="member", command="members list")


def customer_id(text: str) -> str:
    """The account's own id for a customer: any text that can stand in an address as one segment."""
    if text in ("", ".", ".."):
        raise typer.BadParameter(f"{text!r} cannot be a customer's id")
    return text


@dataclass(frozen=True, slots=True)
class Route:
    """What a request asks for."""

    method: str
    path: str


def route(text: str) -> Route:
    """The route of `POST /v1/chat/completions`."""
    match = _ROUTE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no route; write a method and a path: 'POST /v1/chat/completions'"
        )
    return Route(match[1].upper(), match[2])


def month(text: str) -> str:
    """A calendar month."""
    if _MONTH.fullmatch(text) is None:
        raise typer.BadParameter(f"{text!r} is no month; write 2026-11")
    return text


def amount(text: str) -> str:
    """An amount of money as it was typed, or NONE."""
    if text != NONE and _AMOUNT.fullmatch(text) is None:
        raise typer.BadParameter(f"{text!r} is no amount; write 20 or 0.50, or none for no budget")
    return text


def budgets(monthly: str | None, total: str | None) -> dict[str, str | None]:
    """The budgets that were given; of NONE comes None, which removes one."""
    amounts = given({"monthly": monthly, "total": total})
    return {period: None if amount == NONE else amount for period, amount in amounts.items()}


def rate_limit(text: str) -> str:
    """Requests a minute as digits, or NONE."""
    if text != NONE and (_BARE_SECONDS.fullmatch(text) is None or int(text) == 0):
        raise typer.BadParameter(f"{text!r} is no rate limit; write a number of requests a minute, or none")
    return text


def requests_a_minute(limit: str | None) -> int | None:
    """What `rate_limit` took, for the API, to which no limit is null."""
    return None if limit in (None, NONE) else int(limit)


def lifetime(text: str) -> str:
    """The seconds of a duration as digits, or NONE."""
    return text if text == NONE else str(duration(text))


def end(text: str) -> str:
    """An instant as `instant` takes it, or NONE."""
    return text if text == NONE else instant(text)


def listed(values: list[str] | None, option: str) -> list[str] | None:
    """The members of an option that may be given again and takes several with commas; None if not given.

    One without any is refused: of a shell's variable that is not set must not come a key without the bound.
    """
    if values is None:
        return None
    lists = [[member.strip() for member in value.split(",") if member.strip()] for value in values]
    if not all(lists):
        raise typer.BadParameter(
            "nothing stands in it; name what you mean, or leave it out", param_hint=option
        )
    return [member for members in lists for member in members]


def only(values: list[str] | None, option: str) -> list[str] | None:
    """The only members, none for ANY, which takes a restriction away and stands alone; None if not given."""
    members = listed(values, option)
    if members is None or ANY not in members:
        return members
    if len(members) > 1:
        raise typer.BadParameter(f"{ANY} takes the restriction away and stands alone", param_hint=option)
    return []


def percentages(values: list[str] | None, option: str) -> list[int] | None:
    """Whole percentages from 1 to 100, several with commas; None if not given."""
    members = listed(values, option)
    for member in members or ():
        if _PERCENTAGE.fullmatch(member) is None:
            raise typer.BadParameter(f"{member!r} is none; write 1 to 100, such as 80", param_hint=option)
    return None if members is None else [int(member) for member in members]


def head(text: str) -> Head:
    """How far an audit log had come: a sequence and a hash, as `innoai audit verify` prints them."""
    match = _HEAD.fullmatch(text)
    if match is None:
        raise typer.BadParameter("that is no head; write SEQUENCE:HASH as `innoai audit verify` printed it")
    return Head(int(match[1]), match[2])


def http_url(text: str) -> str:
    """An address that HTTP requests can be sent to."""
    if not is_http_url(text):
        raise typer.BadParameter(f"{text!r} is no address; write http://127.0.0.1:3000/webhooks")
    return text


def is_http_url(text: str) -> bool:
    """Whether HTTP requests can be sent there."""
    try:
        parts = urlsplit(text)
        has_address = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False
    return has_address and parts.scheme in ("http", "https") and text.isprintable() and " " not in text


def headers(pairs: Iterable[str]) -> dict[str, str]:
    """Header fields of `NAME=VALUE` each; for the value `-` a line of stdin, which no process list shows."""
    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            # Nothing of it is quoted: it may be the secret alone.
            raise typer.BadParameter("that is no header; write NAME=VALUE or NAME=-", param_hint="--header")
        fields[name] = sys.stdin.readline().strip() if value == "-" else value
    return fields


def given(members: dict[str, Any]) -> dict[str, Any]:
    """Only what was asked for, so that the server's defaults apply to the rest."""
    return {name: value for name, value in members.items() if value not in (None, [], {})}


def metadata(pairs: list[str]) -> dict[str, str]:
    """Members of `NAME=VALUE` each; a later one replaces an earlier one of the same name."""
    members = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is no metadata; write NAME=VALUE", param_hint="--metadata")
        members[name] = value
    return members


def secret(text: str) -> str:
    """A credential as typed, or for `-` the first line of stdin, which no process list shows."""
    return sendable(sys.stdin.readline() if text == "-" else text)


def token(text: str) -> str:
    """A token as `secret` takes it. What has not its shape is told here: RFC 7009 §2.2 does not."""
    credential = secret(text)
    if credential.startswith("sk-"):
        raise typer.BadParameter("that is an API key; `innoai keys revoke` ends it and its tokens")
    if not _is_token(credential):
        raise typer.BadParameter(
            "that is no complete token of innoai's. Copy it again, or end all tokens of its key by "
            "`innoai keys revoke`"
        )
    return credential


def _is_token(credential: str) -> bool:
    """Whether it has the parts of what innoai.access.tokens writes, which needs the server's packages."""
    match = _TOKEN.fullmatch(credential)
    try:
        parts = [json.loads(urlsafe_b64decode(part + "==")) for part in match.groups()] if match else []
    except ValueError:
        return False
    return len(parts) == 2 and all(isinstance(part, dict) for part in parts) and "token_use" in parts[1]


def sendable(credential: str) -> str:
    """The credential without white space around it. Nothing of a refused one is quoted: it may be real."""
    value = credential.strip()
    if _VISIBLE_ASCII.fullmatch(value) is None:
        raise typer.BadParameter(
            "it is empty, or contains characters that no credential has (a space, a line break, an ellipsis)"
        )
    return value


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
