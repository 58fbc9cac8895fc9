"""Every row of the matrix, walked with every kind of caller: the decisions are the table's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access.routes import ROUTES
from innoai.access.scopes import ADMIN_FULL, INFERENCE_READ, SCOPES
from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.contract.walks import CALLS, HOME, Walker
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.wire import exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from innoai.access.routes import Route
    from tests.support.server import Server
    from tests.support.upstream import Upstream

ABROAD = "198.51.100.1"
GARBAGE = "sk-inno-" + "0" * 49
CREDENTIAL_IN_BODY = {"/v1/auth/token", "/v1/auth/refresh", "/v1/auth/revoke"}
SCOPED = [route for route in ROUTES if route.scope is not None]
HEADER_GUARDED = [route for route in ROUTES if route.path not in CREDENTIAL_IN_BODY]


def named(routes: list[Route] | tuple[Route, ...]) -> Any:
    return pytest.mark.parametrize("route", routes, ids=[f"{route.method} {route.path}" for route in routes])


@pytest.fixture(scope="module")
def walker(new_server: Callable[..., Server], upstream: Upstream) -> Iterator[Walker]:
    proxied = settings(
        {MODEL: [{"base_url": upstream.base_url()}]}, {"server": {"trusted_proxies": ["127.0.0.1/32"]}}
    )
    walker = Walker(new_server(proxied))
    yield walker
    walker.close()


def test_the_walk_leaves_no_row_out() -> None:
    assert set(CALLS) == {(route.method, route.path) for route in ROUTES}


@named(HEADER_GUARDED)
def test_nobody_gets_in_without_a_credential(walker: Walker, route: Route) -> None:
    refused(walker.walk(route, None), "invalid_api_key")


@named(HEADER_GUARDED)
@pytest.mark.parametrize("credential", ["garbage", GARBAGE, "a.b.c"])
def test_nobody_gets_in_with_garbage(walker: Walker, route: Route, credential: str) -> None:
    refused(walker.walk(route, credential), "invalid_api_key")


@named(SCOPED)
def test_nobody_gets_in_with_every_scope_but_the_right_one(walker: Walker, route: Route) -> None:
    others = [scope for scope in SCOPES if scope not in (route.scope, ADMIN_FULL)]
    key = walker.key(scopes=others)
    token = mint(walker.admin, key)["access_token"]
    for credential in (key, token):
        error = refused(walker.walk(route, credential), "insufficient_permissions")
        assert error["required_scope"] == route.scope


@named(ROUTES)
def test_the_right_scope_suffices(walker: Walker, route: Route) -> None:
    scopes = [route.scope or INFERENCE_READ]
    key = walker.key(scopes=scopes)
    credentials = [key]
    if route.path != "/v1/auth/token":
        credentials.append(mint(walker.admin, key, scopes=scopes)["access_token"])
    for credential in credentials:
        answer = walker.walk(route, credential)
        assert answer.status_code == CALLS[route.method, route.path].status, answer.text
        assert answer.headers["x-request-id"].startswith("req_")


@named(SCOPED)
def test_admin_full_implies_every_scope(walker: Walker, route: Route) -> None:
    answer = walker.walk(route, walker.key(scopes=[ADMIN_FULL]))
    assert answer.status_code == CALLS[route.method, route.path].status, answer.text


@named([route for route in ROUTES if route.path != "/v1/auth/refresh"])
def test_an_admin_key_opens_nothing_from_a_forbidden_network(walker: Walker, route: Route) -> None:
    key = walker.key(scopes=[ADMIN_FULL], allowed_ips=[f"{HOME}/32"])
    assert walker.walk(route, key, HOME).status_code == CALLS[route.method, route.path].status
    refused(walker.walk(route, key, ABROAD), "ip_not_allowed")


def test_a_refresh_token_refreshes_nothing_from_a_forbidden_network(walker: Walker) -> None:
    key = walker.key(allowed_ips=[f"{HOME}/32"])
    pair = walker.client.post("/v1/auth/token", json={}, headers=bearer(key)).json()
    for address, status in ((HOME, 200), (ABROAD, 403)):
        answer = walker.client.post(
            "/v1/auth/refresh",
            json={"refresh_token": pair["refresh_token"]},
            headers={"x-forwarded-for": address},
        )
        assert answer.status_code == status


@named(SCOPED)
def test_the_network_is_asked_before_the_scope(walker: Walker, route: Route) -> None:
    others = [scope for scope in SCOPES if scope not in (route.scope, ADMIN_FULL)]
    key = walker.key(scopes=others, allowed_ips=[f"{HOME}/32"])
    refused(walker.walk(route, key, ABROAD), "ip_not_allowed")


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (HOME, 200),
        (f"{ABROAD}, {HOME}", 200),
        (f"{HOME}, {ABROAD}", 403),
        (f"{HOME}, 127.0.0.1", 200),
        (f"{HOME}:4711", 200),
        (f"::ffff:{HOME}", 200),
        ("unknown", 403),
        (f"{HOME}, nonsense", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/auth/validate"])
def test_only_the_entry_of_the_trusted_proxy_counts(
    walker: Walker, path: str, forwarded: str, status: int
) -> None:
    key = walker.key(allowed_ips=[f"{HOME}/32"])
    headers = {**bearer(key), "x-forwarded-for": forwarded}
    assert walker.client.get(path, headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/auth/introspect"])
def test_a_trailer_is_no_address(walker: Walker, path: str) -> None:
    key = walker.key(allowed_ips=[f"{HOME}/32"])
    lines = ["Host: x", f"Authorization: Bearer {key}", f"X-Forwarded-For: {ABROAD}"]
    lines += ["Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close"]
    head = "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode()
    body = json.dumps(HELLO if path == "/v1/chat/completions" else {"token": "x"}).encode()
    trailer = f"0\r\nX-Forwarded-For: {HOME}\r\n\r\n".encode()
    chunks = b"%x\r\n%b\r\n" % (len(body), body)
    (answer,) = exchange(walker.server.address, head + chunks + trailer)
    refused(answer, "ip_not_allowed")


@pytest.mark.parametrize("path", ["/models", "/auth/validate"])
def test_a_server_without_proxies_believes_no_forwarded_address(
    anyone: httpx.Client, admin: httpx.Client, path: str
) -> None:
    key = create_key(admin, allowed_ips=[f"{HOME}/32"])["key"]
    claimed = {**bearer(key), "x-forwarded-for": HOME, "forwarded": f"for={HOME}", "x-real-ip": HOME}
    refused(anyone.get(path, headers=claimed), "ip_not_allowed")


def test_a_key_may_always_revoke_itself_and_no_other(walker: Walker) -> None:
    own = create_key(walker.admin, scopes=[INFERENCE_READ])
    other = create_key(walker.admin, scopes=[INFERENCE_READ])
    headers = bearer(own["key"])
    answer = walker.client.delete(f"/v1/keys/{other['id']}", headers=headers)
    refused(answer, "insufficient_permissions")
    assert walker.client.delete(f"/v1/keys/{own['id']}", headers=headers).status_code == 204
    refused(walker.client.get("/v1/models", headers=headers), "invalid_api_key")


def test_a_token_does_not_revoke_its_key(walker: Walker) -> None:
    own = create_key(walker.admin, scopes=[INFERENCE_READ])
    token = mint(walker.admin, own["key"])["access_token"]
    answer = walker.client.delete(f"/v1/keys/{own['id']}", headers=bearer(token))
    refused(answer, "insufficient_permissions")


def test_a_key_uses_its_models_alone(walker: Walker) -> None:
    key = bearer(walker.key(models=["another-model"]))
    error = refused(walker.client.post("/v1/chat/completions", json=HELLO, headers=key), "model_not_allowed")
    assert error["param"] == "model"
    assert walker.client.get("/v1/models", headers=key).json()["data"] == []
    refused(walker.client.get(f"/v1/models/{MODEL}", headers=key), "model_not_found")
    unserved = {**HELLO, "model": "another-model"}
    refused(walker.client.post("/v1/chat/completions", json=unserved, headers=key), "model_not_found")


def test_a_refusal_says_nothing_of_the_body_to_those_who_may_not_ask(walker: Walker) -> None:
    reader = bearer(walker.key(scopes=[INFERENCE_READ]))
    for body in (b"{", b'{"model":"no-such-model"}', b"x" * 200_000):
        answer = walker.client.post(
            "/v1/chat/completions", content=body, headers={**reader, "content-type": "application/json"}
        )
        refused(answer, "insufficient_permissions")


def test_the_matrix_that_is_shown_is_the_one_that_decides(walker: Walker) -> None:
    shown = walker.admin.get("/tiers").json()
    assert [(row["method"], row["path"], row["scope"]) for row in shown["routes"]] == [
        (route.method, route.path, route.scope) for route in ROUTES
    ]
    assert [row["name"] for row in shown["scopes"]] == list(SCOPES)
    assert {row["name"] for row in shown["data"]} == {"free", "startup", "business", "enterprise"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_what_stands_outside_v1_asks_for_no_credential(walker: Walker, path: str) -> None:
    assert walker.client.get(path).status_code == 200


@named(SCOPED)
def test_an_explanation_says_what_the_route_then_does(walker: Walker, route: Route) -> None:
    """Explained and made, a request meets one decision."""
    asked = {"method": route.method, "path": route.path.replace("{", "").replace("}", "")}
    for scopes, address in (([route.scope], HOME), (["billing:read"], HOME), ([route.scope], ABROAD)):
        key = walker.key(scopes=scopes, allowed_ips=[f"{HOME}/32"])
        explained = walker.admin.post("/auth/explain", json={**asked, "key": key, "ip": address}).json()
        answer = walker.walk(route, key, address)
        code = None if answer.is_success else answer.json()["error"]["code"]
        assert (explained["allowed"], explained["code"]) == (answer.is_success, code)
