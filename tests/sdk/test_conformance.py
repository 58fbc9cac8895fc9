"""The vectors that all SDKs share, against this one; sdks/conformance/README.md says what they mean."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from openai._models import FinalRequestOptions
from openai._streaming import SSEDecoder

from innoai import AsyncInnoAI, InnoAI, webhooks
from innoai.sdk import errors
from innoai.sdk.models.auth import Token
from innoai.sdk.tokens import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

SUITE = Path(__file__).parents[2] / "sdks" / "conformance"
KEY = "sk-inno-conformance"
VALIDATE = "GET /v1/auth/validate"
CHAT = "POST /v1/chat/completions"
DRAWS = 200
CALLERS = ThreadPoolExecutor(16)
"""As many threads as a step makes calls at once, and more."""


def vectors(file: str, member: str = "cases", having: frozenset[str] = frozenset()) -> pytest.MarkDecorator:
    """The test runs once a case; with `having`, once a case that has one of these members.

    Each knows its suite, by which tests/sdk/conftest.py writes the verdicts down.
    """
    listed = json.loads((SUITE / f"{file}.json").read_text())[member]
    cases = [case for case in listed if not having or having & case.keys()]
    known = [{**case, "suite": file} for case in cases]
    return pytest.mark.parametrize("case", known, ids=[case["name"] for case in known])


class Scripted:
    """The scripted server, as a process of its own."""

    def __init__(self) -> None:
        program = [sys.executable, str(SUITE / "server.py")]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        about = json.loads(self._process.stdout.readline())
        self.base_url: str = about["base_url"]
        self._control = httpx2.Client(base_url=about["control_url"], trust_env=False)

    def script(self, answers: dict[str, Any]) -> None:
        self._control.post("/script", json=answers).raise_for_status()

    def seen(self) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self._control.get("/requests").json()["requests"]
        return requests

    def close(self) -> int:
        """End its standard input, upon which it has to stop; its exit code."""
        self._control.close()
        self._process.communicate(timeout=10)
        return self._process.returncode


@pytest.fixture(scope="module")
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    assert server.close() == 0


@pytest.fixture(params=[InnoAI, AsyncInnoAI], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


async def call(client: Any, case: dict[str, Any]) -> Any:
    """Make the case's call, off the loop where the client blocks."""
    text, options = case.get("text"), {}
    if "idempotency_key" in case:
        options["idempotency_key"] = case["idempotency_key"]
    message = {"role": "user", "content": text or "Hello"}
    made = {
        "validate": lambda: client.auth.validate(),
        "keys.list": lambda: client.keys.list(),
        "keys.create": lambda: client.keys.create("ci", level="read", **options),
        "keys.revoke": lambda: client.keys.revoke("key_1"),
        "customers.create": lambda: client.customers.create("customer-123", name=text or "Ada"),
        "chat": lambda: client.chat.completions.create(model="m", messages=[message]),
        "chat.stream": lambda: client.chat.completions.create(model="m", messages=[message], stream=True),
    }[case["call"]]
    if isinstance(client, AsyncInnoAI):
        answer = await made()
        return [item async for item in answer] if case["call"] == "chat.stream" else answer
    blocking = (lambda: list(made())) if case["call"] == "chat.stream" else made
    return await asyncio.get_running_loop().run_in_executor(CALLERS, blocking)


async def outcome(client: Any, case: dict[str, Any]) -> Exception | None:
    """What the call raised, if it is one of the client's errors."""
    try:
        await call(client, case)
    except openai.APIError as problem:
        return problem
    return None


def fits(problem: Exception | None, expected: str) -> bool:
    if expected == "ok":
        return problem is None
    if expected == "connection":
        return isinstance(problem, openai.APIConnectionError)
    return isinstance(problem, getattr(errors, expected, None) or getattr(openai, expected))


def new_client(kind: Any, scripted: Scripted, case: dict[str, Any], **options: Any) -> Any:
    retries = case.get("max_retries", 2)
    return kind(api_key=KEY, base_url=scripted.base_url, max_retries=retries, **options)


async def close(client: Any) -> None:
    if isinstance(client, AsyncInnoAI):
        await client.close()
    else:
        client.close()


@vectors("signatures")
def test_signatures(case: dict[str, Any]) -> None:
    body, secret, headers = base64.b64decode(case["body"]), case["secret"], case["headers"]

    def verdict() -> bool:
        if case["style"] == "innoai":
            return webhooks.verify(body, headers.get("x-innoai-signature"), secret)
        return webhooks.verify_standard(body, headers, secret, case["tolerance"], now=case["now"])

    if case["err"] == "secret":
        with pytest.raises(ValueError, match="secret"):
            verdict()
    else:
        assert verdict() is case["valid"]


@vectors("errors")
async def test_errors(case: dict[str, Any], kind: Any, scripted: Scripted) -> None:
    scripted.script(
        {VALIDATE: [{"status": case["status"], "headers": case["headers"], "base64": case["body"]}]}
    )
    client = new_client(kind, scripted, {"max_retries": 0})
    problem = await outcome(client, {"call": "validate"})
    await close(client)
    assert fits(problem, case["class"])
    for member in {"code", "type", "param", "required_scope", "retry_after", "request_id"} & case.keys():
        assert getattr(problem, member, None) == case[member], member


@vectors("retries", "backoff")
def test_pauses(case: dict[str, Any]) -> None:
    options, headers = FinalRequestOptions(method="get", url="/"), httpx2.Headers(case["headers"])
    with InnoAI(api_key=KEY, max_retries=10) as client:
        remaining = client.max_retries - case["retry"]
        drawn = [client._calculate_retry_timeout(remaining, options, headers) for _ in range(DRAWS)]
    assert case["min"] <= min(drawn)
    assert max(drawn) <= case["max"]
    assert (len(set(drawn)) > 1) == (case["min"] != case["max"])


@vectors("retries")
async def test_retries(case: dict[str, Any], kind: Any, scripted: Scripted) -> None:
    expected = case["expect"]
    scripted.script(case["script"])
    client = new_client(kind, scripted, case)
    problem = await outcome(client, case)
    await close(client)
    requests = scripted.seen()
    assert fits(problem, expected["outcome"])
    assert len(requests) == expected["requests"]
    assert len({(r["method"], r["path"], r["body"]) for r in requests}) == 1
    assert idempotency(requests, expected)
    for before, after, least in zip(requests, requests[1:], expected.get("min_waits", []), strict=False):
        assert after["at"] - before["at"] >= least


def idempotency(requests: list[dict[str, Any]], expected: dict[str, Any]) -> bool:
    """Whether the requests carry the Idempotency-Key that they should."""
    keys = {request["headers"].get("idempotency-key") for request in requests}
    wanted = expected.get("idempotency_key")
    if wanted is None:
        return True
    if wanted == "absent":
        return keys == {None}
    return len(keys) == 1 and all(keys) if wanted == "same" else keys == {wanted["is"]}


@vectors("tokens", "renewal")
def test_when_a_token_is_due(case: dict[str, Any]) -> None:
    pair = {
        "access_token": "a",
        "token_type": "Bearer",
        "expires_in": case["expires_in"],
        "refresh_token": "r",
    }
    held = Held.since(0, Token.construct(**pair))
    assert (case["age"] >= held.renew_at) is case["due"]


@vectors("tokens")
async def test_tokens(case: dict[str, Any], kind: Any, scripted: Scripted) -> None:
    scripted.script(case["script"])
    client = new_client(kind, scripted, case, **case["client"])
    for step in case["steps"]:
        problems = await asyncio.gather(*(outcome(client, step) for _ in range(step["parallel"])))
        assert [fits(problem, step["outcome"]) for problem in problems] == [True] * step["parallel"], problems
    await close(client)
    requests, expected = scripted.seen(), case["expect"]
    if "requests" in expected:
        wanted = expected["requests"]
        assert [shown(r, w) for r, w in zip(requests, wanted, strict=True)] == wanted
    routes = [f"{r['method']} {r['path']}" for r in requests]
    counts = expected.get("counts", {})
    assert {route: routes.count(route) for route in counts} == counts


def shown(request: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The request in the form that a case has, with the members that this one has."""
    authorization = request["headers"].get("authorization")
    bearer = authorization.removeprefix("Bearer ") if authorization is not None else None
    full = {
        "route": f"{request['method']} {request['path']}",
        "bearer": "key" if bearer == KEY else bearer,
        "json": json.loads(base64.b64decode(request["body"]) or "null"),
    }
    return {member: full[member] for member in wanted}


@vectors("sse")
def test_events_at_every_boundary(case: dict[str, Any]) -> None:
    stream = base64.b64decode(case["stream"])
    cuts = [[stream[:at], stream[at:]] for at in range(len(stream) + 1)]
    for pieces in [*cuts, [bytes([byte]) for byte in stream]]:
        frames = [frame for frame in SSEDecoder().iter_bytes(iter(pieces)) if frame.data]
        payloads = [frame.data for frame in frames]
        done = "[DONE]" in payloads
        end = payloads.index("[DONE]") if done else len(payloads)
        assert (payloads[:end], done) == (case["data"], case["done"]), pieces
        if "events" in case:
            assert [frame.event for frame in frames[:end]] == case["events"]


@vectors("sse", having=frozenset({"text", "error"}))
async def test_chat_streams(case: dict[str, Any], scripted: Scripted) -> None:
    headers, middle = {"content-type": "text/event-stream"}, len(base64.b64decode(case["stream"])) // 2
    scripted.script({CHAT: [{"headers": headers, "base64": case["stream"], "split": middle}]})
    read: list[str] = []
    raised = None
    async with new_client(AsyncInnoAI, scripted, {}) as client:
        messages = [{"role": "user", "content": "Hello"}]
        try:
            async for chunk in await client.chat.completions.create(
                model="m", messages=messages, stream=True
            ):
                read.append(chunk.choices[0].delta.content)  # noqa: PERF401  # what came before an error counts
        except openai.APIError as problem:
            raised = problem.message
    assert raised == case.get("error")
    assert len(read) == case.get("yields", len(read))
    assert "".join(read) == case.get("text", "".join(read))


@vectors("unicode")
async def test_unicode(case: dict[str, Any], kind: Any, scripted: Scripted) -> None:
    scripted.script(case["script"])
    client = new_client(kind, scripted, case)
    customer = await call(client, case)
    await close(client)
    (request,) = scripted.seen()
    assert json.loads(base64.b64decode(request["body"]).decode("utf-8"))["name"] == case["text"]
    assert customer.name == case["text"]
