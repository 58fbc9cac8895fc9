"""GET /v1/auth/forward, asked directly and by real proxies with the configurations of deploy/."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.access.routes import ROUTES, match
from innoai.errors import ERRORS
from tests.contract.clients import bearer, create_key, mint
from tests.support.envelope import refused
from tests.support.proxies import DEPLOY, PROXIES, service
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server
    from tests.support.upstream import Upstream

HOME, ABROAD = "203.0.113.7", "198.51.100.1"
IDENTITY = ("account", "key", "customer", "scopes", "tier")
SCOPED = [route for route in ROUTES if route.scope is not None]
SPELLINGS = {
    "nginx": ("x-original-method", "x-original-uri"),
    "Caddy and Traefik": ("x-forwarded-method", "x-forwarded-uri"),
}
UNREACHABLE = {"nginx": 503, "caddy": 502, "envoy": 503, "traefik": 500}
"""What each proxy answers where innoai is gone."""


@pytest.fixture(scope="module")
def innoai(new_server: Callable[..., Server], upstream: Upstream) -> Server:
    """A server that trusts the proxies on this machine."""
    served = {MODEL: [{"base_url": upstream.base_url()}]}
    return new_server(settings(served, {"server": {"trusted_proxies": ["127.0.0.1/32"]}}))


@pytest.fixture(scope="module")
def admin(innoai: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=innoai.base_url, headers=bearer(innoai.admin_key), timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def asker(innoai: Server) -> Iterator[httpx.Client]:
    """A client without a credential of its own."""
    with httpx.Client(base_url=innoai.base_url, timeout=30) as client:
        yield client


def said_of(answer: httpx.Response) -> dict[str, str]:
    """The identity in an answer's headers."""
    names = [name for name in answer.headers if name.startswith("x-innoai-")]
    return {name.removeprefix("x-innoai-"): answer.headers[name] for name in names}


# Asked directly.


def test_the_answer_says_who_asks(admin: httpx.Client, asker: httpx.Client) -> None:
    key = create_key(admin, scopes=["inference:write", "inference:read"], rate_limit=7)
    answer = asker.get("/auth/forward", headers=bearer(key["key"]))
    assert (answer.status_code, answer.content) == (204, b"")
    who = said_of(answer)
    assert who.pop("account").startswith("acc_")
    assert who == {"key": key["id"], "scopes": "inference:read inference:write", "tier": "enterprise"}
    assert answer.headers["x-ratelimit-limit-requests"] == "7"
    assert answer.headers["x-ratelimit-remaining-requests"] == "6"
    assert answer.headers["cache-control"] == "no-store"


def test_a_customers_token_speaks_for_the_customer(admin: httpx.Client, asker: httpx.Client) -> None:
    key = create_key(admin)
    token = mint(asker, key["key"], customer_id="acme|7", scopes=["inference:read"])["access_token"]
    who = said_of(asker.get("/auth/forward", headers=bearer(token)))
    assert (who["key"], who["customer"], who["scopes"]) == (key["id"], "acme|7", "inference:read")


@pytest.mark.parametrize("names", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("route", SCOPED, ids=lambda route: f"{route.method} {route.path}")
def test_a_row_of_the_matrix_asks_for_its_scope(
    admin: httpx.Client, asker: httpx.Client, names: tuple[str, str], route: Any
) -> None:
    path = re.sub(r"\{\w+\}", "some", route.path)
    original = dict(zip(names, (route.method, f"{path}?limit=1"), strict=True))
    known = admin.get("/auth/forward", headers=original)
    assert known.status_code == 204
    weak = create_key(admin, scopes=["webhooks:read" if route.scope == "billing:read" else "billing:read"])
    error = refused(
        asker.get("/auth/forward", headers={**bearer(weak["key"]), **original}), "insufficient_permissions"
    )
    assert error["required_scope"] == route.scope


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("target", ["/", "/reports?page=2", "/v1/models", "/v1/chat/completions"])
def test_envoy_asks_by_method_and_path(
    admin: httpx.Client, asker: httpx.Client, method: str, target: str
) -> None:
    """It takes nothing but 200 for a yes."""
    key = create_key(admin, scopes=["billing:read"])["key"]
    answer = asker.request(method, f"/auth/forward{target}", headers=bearer(key))
    assert answer.status_code == (200 if match(method, target) is None else 403)


def test_the_proxys_operator_may_ask_for_a_scope(admin: httpx.Client, asker: httpx.Client) -> None:
    key = bearer(create_key(admin, scopes=["inference:read"])["key"])
    assert asker.get("/auth/forward?scope=inference:read", headers=key).status_code == 204
    error = refused(asker.get("/auth/forward?scope=inference:write", headers=key), "insufficient_permissions")
    assert error["required_scope"] == "inference:write"
    answer = asker.get("/auth/forward", headers={**key, "x-innoai-required-scope": "inference:write"})
    assert (answer.status_code, answer.headers["x-innoai-error"]) == (403, "insufficient_permissions")
    refused(asker.get("/auth/forward?scope=all", headers=key), "invalid_request")


def test_a_path_of_the_matrix_is_no_way_around_the_operators_scope(
    admin: httpx.Client, asker: httpx.Client
) -> None:
    key = bearer(create_key(admin, scopes=["inference:read"])["key"])
    free = {"x-original-method": "GET", "x-original-uri": "/v1/tiers"}
    assert asker.get("/auth/forward", headers=key | free).status_code == 204
    assert asker.get("/auth/forward?scope=billing:write", headers=key | free).status_code == 403


def test_a_named_model_is_asked_about(admin: httpx.Client, asker: httpx.Client) -> None:
    key = bearer(create_key(admin, models=[MODEL])["key"])
    chat = {"x-original-method": "POST", "x-original-uri": "/v1/chat/completions"}
    assert asker.get("/auth/forward", headers={**key, **chat, "x-innoai-model": MODEL}).status_code == 204
    answer = asker.get("/auth/forward", headers={**key, **chat, "x-innoai-model": "another"})
    refused(answer, "model_not_allowed")


def test_the_callers_address_is_the_one_that_the_proxy_names(
    admin: httpx.Client, asker: httpx.Client
) -> None:
    key = bearer(create_key(admin, allowed_ips=[f"{HOME}/32"])["key"])
    assert asker.get("/auth/forward", headers={**key, "x-forwarded-for": HOME}).status_code == 204
    answer = asker.get("/auth/forward", headers={**key, "x-forwarded-for": f"{HOME}, {ABROAD}"})
    refused(answer, "ip_not_allowed")


@pytest.mark.parametrize("where", ["query", "cookie", "x-api-key", "basic"])
def test_a_credential_elsewhere_than_in_the_header_is_none(
    innoai: Server, asker: httpx.Client, where: str
) -> None:
    key = innoai.admin_key
    headers = {
        "query": {},
        "cookie": {"cookie": f"authorization={key}"},
        "x-api-key": {"x-api-key": key},
        "basic": {"authorization": f"Basic {key}"},
    }[where]
    answer = asker.get("/auth/forward", params={"api_key": key}, headers=headers)
    refused(answer, "invalid_api_key")
    assert answer.headers["x-innoai-error"] == "invalid_api_key"


def test_a_revoked_key_is_refused_at_once(admin: httpx.Client, asker: httpx.Client) -> None:
    key = create_key(admin)
    for _ in range(3):
        assert asker.get("/auth/forward", headers=bearer(key["key"])).status_code == 204
    assert admin.delete(f"/keys/{key['id']}").status_code == 204
    refused(asker.get("/auth/forward", headers=bearer(key["key"])), "invalid_api_key")


# Asked by real proxies.


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest, innoai: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a service that a proxy stands before."""
    innoai_address = innoai.origin.removeprefix("http://")
    folder = tmp_path_factory.mktemp(request.param)
    with (
        service() as behind,
        PROXIES[request.param](folder, innoai_address, behind) as origin,
        httpx.Client(base_url=origin, timeout=30) as client,
    ):
        yield client


def test_the_service_behind_hears_who_asks_and_not_the_credential(
    admin: httpx.Client, proxy: httpx.Client
) -> None:
    key = create_key(admin, scopes=["billing:read"])
    answer = proxy.post("/reports?page=2", content=b"x" * 100_000, headers=bearer(key["key"]))
    assert answer.status_code == 200
    asked = answer.json()
    assert (asked["method"], asked["path"], asked["size"]) == ("POST", "/reports?page=2", 100_000)
    assert asked["headers"]["x-innoai-key"] == key["id"]
    assert asked["headers"]["x-innoai-scopes"] == "billing:read"
    assert "authorization" not in asked["headers"]
    assert not asked["headers"].get("x-innoai-customer")


def test_what_a_client_says_of_itself_does_not_reach_the_service(
    admin: httpx.Client, proxy: httpx.Client
) -> None:
    """Nor in another spelling, which many services, such as those in PHP, take for the same name."""
    key = create_key(admin)
    prefixes = ("x-innoai-", "X_Innoai_", "x-innoai_", "x_innoai-", "x.innoai.", "x-innoai.")
    lies = {f"{prefix}{name}": "a lie" for name in IDENTITY for prefix in prefixes}
    asked = proxy.get("/", headers={**bearer(key["key"]), **lies}).json()
    assert "a lie" not in asked["headers"].values()
    assert asked["headers"]["x-innoai-key"] == key["id"]


@pytest.mark.parametrize("prefix", ["x-original", "x-forwarded"])
def test_a_client_cannot_describe_another_request_than_it_makes(
    admin: httpx.Client, proxy: httpx.Client, prefix: str
) -> None:
    key = create_key(admin, scopes=["inference:read"])
    lies = {f"{prefix}-method": "GET", f"{prefix}-uri": "/harmless", "x-original-url": "http://x/harmless"}
    answer = proxy.post("/v1/chat/completions", headers={**bearer(key["key"]), **lies})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "insufficient_permissions"
    assert proxy.get("/v1/models", headers={**bearer(key["key"]), **lies}).status_code == 200


@pytest.mark.parametrize(
    "names",
    [[f"x-innoai-{name}" for name in IDENTITY], [name for pair in SPELLINGS.values() for name in pair]],
    ids=["who asks", "what is asked"],
)
def test_a_client_cannot_have_the_proxy_drop_what_it_and_innoai_say(
    admin: httpx.Client, proxy: httpx.Client, names: list[str]
) -> None:
    """What Connection names ends at the proxy (RFC 9110 §7.6.1); these are not the client's to name."""
    key = create_key(admin)["key"]
    token = mint(admin, key, customer_id="acme", scopes=["inference:read"])["access_token"]
    headers = {**bearer(token), "connection": ", ".join(["keep-alive", *names])}
    asked = proxy.get("/", headers=headers).json()
    assert asked["headers"]["x-innoai-customer"] == "acme"
    assert asked["headers"]["x-innoai-scopes"] == "inference:read"
    refused_by_proxy(proxy.post("/v1/chat/completions", headers=headers), "insufficient_permissions")


def test_a_client_cannot_choose_its_address(admin: httpx.Client, proxy: httpx.Client) -> None:
    key = create_key(admin, allowed_ips=[f"{HOME}/32"])
    answer = proxy.get("/", headers={**bearer(key["key"]), "x-forwarded-for": HOME})
    refused_by_proxy(answer, "ip_not_allowed")


def refused_by_proxy(answer: httpx.Response, code: str) -> dict[str, Any]:
    """As every refusal, but that nginx writes the table's sentence and knows no more of it."""
    error = refused(answer, code)
    assert answer.text.count("request_id") == 1
    return error


def test_refusals_come_through_in_the_envelope(admin: httpx.Client, proxy: httpx.Client) -> None:
    refused_by_proxy(proxy.get("/"), "invalid_api_key")
    weak = create_key(admin, scopes=["billing:read"])["key"]
    answer = proxy.post("/v1/chat/completions", headers=bearer(weak))
    refused_by_proxy(answer, "insufficient_permissions")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert len(answer.headers.get_list("www-authenticate")) == 1


def test_a_spent_limit_is_429_with_its_waiting_time(admin: httpx.Client, proxy: httpx.Client) -> None:
    key = bearer(create_key(admin, rate_limit=2)["key"])
    assert [proxy.get("/", headers=key).status_code for _ in range(2)] == [200, 200]
    answer = proxy.get("/", headers=key)
    error = refused_by_proxy(answer, "rate_limit_exceeded")
    assert int(answer.headers["retry-after"]) == error["retry_after"] > 0


def test_the_services_own_refusals_stay_its_own(admin: httpx.Client, proxy: httpx.Client) -> None:
    key = create_key(admin)["key"]
    for status in (401, 403, 429, 500):
        answer = proxy.get("/own", headers={**bearer(key), "x-status": str(status)})
        assert (answer.status_code, answer.json()["path"]) == (status, "/own")


def test_a_gateway_that_is_gone_admits_nobody(
    new_server: Callable[..., Server], usual_settings: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gone = new_server(usual_settings)
    address = gone.origin.removeprefix("http://")
    gone.stop()
    for name, start in PROXIES.items():
        with service() as behind, start(tmp_path_factory.mktemp(name), address, behind) as origin:
            answer = httpx.get(origin, headers=bearer(gone.admin_key))
            assert answer.status_code == UNREACHABLE[name]


def test_nginx_says_the_tables_sentences() -> None:
    text = (DEPLOY / "nginx" / "innoai.conf").read_text()
    for variable, member in (("type", "type"), ("message", "message")):
        (table,) = re.findall(rf"map \$innoai_code \$innoai_{variable} {{\n(.*?)\n}}", text, re.DOTALL)
        rows = dict(re.findall(r'^  (\w+) "?(.*?)"?;$', table, re.MULTILINE))
        assert rows.pop("default") == getattr(ERRORS["service_unavailable"], member)
        assert rows == {code: getattr(ERRORS[code], member) for code in rows}
        assert {"invalid_api_key", "rate_limit_exceeded", "token_expired"} <= set(rows)
