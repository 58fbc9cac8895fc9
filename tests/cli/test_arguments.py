from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from innoai.cli import arguments


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("90m", 5_400),
        ("1h", 3_600),
        ("1h30m", 5_400),
        ("90d", 7_776_000),
        ("2w", 1_209_600),
        ("60", 60),
        ("0", 0),
    ],
)
def test_a_duration_is_seconds(text: str, seconds: int) -> None:
    assert arguments.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1y", "-1h", "1 h", "1.5h", "1h30", "٣h", "9" * 13 + "d"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 90d, 24h"):
        arguments.duration(text)


def test_an_expiry_counts_from_now_in_utc() -> None:
    now = datetime(2026, 11, 24, 22, 7, 2, 999_999, UTC)
    assert arguments.instant_after(now, 90 * 86_400) == "2027-02-22T22:07:02Z"


def test_an_expiry_past_the_calendar_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="shorter duration"):
        arguments.instant_after(datetime(2026, 1, 1, tzinfo=UTC), 10**12)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
        ("2027-01-31T12:00:00+08:00", "2027-01-31T04:00:00Z"),
        ("2027-01-31", "2027-01-31T00:00:00Z"),
    ],
)
def test_an_instant_is_normalised_to_utc(text: str, utc: str) -> None:
    assert arguments.instant(text) == utc


@pytest.mark.parametrize("text", ["tomorrow", "", "2027-13-01T00:00:00Z", "0001-01-01T00:00:00+08:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        arguments.instant(text)


def test_a_time_without_a_zone_is_refused_rather_than_guessed() -> None:
    with pytest.raises(typer.BadParameter, match="time zone"):
        arguments.instant("2027-01-31T12:00:00")


def test_a_secret_where_an_id_belongs_is_refused_and_not_quoted() -> None:
    with pytest.raises(typer.BadParameter) as refused:
        arguments.key_id("sk-inno-topsecret")
    assert "topsecret" not in refused.value.message


@pytest.mark.parametrize("text", ["", "key_", "key_a/b", "cus_1", "key_a?x=1"])
def test_what_is_no_key_id_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="keys list"):
        arguments.key_id(text)


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_an_id_that_would_change_the_address_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        arguments.customer_id(text)


def test_a_route_is_a_method_and_a_path() -> None:
    assert arguments.route("post  /v1/chat/completions ") == arguments.Route("POST", "/v1/chat/completions")


@pytest.mark.parametrize("text", ["", "POST", "/v1/models", "GET v1/models", "GET /a b"])
def test_what_is_no_route_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="POST /v1/chat/completions"):
        arguments.route(text)


def test_metadata_keeps_equals_signs_in_the_value() -> None:
    assert arguments.metadata(["plan=gold", "note=a=b", "empty="]) == {
        "plan": "gold",
        "note": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pair", ["plan", "=gold", ""])
def test_metadata_without_name_or_value_is_refused(pair: str) -> None:
    with pytest.raises(typer.BadParameter, match="NAME=VALUE"):
        arguments.metadata([pair])


def test_a_pasted_ellipsis_is_refused_without_quoting_the_secret() -> None:
    with pytest.raises(typer.BadParameter) as refused:
        arguments.secret("sk-inno-topsecret…")
    assert "topsecret" not in refused.value.message
