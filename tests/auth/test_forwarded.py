"""Which row of the matrix a proxy's description of a request falls under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from innoai.access.networks import parse_address
from innoai.access.routes import INFERENCE_POSTS, ROUTES, route_for
from innoai.auth.forwarded import (
    METHOD_HEADERS,
    URI_HEADERS,
    ForwardQuery,
    asked_about,
    canonical,
    described_by_path,
    identity,
)
from innoai.errors import InnoError
from tests.access.facts import CUSTOMER, KEY_PRINCIPAL, TOKEN_PRINCIPAL

if TYPE_CHECKING:
    from innoai.access.decide import Request

FORWARD = route_for("GET", "/v1/auth/forward")
CHAT = route_for("POST", "/v1/chat/completions")
HOME = parse_address("203.0.113.7")


def described(*headers: tuple[str, str], scope: str | None = None) -> Request:
    def values(name: str) -> list[str]:
        return [value for other, value in headers if other == name]

    return asked_about(values, ForwardQuery(scope), HOME, {"served"})


def by(method: str, uri: str, *more: tuple[str, str], scope: str | None = None) -> Request:
    return described(("x-original-method", method), ("x-original-uri", uri), *more, scope=scope)


@pytest.mark.parametrize("method_header", METHOD_HEADERS)
@pytest.mark.parametrize("uri_header", URI_HEADERS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_row_of_the_matrix_is_found_by_every_spelling(method_header, uri_header, route):
    path = "/".join("some" if part.startswith("{") else part for part in route.path.split("/"))
    request = described((method_header, route.method), (uri_header, f"{path}?limit=1"))
    assert request.route == route
    assert request.address == HOME
    assert request.target_key == ("some" if route.own_key else None)


def test_without_a_description_it_is_a_request_of_the_services_own():
    assert described().route == FORWARD
    assert by("GET", "/reports/7").route == FORWARD
    assert by("DELETE", "/v1/chat/completions").route == FORWARD
    assert by("OPTIONS", "*").route == FORWARD


@pytest.mark.parametrize(
    "target",
    [
        "/v1/chat/completions",
        "/v1/chat/completions/",
        "//v1/chat//completions",
        "/v1/./chat/completions",
        "/reports/../v1/chat/completions",
        "/reports/..;x=1/v1/chat/completions",
        "/reports/%2e%2E/v1/chat/completions",
        "/reports%2f..%2fv1/chat/completions",
        "/../v1/chat/completions",
        "/v1/%63hat/completions",
        "/v1/chat;v=2/completions",
        "/v1\\chat\\completions",
        "/v1/chat%5Ccompletions",
        "/v1/chat/completions?x=/..",
        "/v1/chat/completions#x",
        "https://api.example.com/v1/chat/completions?x=1",
    ],
)
def test_a_spelling_that_a_lenient_server_takes_is_no_way_out_of_a_row(target):
    assert by("post", target).route == CHAT


@given(st.text())
def test_what_is_canonical_stays_so(target):
    path = canonical(target)
    assert path.startswith("/")
    assert path == "/" or not {"", ".", ".."} & set(path[1:].split("/"))


@given(st.sampled_from(INFERENCE_POSTS))
def test_the_matrix_is_spelled_canonically(path):
    assert canonical(path) == path


def test_a_head_request_is_judged_as_the_get():
    assert by("HEAD", "/v1/models").route == route_for("GET", "/v1/models")


@pytest.mark.parametrize(
    "headers",
    [
        [("x-original-method", "GET"), ("x-forwarded-method", "POST")],
        [("x-original-uri", "/a"), ("x-forwarded-uri", "/b")],
        [("x-original-uri", "/a"), ("x-original-uri", "/b")],
        [("x-original-method", "GET")],
        [("x-forwarded-uri", "/a")],
        [("x-innoai-model", "served"), ("x-innoai-model", "other")],
        [("x-innoai-required-scope", "inference:write"), ("x-innoai-required-scope", "billing:read")],
        [("x-innoai-required-scope", "everything")],
    ],
)
def test_what_is_described_twice_or_by_half_is_refused(headers):
    with pytest.raises(InnoError) as refused:
        described(*headers)
    assert refused.value.refusal.code == "invalid_request"


def test_two_descriptions_that_agree_are_one():
    agreeing = (("x-forwarded-method", "POST"), ("x-forwarded-uri", "/v1/chat/completions"))
    assert by("POST", "/v1/chat/completions", *agreeing).route == CHAT


def test_the_operators_scope_is_asked_for_beside_the_rows():
    request = by("GET", "/v1/models", ("x-innoai-required-scope", "billing:read"), scope="billing:write")
    assert (request.route.scope, request.required_scope) == ("inference:read", "billing:write")
    assert by("GET", "/", ("x-innoai-required-scope", "billing:read")).required_scope == "billing:read"
    with pytest.raises(InnoError):
        by("GET", "/", scope="everything")


def test_a_named_model_is_judged():
    served, other = (by("POST", "/v1/completions", ("x-innoai-model", name)) for name in ("served", "other"))
    assert (served.model, served.model_served) == ("served", True)
    assert (other.model, other.model_served) == ("other", False)
    assert by("POST", "/v1/completions").model is None


def test_envoy_describes_by_method_and_path():
    headers = described_by_path("POST", "/v1/auth/forward/v1/chat/completions?x=1")
    assert described(*headers).route == CHAT
    assert dict(described_by_path("GET", "/v1/auth/forward/"))["x-original-uri"] == "/"


def test_the_service_hears_who_asks():
    assert dict(identity(replace(KEY_PRINCIPAL, customer=None))) == {
        b"x-innoai-account": KEY_PRINCIPAL.account.id.encode(),
        b"x-innoai-key": KEY_PRINCIPAL.key.id.encode(),
        b"x-innoai-scopes": b" ".join(sorted(scope.encode() for scope in KEY_PRINCIPAL.scopes)),
        b"x-innoai-tier": KEY_PRINCIPAL.account.tier.encode(),
    }
    assert dict(identity(TOKEN_PRINCIPAL))[b"x-innoai-customer"] == CUSTOMER.customer_id.encode()


def test_a_tiers_name_cannot_end_its_header():
    account = replace(KEY_PRINCIPAL.account, tier="grün\r\nx: y")
    assert dict(identity(replace(KEY_PRINCIPAL, account=account)))[b"x-innoai-tier"] == b"gr%C3%BCn%0D%0Ax: y"
