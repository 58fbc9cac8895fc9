from __future__ import annotations

import re

import pytest

from innoai.errors import ERRORS, InnoError, refusal

PROMISED = {
    "invalid_request": (400, "invalid_request_error"),
    "invalid_api_key": (401, "authentication_error"),
    "token_expired": (401, "authentication_error"),
    "insufficient_quota": (402, "insufficient_quota"),
    "insufficient_permissions": (403, "authorization_error"),
    "ip_not_allowed": (403, "authorization_error"),
    "model_not_allowed": (403, "authorization_error"),
    "not_found": (404, "invalid_request_error"),
    "model_not_found": (404, "invalid_request_error"),
    "method_not_allowed": (405, "invalid_request_error"),
    "conflict": (409, "invalid_request_error"),
    "payload_too_large": (413, "invalid_request_error"),
    "unsupported_media_type": (415, "invalid_request_error"),
    "rate_limit_exceeded": (429, "rate_limit_error"),
    "headers_too_large": (431, "invalid_request_error"),
    "internal_error": (500, "server_error"),
    "upstream_error": (502, "upstream_error"),
    "service_unavailable": (503, "server_error"),
    "upstream_timeout": (504, "upstream_error"),
}

DOCUMENTED: dict[str, dict[str, str | int]] = {
    "invalid_api_key": {
        "code": "invalid_api_key",
        "message": "The provided API key is invalid or has been revoked.",
        "type": "authentication_error",
    },
    "insufficient_permissions": {
        "code": "insufficient_permissions",
        "message": "Your API key does not have permission to perform this action.",
        "type": "authorization_error",
        "required_scope": "customers:write",
    },
    "rate_limit_exceeded": {
        "code": "rate_limit_exceeded",
        "message": "Rate limit exceeded. Please try again later.",
        "type": "rate_limit_error",
        "retry_after": 60,
    },
}
"""The three envelopes that the authentication page shows."""


def test_every_code_has_its_promised_status_and_type():
    assert {code: (kind.status, kind.type) for code, kind in ERRORS.items()} == PROMISED


@pytest.mark.parametrize("code", ERRORS)
def test_every_message_is_whole_sentences(code):
    assert re.fullmatch(r"([A-Z][^.]*(\.\w[^.]*)*\.)( [A-Z][^.]*\.)*", ERRORS[code].message)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        ERRORS["invalid_request"] = ERRORS["conflict"]  # type: ignore[index]


@pytest.mark.parametrize("code", DOCUMENTED)
def test_an_envelope_is_the_documented_one_and_a_request_id(code):
    details = {
        member: value
        for member, value in DOCUMENTED[code].items()
        if member not in ("code", "message", "type")
    }
    envelope = refusal(code, None, **details).envelope("req_1")
    assert envelope == {"error": {**DOCUMENTED[code], "request_id": "req_1"}}


def test_a_more_precise_message_replaces_the_tables():
    assert refusal("not_found", "No key has that id.").message == "No key has that id."
    assert refusal("not_found").message == ERRORS["not_found"].message


def test_a_code_that_is_not_in_the_table_cannot_be_refused_with():
    with pytest.raises(KeyError):
        refusal("teapot")


def test_an_error_carries_its_refusal():
    error = InnoError("invalid_request", "name: write a text.", param="name")
    assert error.refusal == refusal("invalid_request", "name: write a text.", param="name")
    assert error.refusal.kind is ERRORS["invalid_request"]
    assert str(error) == "invalid_request: name: write a text."


def test_a_refusal_decided_elsewhere_can_be_raised_with_its_headers():
    refused = refusal("method_not_allowed")
    error = InnoError.of(refused, [(b"allow", b"GET")])
    assert error.refusal == refused
    assert error.headers == [(b"allow", b"GET")]


def test_no_two_errors_share_their_headers():
    first, second = InnoError("conflict"), InnoError.of(refusal("rate_limit_exceeded", retry_after=1))
    first.headers.append((b"x", b"y"))
    assert (second.headers, InnoError("conflict").headers) == ([], [])
    assert second.refusal.details == {"retry_after": 1}
