from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.access.routes import INFERENCE_POSTS, ROUTES, Route, allowed_methods, match, route_for
from innoai.access.scopes import SCOPES

SEGMENTS = st.text(min_size=1).filter(lambda text: "/" not in text)


def fill(template: str, segment: str) -> str:
    return "/".join(segment if part.startswith("{") else part for part in template.split("/"))


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/models", "inference:read"),
        ("GET", "/v1/models/inno-ai-boyong-4.5", "inference:read"),
        ("POST", "/v1/chat/completions", "inference:write"),
        ("POST", "/v1/completions", "inference:write"),
        ("POST", "/v1/embeddings", "inference:write"),
        ("POST", "/v1/responses", "inference:write"),
        ("POST", "/v1/moderations", "inference:write"),
        ("POST", "/v1/images/generations", "inference:write"),
        ("POST", "/v1/images/edits", "inference:write"),
        ("POST", "/v1/images/variations", "inference:write"),
        ("POST", "/v1/audio/speech", "inference:write"),
        ("POST", "/v1/audio/transcriptions", "inference:write"),
        ("POST", "/v1/audio/translations", "inference:write"),
        ("POST", "/v1/customers", "customers:write"),
        ("GET", "/v1/customers", "customers:read"),
        ("GET", "/v1/customers/customer-123", "customers:read"),
        ("PATCH", "/v1/customers/customer-123", "customers:write"),
        ("DELETE", "/v1/customers/customer-123", "customers:delete"),
        ("POST", "/v1/keys", "admin:full"),
        ("GET", "/v1/keys", "admin:full"),
        ("GET", "/v1/keys/key_1", "admin:full"),
        ("PATCH", "/v1/keys/key_1", "admin:full"),
        ("DELETE", "/v1/keys/key_1", "admin:full"),
        ("POST", "/v1/keys/key_1/rotate", "admin:full"),
        ("POST", "/v1/auth/explain", "admin:full"),
        ("GET", "/v1/auth/validate", None),
        ("POST", "/v1/auth/introspect", None),
        ("POST", "/v1/auth/token", None),
        ("POST", "/v1/auth/refresh", None),
        ("POST", "/v1/auth/revoke", None),
        ("GET", "/v1/tiers", None),
    ],
)
def test_a_request_asks_for_its_scope(method, path, scope):
    route = match(method, path)
    assert route is not None
    assert route.scope == scope


def test_the_matrix_asks_only_for_scopes_that_exist():
    assert {route.scope for route in ROUTES} <= {*SCOPES, None}


def test_no_two_rows_are_for_the_same_requests():
    shapes = [(route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in ROUTES]
    assert len(set(shapes)) == len(shapes)


def test_every_inference_route_is_in_the_matrix():
    assert all(route_for("POST", path).scope == "inference:write" for path in INFERENCE_POSTS)


def test_a_key_may_use_one_route_on_itself_and_that_is_its_deletion():
    assert [route for route in ROUTES if route.own_key] == [
        Route("DELETE", "/v1/keys/{key_id}", "admin:full", own_key=True)
    ]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@given(segment=SEGMENTS)
def test_a_filled_template_is_the_routes(route, segment):
    path = fill(route.path, segment)
    assert route.method in allowed_methods(path)
    assert match(route.method, path) is route


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_row_is_found_by_method_and_template(route):
    assert route_for(route.method, route.path) is route


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/v1"),
        ("GET", "/v1/models/"),
        ("GET", "//v1/models"),
        ("GET", "/v1/Models"),
        ("get", "/v1/models"),
        ("HEAD", "/v1/models"),
        ("PUT", "/v1/keys/key_1"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/keys//rotate"),
        ("POST", "/v1/keys/key_1/rotate/"),
        ("GET", "/v1/models\x00"),
        ("DELETE", "/v1/webhooks/deliveries"),
        ("PATCH", "/v1/webhooks/stream"),
    ],
)
def test_what_the_matrix_does_not_hold_matches_no_row(method, path):
    assert match(method, path) is None


def test_a_row_that_is_not_there_cannot_be_had():
    with pytest.raises(KeyError):
        route_for("GET", "/v1/keys/{id}")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/keys", ("GET", "POST")),
        ("/v1/keys/key_1", ("GET", "PATCH", "DELETE")),
        ("/v1/models/meta-llama/Llama-3", ("GET",)),
        ("/v1/chat/completions", ("POST",)),
        ("/v1/nothing", ()),
        ("/v1/webhooks/whe_1", ("GET", "PATCH", "DELETE")),
        ("/v1/webhooks/deliveries", ("GET",)),
    ],
)
def test_the_allowed_methods_of_a_path_are_those_of_its_rows(path, methods):
    assert allowed_methods(path) == methods


def test_a_models_name_may_have_slashes():
    assert match("GET", "/v1/models/meta-llama/Llama-3") is route_for("GET", "/v1/models/{model}")
    assert match("GET", "/v1/keys/key_1/key_2") is None
