"""Model servers that refuse, die, dawdle or talk nonsense: who is asked next, and what the caller is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from tests.contract.clients import HELLO, bearer
from tests.support.envelope import refused
from tests.support.settings import settings
from tests.support.upstream import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server
    from tests.support.upstream import Upstream

CLOSED_PORT = "http://127.0.0.1:1/v1"
PAIRS = 12


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server], upstream: Upstream) -> Server:
    """`alone`, `impatient`, `unreachable`, and several `pair-N` of a first and a second upstream.

    Each test that makes an upstream cool down takes a pair of its own.
    """
    first, second = {"base_url": upstream.base_url("first")}, {"base_url": upstream.base_url("second")}
    pair: list[dict[str, object]] = [{**first}, {**second}]
    models: dict[str, list[dict[str, object]]] = {
        "alone": [{"base_url": upstream.base_url("alone")}],
        "impatient": [{"base_url": upstream.base_url("alone"), "head_timeout": 0.3, "idle_timeout": 0.3}],
        "impatient-pair": [{**first, "head_timeout": 0.3}, {**second}],
        "unreachable": [{"base_url": CLOSED_PORT}],
        "first-unreachable": [{"base_url": CLOSED_PORT}, {**second}],
        **{f"pair-{number}": list(pair) for number in range(PAIRS)},
    }
    return new_server(settings(models))


@pytest.fixture
def client(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def pairs() -> Iterator[str]:
    return (f"pair-{number}" for number in range(PAIRS))


def chat(model: str, **members: object) -> dict[str, Any]:
    return {**HELLO, "model": model, **members}


def asked_upstreams(upstream: Upstream, marker: str) -> list[str]:
    return [asked.target.split("/")[1] for asked in upstream.requests(marker)]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_the_next_upstream_is_asked_when_one_fails(
    client: httpx.Client, upstream: Upstream, pairs: Iterator[str], status: int
) -> None:
    marker, headers = marked(at={"first": {"status": status}})
    answer = client.post("/chat/completions", json=chat(next(pairs)), headers=headers)
    assert answer.status_code == 200
    assert asked_upstreams(upstream, marker) == ["first", "second"]


@pytest.mark.parametrize("streamed", [False, True])
def test_the_next_upstream_is_asked_when_one_dies_before_its_answer(
    client: httpx.Client, upstream: Upstream, pairs: Iterator[str], streamed: bool
) -> None:
    marker, headers = marked(at={"first": {"close": True}})
    answer = client.post("/chat/completions", json=chat(next(pairs), stream=streamed), headers=headers)
    assert answer.status_code == 200
    assert asked_upstreams(upstream, marker)[-1] == "second"


def test_an_upstream_that_cannot_be_reached_is_passed_over(client: httpx.Client, upstream: Upstream) -> None:
    marker, headers = marked()
    answer = client.post("/chat/completions", json=chat("first-unreachable"), headers=headers)
    assert answer.status_code == 200
    assert asked_upstreams(upstream, marker) == ["second"]


def test_an_upstream_that_failed_is_left_alone_for_a_while(
    client: httpx.Client, upstream: Upstream, pairs: Iterator[str]
) -> None:
    model = next(pairs)
    _, failing = marked(at={"first": {"status": 503}})
    client.post("/chat/completions", json=chat(model), headers=failing)
    marker, headers = marked()
    client.post("/chat/completions", json=chat(model), headers=headers)
    assert asked_upstreams(upstream, marker) == ["second"]


def test_an_upstream_that_cools_down_is_asked_when_all_others_fail_too(
    client: httpx.Client, upstream: Upstream, pairs: Iterator[str]
) -> None:
    model = next(pairs)
    _, failing = marked(at={"first": {"status": 503}})
    client.post("/chat/completions", json=chat(model), headers=failing)
    marker, headers = marked(at={"second": {"status": 503}})
    assert client.post("/chat/completions", json=chat(model), headers=headers).status_code == 200
    assert asked_upstreams(upstream, marker) == ["second", "first"]


def test_an_upstream_that_asks_for_no_pause_gets_none(
    client: httpx.Client, upstream: Upstream, pairs: Iterator[str]
) -> None:
    model = next(pairs)
    _, failing = marked(at={"first": {"status": 503, "headers": {"retry-after": "0"}}})
    client.post("/chat/completions", json=chat(model), headers=failing)
    marker, headers = marked()
    client.post("/chat/completions", json=chat(model), headers=headers)
    assert asked_upstreams(upstream, marker) == ["first"]


def test_a_caller_error_is_relayed_and_not_tried_elsewhere(
    client: httpx.Client, upstream: Upstream, pairs: Iterator[str]
) -> None:
    marker, headers = marked(at={"first": {"status": 400}})
    answer = client.post("/chat/completions", json=chat(next(pairs)), headers=headers)
    assert answer.status_code == 400
    assert asked_upstreams(upstream, marker) == ["first"]


def test_when_every_upstream_fails_the_caller_gets_the_envelope(
    client: httpx.Client, upstream: Upstream, pairs: Iterator[str]
) -> None:
    marker, headers = marked(status=500)
    answer = client.post("/chat/completions", json=chat(next(pairs)), headers=headers)
    refused(answer, "upstream_error")
    assert asked_upstreams(upstream, marker) == ["first", "second"]


@pytest.mark.parametrize(("status", "remedy"), [(401, "api_key"), (402, "credit"), (308, "base_url")])
def test_what_the_operator_has_to_mend_is_no_fault_of_the_callers(
    client: httpx.Client, status: int, remedy: str
) -> None:
    told = {"www-authenticate": "Bearer", "location": "http://10.0.0.7/"}
    _, headers = marked(status=status, headers=told)
    answer = client.post("/chat/completions", json=chat("alone"), headers=headers)
    assert remedy in refused(answer, "upstream_error")["message"]
    assert not told.keys() & answer.headers.keys()


def test_an_upstreams_rate_limit_is_relayed_with_its_retry_after(client: httpx.Client) -> None:
    _, headers = marked(status=429, headers={"retry-after": "17"})
    answer = client.post("/chat/completions", json=chat("alone"), headers=headers)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "17"


def test_an_unreachable_upstream_is_an_upstream_error(client: httpx.Client) -> None:
    refused(client.post("/chat/completions", json=chat("unreachable")), "upstream_error")


def test_nonsense_instead_of_http_is_an_upstream_error(client: httpx.Client) -> None:
    _, headers = marked(garbage=True)
    refused(client.post("/chat/completions", json=chat("alone"), headers=headers), "upstream_error")


def test_a_kept_connection_that_died_before_the_first_byte_is_tried_anew(
    client: httpx.Client, upstream: Upstream
) -> None:
    """The model server closes a connection instead of answering a second request on it."""
    _, first = marked()
    assert client.post("/chat/completions", json=chat("alone"), headers=first).status_code == 200
    marker, second = marked(close_if_reused=True)
    assert client.post("/chat/completions", json=chat("alone"), headers=second).status_code == 200
    closed, answered = upstream.requests(marker)
    assert (closed.outcome, answered.outcome) == ("broken off", "complete")
    assert closed.connection != answered.connection


def test_an_answer_that_does_not_begin_in_time_is_a_timeout(client: httpx.Client, upstream: Upstream) -> None:
    marker, headers = marked(hold="head")
    refused(client.post("/chat/completions", json=chat("impatient"), headers=headers), "upstream_timeout")
    (asked,) = upstream.ended(marker)
    assert asked.outcome == "client gone"


def test_a_timeout_is_not_doubled_by_asking_elsewhere(client: httpx.Client, upstream: Upstream) -> None:
    marker, headers = marked(at={"first": {"hold": "head"}})
    answer = client.post("/chat/completions", json=chat("impatient-pair"), headers=headers)
    refused(answer, "upstream_timeout")
    assert asked_upstreams(upstream, marker) == ["first"]


@pytest.mark.parametrize(
    ("model", "behaviour", "code"),
    [
        ("alone", {"die_after": 2}, "upstream_error"),
        ("impatient", {"hold": "events"}, "upstream_timeout"),
    ],
)
def test_a_stream_that_breaks_off_ends_with_an_error_that_openais_client_raises(
    own: Server, model: str, behaviour: dict[str, Any], code: str
) -> None:
    _, headers = marked(**behaviour)
    request = chat(model, stream=True, extra_headers=headers)
    with (
        openai.OpenAI(base_url=own.base_url, api_key=own.admin_key, max_retries=0) as client,
        client.chat.completions.create(**request) as stream,
        pytest.raises(openai.APIError) as raised,
    ):
        list(stream)
    assert raised.value.code == code


def test_a_whole_answer_that_breaks_off_is_never_taken_for_whole(client: httpx.Client) -> None:
    """Either the envelope, when nothing was relayed yet, or a connection that is seen to break off."""
    _, headers = marked(die_after=40)
    try:
        answer = client.post("/chat/completions", json=chat("alone"), headers=headers)
    except httpx.RemoteProtocolError:
        return
    refused(answer, "upstream_error")
