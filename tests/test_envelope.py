from __future__ import annotations

import json

import pytest

from innoai.access.limits import take
from innoai.envelope import rate_headers, refusal_body, refusal_headers
from innoai.errors import ERRORS, NO_CREDENTIAL, refusal

REQUEST_ID = "req_0123456789abcdefABCDEF"


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_refusal_has_the_seeds_envelope(code: str) -> None:
    body = json.loads(refusal_body(refusal(code), REQUEST_ID))
    assert body == {
        "error": {
            "code": code,
            "message": ERRORS[code].message,
            "type": ERRORS[code].type,
            "request_id": REQUEST_ID,
        }
    }


def test_a_challenge_names_no_scope_where_none_would_help() -> None:
    """RFC 6750 §3: a scope has at least one character."""
    challenge = dict(refusal_headers(refusal("insufficient_permissions"), REQUEST_ID))[b"www-authenticate"]
    assert challenge == b'Bearer realm="innoai", error="insufficient_scope"'


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_no_refusal_is_cached_and_each_names_its_request(code: str) -> None:
    headers = dict(refusal_headers(refusal(code), REQUEST_ID))
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"x-request-id"] == REQUEST_ID.encode()


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_a_401_and_a_missing_scope_carry_a_challenge_and_nothing_else_does(code: str) -> None:
    headers = dict(refusal_headers(refusal(code), REQUEST_ID))
    has_challenge = ERRORS[code].status == 401 or code == "insufficient_permissions"
    assert (b"www-authenticate" in headers) == has_challenge


def test_a_challenge_says_what_is_wrong_with_the_credential() -> None:
    challenge = dict(refusal_headers(refusal("token_expired"), REQUEST_ID))[b"www-authenticate"]
    assert challenge.startswith(
        b'Bearer realm="innoai", error="invalid_token", error_description="The access'
    )


def test_who_sent_no_credential_is_only_asked_for_one() -> None:
    """RFC 6750 §3.1."""
    assert dict(refusal_headers(NO_CREDENTIAL, REQUEST_ID))[b"www-authenticate"] == b'Bearer realm="innoai"'


def test_a_challenge_names_the_scope_that_is_missing() -> None:
    refused = refusal("insufficient_permissions", required_scope="customers:write")
    challenge = dict(refusal_headers(refused, REQUEST_ID))[b"www-authenticate"]
    assert challenge == b'Bearer realm="innoai", error="insufficient_scope", scope="customers:write"'


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_no_message_of_the_table_breaks_out_of_its_quotes(code: str) -> None:
    assert not set('"\\\r\n') & set(ERRORS[code].message)


def test_retry_after_is_the_same_in_the_header_and_in_the_body() -> None:
    refused = refusal("rate_limit_exceeded", retry_after=17)
    assert dict(refusal_headers(refused, REQUEST_ID))[b"retry-after"] == b"17"
    assert json.loads(refusal_body(refused, REQUEST_ID))["error"]["retry_after"] == 17


def test_without_a_wait_there_is_no_retry_after() -> None:
    assert b"retry-after" not in dict(refusal_headers(refusal("invalid_request"), REQUEST_ID))


def test_the_rate_limit_is_told_as_openais_clients_read_it() -> None:
    assert rate_headers(take(0, 0, 60)) == [
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-reset-requests", b"1s"),
    ]
