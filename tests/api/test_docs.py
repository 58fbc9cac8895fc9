from __future__ import annotations

import re

import httpx
import pytest
from swagger_ui_bundle import swagger_ui_path

from innoai.api.docs import ASSETS, DOCS_POLICY, DOCUMENT
from tests.support.envelope import refused

PAGES = {"/docs": DOCS_POLICY}
EACH_PAGE = pytest.mark.parametrize("path", PAGES)
LINK = re.compile(r'(?:href|src)="([^"]*)"')


@pytest.fixture(scope="module")
def visitor(echoing):
    """Somebody with a browser and no key."""
    with httpx.Client(base_url=echoing.origin) as client:
        yield client


def test_the_document_is_served_to_anyone(visitor):
    answer = visitor.get("/openapi.json")
    assert answer.content == DOCUMENT
    assert answer.headers["content-type"] == "application/json"


@EACH_PAGE
def test_a_page_holds_no_script_or_style_of_its_own(path, visitor):
    answer = visitor.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGES[path]
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text) == []


@pytest.mark.parametrize("policy", set(PAGES.values()))
def test_a_policy_lets_nothing_in_from_elsewhere(policy):
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    allowed = {source for sources in directives.values() for source in sources.split()}
    assert allowed <= {"'none'", "'self'", "data:"}
    assert "data:" not in directives.get("script-src", "")


@EACH_PAGE
def test_everything_that_a_page_links_to_is_on_this_server(path, visitor):
    links = LINK.findall(visitor.get(path).text)
    assert links
    for link in links:
        assert link.startswith("/")
        assert visitor.get(link).status_code == 200


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_says_what_it_is(name, visitor):
    answer = visitor.get(f"/docs/{name}")
    path, media_type = ASSETS[name]
    assert answer.content == path.read_bytes()
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["index.html", "..%2fpage.css", "page.css%00", "%2e%2e", "docs.py"])
def test_no_other_file_is_given_away(name, visitor):
    refused(visitor.get(f"/docs/{name}"), "not_found")


def test_swagger_ui_is_one_that_reads_openapi_3_1():
    bundle = (ASSETS["swagger-ui-bundle.js"][0]).read_text("utf-8")
    assert "swagger-ui-5." in str(swagger_ui_path)
    assert "openapi-3-1" in bundle


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/v1/tiers"])
def test_head_is_answered_as_get_without_a_body(path, caller):
    whole, head = caller.get(path), caller.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize("path", ["/docs/", "/v1/keys/", "//v1/keys", "/v1//keys"])
def test_a_path_with_slashes_too_many_is_another_path(path, caller):
    refused(caller.get(path), "not_found")


@pytest.mark.parametrize(
    ("path", "allow"),
    [("/v1/keys", "GET, POST, HEAD"), ("/docs", "GET, HEAD"), ("/v1/chat/completions", "POST")],
)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "PROPFIND", "QUERY"])
def test_what_a_path_does_not_take_is_refused_with_what_it_takes(method, path, allow, caller):
    answer = caller.request(method, path)
    refused(answer, "method_not_allowed")
    assert answer.headers["allow"] == allow
