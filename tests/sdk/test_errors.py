from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

import innoai
from innoai.errors import ERRORS
from innoai.sdk import errors
from tests.sdk.peer import Answer, Peer, refusal

if TYPE_CHECKING:
    from tests.sdk.conftest import Either

VALIDATE = "GET /v1/auth/validate"
OPENAIS: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    502: openai.InternalServerError,
    503: openai.InternalServerError,
    504: openai.InternalServerError,
}


async def refused(either: Either, answer: Answer, peer: Peer) -> openai.APIStatusError:
    peer.on(VALIDATE, answer)
    with pytest.raises(openai.APIStatusError) as caught:
        await either.done(either.client.with_options(max_retries=0).auth.validate())
    return caught.value


def test_every_code_of_the_server_has_an_exception_and_no_other() -> None:
    assert set(errors.BY_CODE) == set(ERRORS)
    assert len(set(errors.BY_CODE.values())) == len(errors.BY_CODE)


@pytest.mark.parametrize("code", sorted(errors.BY_CODE))
def test_an_exception_is_named_after_its_code_and_exported(code: str) -> None:
    name = "".join(word.capitalize() for word in code.split("_"))
    assert errors.BY_CODE[code].__name__ == name
    assert getattr(innoai, name) is errors.BY_CODE[code]


@pytest.mark.parametrize("code", sorted(ERRORS))
async def test_a_refusal_raises_its_codes_exception_which_is_openais_for_the_status(
    either: Either, peer: Peer, code: str
) -> None:
    kind = ERRORS[code]
    error = await refused(either, refusal(kind.status, code, type=kind.type), peer)
    assert type(error) is errors.BY_CODE[code]
    assert isinstance(error, innoai.InnoAIError)
    assert isinstance(error, OPENAIS.get(kind.status, openai.APIStatusError))
    assert (error.status_code, error.code, error.type) == (kind.status, code, kind.type)
    assert (error.request_id, error.required_scope, error.retry_after) == ("req_header", None, None)
    assert str(error) == f"Error code: {kind.status} - It is {code}."


async def test_the_missing_scope_is_told(either: Either, peer: Peer) -> None:
    answer = refusal(403, "insufficient_permissions", required_scope="customers:write")
    error = await refused(either, answer, peer)
    assert isinstance(error, innoai.InsufficientPermissions)
    assert error.required_scope == "customers:write"


async def test_the_wait_is_told(either: Either, peer: Peer) -> None:
    error = await refused(either, refusal(429, "rate_limit_exceeded", retry_after=60), peer)
    assert isinstance(error, innoai.RateLimitExceeded)
    assert error.retry_after == 60


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]
)
async def test_the_wait_is_read_from_the_header_where_the_body_has_none(
    either: Either, peer: Peer, header: str, seconds: int | None
) -> None:
    body = {"error": {"code": "service_unavailable", "message": "Soon.", "type": "server_error"}}
    error = await refused(either, Answer(body, 503, {"retry-after": header}), peer)
    assert isinstance(error, innoai.ServiceUnavailable)
    assert error.retry_after == seconds


async def test_the_request_id_is_read_from_the_body_where_the_header_is_lost(
    either: Either, peer: Peer
) -> None:
    body = {"error": {"code": "not_found", "message": "No.", "type": "t", "request_id": "req_1"}}
    assert (await refused(either, Answer(body, 404), peer)).request_id == "req_1"


async def test_the_refused_member_is_told(either: Either, peer: Peer) -> None:
    error = await refused(either, refusal(400, "invalid_request", param="expires_in"), peer)
    assert isinstance(error, innoai.InvalidRequest)
    assert error.param == "expires_in"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "of_tomorrow", "message": "New.", "type": "t"}},
        {"error": {"code": 7, "message": "Odd."}},
        {"error": "no object"},
        {"detail": "no envelope"},
        ["a list"],
        "a string",
    ],
)
async def test_an_answer_outside_the_contract_is_openais_error_for_the_status(
    either: Either, peer: Peer, body: Any
) -> None:
    error = await refused(either, Answer(body, 403), peer)
    assert type(error) is openai.PermissionDeniedError


async def test_a_proxys_page_is_openais_error_for_the_status(either: Either, peer: Peer) -> None:
    page = Answer(raw=b"<h1>Bad gateway</h1>", status=502, headers={"content-type": "text/html"})
    assert type(await refused(either, page, peer)) is openai.InternalServerError


async def test_a_conflict_is_not_retried(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/customers", refusal(409, "conflict"))
    with pytest.raises(innoai.Conflict):
        await either.done(either.client.customers.create(customer_id="customer-123"))
    assert len(peer.received) == 1


async def test_a_conflict_that_the_server_calls_passing_is_retried(either: Either, peer: Peer) -> None:
    passing = Answer({"error": {}}, 409, {"x-should-retry": "true", "retry-after-ms": "1"})
    peer.on("DELETE /v1/customers/customer-123", passing, Answer(status=204))
    await either.done(either.client.customers.delete("customer-123"))
    assert len(peer.received) == 2


async def test_a_server_that_hangs_up_is_openais_connection_error(either: Either, peer: Peer) -> None:
    peer.on(VALIDATE, Answer(hang_up=True))
    with pytest.raises(openai.APIConnectionError):
        await either.done(either.client.with_options(max_retries=0).auth.validate())


PAGE = Answer(raw=b"<h1>Sign in</h1>", headers={"content-type": "text/html; charset=utf-8"})
ANSWERED: list[tuple[str, str, Any]] = [
    ("validate", VALIDATE, lambda c: c.auth.validate()),
    ("one", "GET /v1/customers/x", lambda c: c.customers.get("x")),
    ("many", "GET /v1/customers", lambda c: c.customers.list()),
    ("summary", "GET /v1/billing/summary", lambda c: c.billing.summary()),
    ("revoke", "DELETE /v1/keys/key_1", lambda c: c.keys.revoke("key_1")),
    ("revoke by secret", "POST /v1/auth/revoke", lambda c: c.auth.revoke("a-secret")),
    ("export", "GET /v1/audit", lambda c: c.audit.export_jsonl()),
    ("models", "GET /v1/models", lambda c: c.models.list()),
    (
        "stream",
        "POST /v1/chat/completions",
        lambda c: c.chat.completions.create(model="m", messages=[], stream=True),
    ),
]
CALLED = [call[1:] for call in ANSWERED]
NAMES = [call[0] for call in ANSWERED]


async def unread(either: Either, call: Any) -> innoai.UnreadableAnswer:
    with pytest.raises(innoai.UnreadableAnswer) as caught:
        await either.done(call(either.client))
    return caught.value


@pytest.mark.parametrize(("route", "call"), CALLED, ids=NAMES)
async def test_a_page_in_place_of_an_answer_is_an_error_that_names_the_base_url(
    either: Either, peer: Peer, route: str, call: Any
) -> None:
    peer.on(route, PAGE)
    error = await unread(either, call)
    assert isinstance(error, innoai.InnoAIError)
    assert "text/html" in str(error)
    assert "base_url, which names the server and ends in /v1" in str(error)
    assert len(peer.requests(route)) == 1


@pytest.mark.parametrize(("route", "call"), CALLED, ids=NAMES)
async def test_so_is_a_page_that_it_is_sent_to(either: Either, peer: Peer, route: str, call: Any) -> None:
    """As the dashboard sends to its sign-in whoever leaves out /v1."""
    peer.on(route, Answer(status=303, headers={"location": "/login"}))
    peer.on("GET /login", PAGE)
    assert "base_url" in str(await unread(either, call))


@pytest.mark.parametrize("answer", [Answer({}), Answer([]), Answer("done"), Answer(raw=b"ok")])
async def test_a_key_counts_as_revoked_only_where_the_server_says_204(
    either: Either, peer: Peer, answer: Answer
) -> None:
    peer.on("DELETE /v1/keys/key_1", answer)
    assert (await unread(either, lambda client: client.keys.revoke("key_1"))).status_code == 200


async def test_whoever_wants_the_raw_answer_gets_a_page_too(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/models", PAGE)
    raw = await either.done(either.client.models.with_raw_response.list())
    assert raw.http_response.text == "<h1>Sign in</h1>"


async def test_an_error_in_the_middle_of_a_stream_has_the_class_of_its_code(
    either: Either, peer: Peer
) -> None:
    event = b'event: error\ndata: {"error": {"code": "upstream_error", "message": "It failed."}}\n\n'
    head = {"content-type": "text/event-stream", "x-request-id": "req_7"}
    peer.on("POST /v1/chat/completions", Answer(raw=b'data: {"id": "c"}\n\n' + event, headers=head))
    came: list[str] = []
    with pytest.raises(innoai.UpstreamError) as caught:
        await read_chunks(either, came)
    assert came == ["c"]
    assert isinstance(caught.value, innoai.InnoAIError)
    assert (caught.value.code, caught.value.message) == ("upstream_error", "It failed.")
    assert (caught.value.request_id, caught.value.status_code) == ("req_7", 200)


async def test_one_without_a_code_of_the_servers_is_openais(either: Either, peer: Peer) -> None:
    event = b'data: {"error": {"code": "of_tomorrow", "message": "New."}}\n\n'
    peer.on("POST /v1/chat/completions", Answer(raw=event, headers={"content-type": "text/event-stream"}))
    with pytest.raises(openai.APIError) as caught:
        await read_chunks(either, [])
    assert type(caught.value) is openai.APIError


async def read_chunks(either: Either, came: list[str]) -> None:
    completions = either.client.chat.completions
    stream = await either.done(completions.create(model="m", messages=[], stream=True))
    if isinstance(stream, openai.Stream):
        came.extend(chunk.id for chunk in stream)
    else:
        async for chunk in stream:
            came.append(chunk.id)  # noqa: PERF401 (what came before the error counts)
