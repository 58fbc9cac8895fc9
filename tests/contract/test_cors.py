"""Web pages of other origins call the API from a browser; `server.cors_origins` says which."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.dashboard.conftest import browser  # noqa: F401 - a fixture
from tests.support.local_http import listening
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from tests.support.server import Server

PAGE = "https://app.example.com"
ASK = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
}
SCRIPT = """async ([base, token, refresh, body]) => {
  const json = {'Content-Type': 'application/json'};
  const refreshed = await fetch(`${base}/auth/refresh`, {
    method: 'POST', headers: json, body: JSON.stringify({refresh_token: refresh}),
  });
  const ask = (credential, changes) => fetch(`${base}/chat/completions`, {
    method: 'POST',
    headers: {...json, Authorization: `Bearer ${credential}`},
    body: JSON.stringify({...body, ...changes}),
  });
  const answers = [
    await ask(token, {}),
    await ask((await refreshed.json()).access_token, {stream: true}),
    await ask('none', {}),
  ];
  const texts = await Promise.all(answers.map(answer => answer.text()));
  const ids = answers.map(answer => answer.headers.get('x-request-id'));
  return [answers.map(answer => answer.status), texts, ids];
}"""


class Page(BaseHTTPRequestHandler):
    """An empty page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_customers_page_uses_its_token_in_a_real_browser(
    server: Server,
    admin: httpx.Client,
    browser: Browser,  # noqa: F811 - the fixture
) -> None:
    tokens = mint(admin, create_key(admin)["key"], customer_id="in-a-browser")
    with listening(Page) as where:
        page = browser.new_page()
        page.goto(f"http://{where}/")
        arguments = [server.base_url, tokens["access_token"], tokens["refresh_token"], HELLO]
        statuses, texts, ids = page.evaluate(SCRIPT, arguments)
        page.close()
    assert statuses == [200, 200, 401]
    assert json.loads(texts[0])["choices"]
    assert texts[1].endswith("data: [DONE]\n\n")
    assert json.loads(texts[2])["error"]["request_id"] == ids[2]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/chat/completions", HELLO),
        ("POST", "/chat/completions", {**HELLO, "stream": True}),
        ("POST", "/chat/completions", {"model": "none"}),
        ("GET", "/auth/validate", None),
        ("POST", "/auth/token", {}),
        ("GET", "/keys", None),
        ("GET", "/nothing", None),
        ("PUT", "/keys", None),
    ],
)
def test_a_page_may_read_every_answer_the_first_time_and_the_next(
    admin: httpx.Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    for _ in range(3):
        answer = admin.request(method, path, json=body, headers={"origin": PAGE})
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        assert "access-control-allow-credentials" not in answer.headers
        assert "access-control-allow-origin" not in admin.request(method, path, json=body).headers


@pytest.mark.parametrize(
    ("path", "methods"), [("/chat/completions", "POST"), ("/keys/key_1", "GET, PATCH, DELETE, HEAD")]
)
def test_a_preflight_is_answered_without_a_credential(server: Server, path: str, methods: str) -> None:
    answer = httpx.options(f"{server.base_url}{path}", headers=ASK)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == methods
    assert answer.headers["access-control-allow-headers"] == "authorization"


def test_options_that_are_no_preflight_are_refused_as_before(server: Server) -> None:
    for headers in ({}, {"origin": PAGE}):
        answer = httpx.options(f"{server.base_url}/chat/completions", headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/", "/login"])
def test_what_is_not_the_api_is_not_for_other_pages(server: Server, path: str) -> None:
    origin = server.base_url.removesuffix("/v1")
    assert "access-control-allow-origin" not in httpx.get(origin + path, headers={"origin": PAGE}).headers
    assert "access-control-allow-origin" not in httpx.options(origin + path, headers=ASK).headers


def test_an_operator_may_name_the_pages(new_server: Callable[..., Server]) -> None:
    text = settings({MODEL: [{"base_url": "echo:"}]}, {"server": {"cors_origins": [PAGE]}})
    server = new_server(text)
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key)) as client:
        for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None)):
            headers = {"origin": origin}
            for answer in (
                client.post("/chat/completions", json=HELLO, headers=headers),
                client.get("/keys", headers=headers),
                client.options("/keys", headers={**ASK, **headers}),
            ):
                assert answer.headers.get("access-control-allow-origin") == allowed
