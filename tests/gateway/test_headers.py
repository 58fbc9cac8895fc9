from __future__ import annotations

import pytest

from innoai.access.networks import caller_address, parse_address, parse_networks
from innoai.gateway.headers import (
    HOP_BY_HOP,
    bearer,
    read_answer,
    read_request,
    retry_after,
)

# What a request's headers say.


@pytest.mark.parametrize(
    ("value", "credential"),
    [
        (b"Bearer sk-inno-x", "sk-inno-x"),
        (b"bearer sk-inno-x", "sk-inno-x"),
        (b"BEARER   sk-inno-x  ", "sk-inno-x"),
        (b"Bearer a b", "a b"),
        (b"Bearer ", ""),
        (b"Bearer", ""),
        (b"Bearer \xff", "ÿ"),
        (b"Basic dXNlcjpwYXNz", None),
        (b"sk-inno-x", None),
        (b"", None),
    ],
)
def test_a_credential_is_what_follows_bearer(value: bytes, credential: str | None) -> None:
    assert bearer(value) == credential
    assert read_request([(b"authorization", value)]).credential == credential


def test_without_an_authorization_header_there_is_no_credential() -> None:
    assert read_request([]).credential is None


@pytest.mark.parametrize("first", [b"Bearer one", b"Basic one", b""])
@pytest.mark.parametrize("second", [b"Bearer two", b"Basic two"])
def test_two_credentials_are_none(first: bytes, second: bytes) -> None:
    assert read_request([(b"authorization", first), (b"authorization", second)]).credential == ""


def test_what_a_request_says_of_its_body_is_read() -> None:
    read = read_request([(b"content-type", b"application/json"), (b"content-length", b"12")])
    assert (read.content_type, read.content_length) == (b"application/json", 12)
    assert read_request([]).content_length is None
    assert read_request([(b"content-length", b"-1")]).content_length is None


def test_forwarded_addresses_of_several_headers_are_one_list_in_order() -> None:
    headers = [(b"x-forwarded-for", b"203.0.113.7, 10.0.0.1"), (b"x-forwarded-for", b"10.0.0.2")]
    assert read_request(headers).forwarded_for == "203.0.113.7, 10.0.0.1,10.0.0.2"
    assert read_request([]).forwarded_for == ""


# What goes on to a model server.

AS_JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    "name",
    [
        *sorted(HOP_BY_HOP),
        b"authorization",
        b"api-key",
        b"x-api-key",
        b"x-goog-api-key",
        b"x-auth-token",
        b"ocp-apim-subscription-key",
        b"cookie",
        b"openai-organization",
        b"openai-project",
        b"accept-encoding",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-user",
        b"x-real-ip",
        b"fly-client-ip",
        b"cf-connecting-ip",
        b"x-azure-clientip",
        b"via",
        b"x-request-id",
        b"x-innoai-key",
        b"x-goog-iap-jwt-assertion",
        b"x-amzn-oidc-data",
        b"x-amzn-oidc-identity",
        b"x-pomerium-jwt-assertion",
        b"x-jwt-assertion",
        b"x-ms-client-principal",
        b"x-goog-authenticated-user-email",
        b"remote-user",
        b"x-remote-user",
        b"x-user-email",
        b"tailscale-user-login",
        b"from",
        b"x-client-cert",
        b"x-ssl-client-cert",
        b"x-arr-clientcert",
        b"x-litellm-key",
        b"x-bf-vk",
        b"x-functions-key",
        b"x-access-key",
        b"x-openai-key",
        b"x-password",
        b"x-credential",
        b"x-credentials",
        b"x-key",
        b"dpop",
        b"x-session-id",
        b"x-original-forwarded-for",
        b"x-vercel-forwarded-for",
        b"cloudfront-viewer-address",
        b"x-nf-client-connection-ip",
        b"x-appengine-user-ip",
        b"x-remote-addr",
        b"x-remote-ip",
        b"x-originating-ip",
        b"x-proxyuser-ip",
        b"x-http-method-override",
        b"x-portkey-custom-host",
        b"x_innoai_key",
        b"origin",
        b"referer",
        b"sec-fetch-site",
        b"access-control-request-method",
        b"host",
        b"content-length",
        b"expect",
    ],
)
def test_credentials_addresses_and_framing_do_not_go_on(name: bytes) -> None:
    assert read_request([(name, b"5")]).forwarded == [AS_JSON]


@pytest.mark.parametrize(
    "value",
    [
        b"sk-inno-" + b"a" * 49,
        b"Bearer abc",
        b"one, bearer abc",
        b"eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln",
    ],
)
def test_a_credential_does_not_go_on_whatever_its_header_is_called(value: bytes) -> None:
    assert read_request([(b"x-note", value)]).forwarded == [AS_JSON]


@pytest.mark.parametrize(
    "name",
    [
        b"accept-language",
        b"anthropic-beta",
        b"anthropic-version",
        b"baggage",
        b"openai-beta",
        b"traceparent",
        b"tracestate",
        b"x-client-request-id",
        b"x-idempotency-key",
        b"x-ms-useragent",
        b"x-stainless-helper-method",
        b"x-title",
    ],
)
def test_what_clients_say_to_a_model_server_goes_on(name: bytes) -> None:
    assert read_request([(name, b"5")]).forwarded == [(name, b"5"), AS_JSON]


def test_everything_else_goes_on_as_it_came() -> None:
    headers = [
        (b"user-agent", b"OpenAI/Python 3.50"),
        (b"x-stainless-lang", b"python"),
        (b"idempotency-key", b"1"),
        (b"accept", b"text/event-stream"),
        (b"x-twice", b"1"),
        (b"x-twice", b"2"),
    ]
    assert read_request(headers).forwarded == [*headers, AS_JSON]


@pytest.mark.parametrize("value", [b"application/json", b"application/JSON; charset=utf-7", b""])
def test_json_is_called_what_it_is_written_as(value: bytes) -> None:
    assert read_request([(b"content-type", value)]).forwarded == [AS_JSON]


def test_a_form_keeps_the_type_that_was_read() -> None:
    form = (b"content-type", b"multipart/form-data; boundary=B")
    assert read_request([form]).forwarded == [form]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([(b"content-type", b"a/b; boundary=A"), (b"content-type", b"a/b; boundary=B")], "invalid_request"),
        ([(b"content-encoding", b"gzip")], "unsupported_media_type"),
    ],
)
def test_a_body_that_others_may_read_in_another_way_is_not_read(
    headers: list[tuple[bytes, bytes]], code: str
) -> None:
    problem = read_request(headers).problem
    assert problem is not None
    assert problem.code == code
    assert read_request([(b"content-encoding", b"identity")]).problem is None


def test_what_connection_names_stays_here() -> None:
    headers = [
        (b"x-one", b"1"),
        (b"connection", b"keep-alive, X-One"),
        (b"x-two", b"2"),
        (b"connection", b"x-two"),
        (b"x-three", b"3"),
    ]
    assert read_request(headers).forwarded == [(b"x-three", b"3"), AS_JSON]


@pytest.mark.parametrize("value", [b"close", b"keep-alive", b"Upgrade", b"TE, close", b""])
def test_usual_connection_options_take_nothing_away(value: bytes) -> None:
    assert read_request([(b"connection", value), (b"x-one", b"1")]).forwarded == [(b"x-one", b"1"), AS_JSON]


# What comes back to the caller.


@pytest.mark.parametrize(
    "name",
    [
        *sorted(HOP_BY_HOP),
        b"content-length",
        b"date",
        b"server",
        b"set-cookie",
        b"openai-organization",
        b"openai-project",
        b"strict-transport-security",
        b"alt-svc",
        b"www-authenticate",
        b"x-ratelimit-limit-requests",
        b"x-ratelimit-remaining-tokens",
        b"access-control-allow-origin",
        b"authorization",
        b"api-key",
        b"x-api-key",
        b"x-goog-api-key",
        b"x-auth-token",
        b"x-innoai-key",
        b"x-innoai-customer",
        b"x-upstream-request-id",
        b"x-forwarded-for",
        b"forwarded",
        b"via",
        b"x-envoy-upstream-service-time",
        b"x-powered-by",
        b"refresh",
        b"clear-site-data",
        b"location",
        b"link",
        b"content-security-policy",
        b"x-accel-redirect",
        b"x-sendfile",
    ],
)
def test_the_upstreams_own_affairs_do_not_come_back(name: bytes) -> None:
    assert read_answer([(name, b"5")]).lines == b""


@pytest.mark.parametrize("value", [b"sk-proj-abc", b"Bearer abc", b"eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln"])
def test_a_credential_that_the_upstream_echoes_does_not_come_back(value: bytes) -> None:
    assert read_answer([(b"x-echo", value)]).lines == b""


@pytest.mark.parametrize("name", [b"x-prompt-tokens", b"x-time-per-token", b"x-accel-buffering", b"x-kept"])
def test_what_concerns_the_answer_comes_back(name: bytes) -> None:
    assert read_answer([(name, b"5")]).lines == name + b": 5\r\n"


def test_what_an_answer_says_of_itself_is_read_and_comes_back() -> None:
    reading = read_answer(
        [(b"content-type", b"text/event-stream"), (b"content-length", b"12"), (b"openai-version", b"1")]
    )
    assert reading.is_stream
    assert not reading.is_json
    assert reading.content_length == 12
    assert reading.lines == b"content-type: text/event-stream\r\nopenai-version: 1\r\n"


def test_the_upstreams_id_of_a_request_comes_back_under_another_name() -> None:
    assert read_answer([(b"x-request-id", b"theirs")]).lines == b"x-upstream-request-id: theirs\r\n"


def test_what_the_upstreams_connection_names_does_not_come_back() -> None:
    headers = [(b"x-one", b"1"), (b"connection", b"close, x-one"), (b"x-two", b"2")]
    assert read_answer(headers).lines == b"x-two: 2\r\n"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"17", 17.0), (b"0", 0.0), (b"Tue, 24 Nov 2026 22:00:00 GMT", None), (b"-1", None), (b"nan", None)],
)
def test_a_wait_is_read_where_it_is_in_seconds(value: bytes, seconds: float | None) -> None:
    assert retry_after([(b"retry-after", value)]) == seconds


def test_without_retry_after_there_is_no_wait() -> None:
    assert retry_after([]) is None


# Where a caller is.


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        (("203.0.113.7", 1), "", "203.0.113.7"),
        (("203.0.113.7", 1), "198.51.100.9", "203.0.113.7"),
        (("10.0.0.1", 1), "198.51.100.9", "198.51.100.9"),
        (("::ffff:10.0.0.1", 1), "198.51.100.9", "198.51.100.9"),
        (("10.0.0.1", 1), "192.0.2.1, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        (None, "198.51.100.9", None),
        (("testclient", 1), "", None),
    ],
)
def test_a_callers_address_is_the_sockets_unless_a_trusted_proxy_vouches_for_another(
    peer: tuple[str, int] | None, forwarded_for: str, expected: str | None
) -> None:
    trusted = parse_networks(["10.0.0.0/8"])
    number = None if expected is None else parse_address(expected)
    assert caller_address(peer, forwarded_for, trusted) == number
