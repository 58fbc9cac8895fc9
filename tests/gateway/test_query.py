from __future__ import annotations

import pytest

from innoai.gateway.query import joined
from tests.support.growth import LINEAR, growth


@pytest.mark.parametrize(
    "query",
    [b"", b"api-version=2&x=%20y", b"a=%2F&b", b"max_tokens=1", b"tokens=1&monkeys=2", b"=&a=="],
)
def test_a_query_goes_on_as_it_came(query: bytes) -> None:
    assert joined(b"", query) == query


def test_both_queries_go_on_the_operators_first() -> None:
    assert joined(b"api-version=1", b"b=2&c") == b"api-version=1&b=2&c"
    assert joined(b"api-version=1", b"") == b"api-version=1"


@pytest.mark.parametrize(
    "evil",
    [
        b"api-version=evil",
        b"API-Version=evil",
        b"api_version=evil",
        b"api%2Dversion=evil",
        b"api-version[]=evil",
        b"+api-version=evil",
        b"api-version",
        b"x=1;api-version=evil",
    ],
)
def test_what_the_operator_has_set_the_caller_cannot_set_anew(evil: bytes) -> None:
    assert joined(b"api-version=1&x", b"a=1&" + evil + b"&b=2") == b"api-version=1&x&a=1&b=2"


@pytest.mark.parametrize(
    "name",
    (
        b"key api_key api-key apikey x-api-key access_token token code sig client_secret password "
        b"Authorization subscription-key %6Bey"
    ).split(),
)
def test_credentials_do_not_go_on(name: bytes) -> None:
    assert joined(b"", b"a=1&" + name + b"=abc&b=2") == b"a=1&b=2"


@pytest.mark.parametrize(
    "value", [b"sk-inno-" + b"a" * 49, b"sk%2Dinno%2Dabc", b"eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln"]
)
def test_a_key_or_a_token_does_not_go_on_under_any_name(value: bytes) -> None:
    assert joined(b"", b"a=1&x=" + value) == b"a=1"
    assert joined(b"", value) == b""


def test_a_long_query_is_no_more_work_than_its_bytes() -> None:
    assert growth(lambda size: joined(b"a=1", b"b;" * size), 400) < LINEAR
    assert growth(lambda size: joined(b"a=1", b"key" * size + b"x=1"), 400) < LINEAR
