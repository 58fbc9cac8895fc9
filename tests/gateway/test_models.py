from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from innoai.config import ConfigError, Model, Upstream
from innoai.gateway.arrival import Arrival
from innoai.gateway.echo import Echo, EchoCall
from innoai.gateway.headers import read_request
from innoai.gateway.models import COOL_DOWN, LONGEST_COOL_DOWN, Models, Target, open_models
from innoai.gateway.upstream import Pool, RequestHead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = 1000.0
FIRST = Upstream("http://127.0.0.1:9001/v1", api_key="sk-first")
SECOND = Upstream("http://127.0.0.1:9002/v1")
THIRD = Upstream("https://models.example/openai/v1/")


@pytest.fixture
async def models() -> AsyncIterator[Models]:
    opened = open_models(
        {"a": Model((FIRST, SECOND, THIRD)), "b": Model((FIRST,)), "c": Model((Upstream("echo:"),))},
        lambda: 1_795_000_000.5,
    )
    yield opened
    await opened.close()


def asked(models: Models, now: float = NOW) -> list[Upstream]:
    return [target.upstream for target in models.candidates("a", now)]


def target_of(models: Models, upstream: Upstream) -> Target:
    return next(target for target in models.targets["a"] if target.upstream == upstream)


async def test_upstreams_are_asked_in_the_order_in_which_they_are_written(models: Models) -> None:
    assert asked(models) == [FIRST, SECOND, THIRD]


async def test_an_upstream_that_failed_comes_last_until_it_has_cooled_down(models: Models) -> None:
    target_of(models, FIRST).failed(NOW)
    assert asked(models) == [SECOND, THIRD, FIRST]
    assert asked(models, NOW + COOL_DOWN - 0.001) == [SECOND, THIRD, FIRST]
    assert asked(models, NOW + COOL_DOWN) == [FIRST, SECOND, THIRD]


async def test_when_all_failed_all_are_still_asked(models: Models) -> None:
    for upstream in (FIRST, SECOND, THIRD):
        target_of(models, upstream).failed(NOW)
    assert asked(models) == [FIRST, SECOND, THIRD]


async def test_each_failure_in_a_row_doubles_the_wait_up_to_the_longest(models: Models) -> None:
    target = target_of(models, FIRST)
    waits = []
    for _ in range(12):
        target.failed(NOW)
        waits.append(target.cool_until - NOW)
    assert waits[:4] == [COOL_DOWN, 2 * COOL_DOWN, 4 * COOL_DOWN, 8 * COOL_DOWN]
    assert waits[-1] == LONGEST_COOL_DOWN


async def test_a_success_ends_the_wait_and_the_doubling(models: Models) -> None:
    target = target_of(models, FIRST)
    target.failed(NOW)
    target.failed(NOW)
    target.succeeded()
    assert asked(models) == [FIRST, SECOND, THIRD]
    target.failed(NOW)
    assert target.cool_until == NOW + COOL_DOWN


@pytest.mark.parametrize(("wanted", "wait"), [(3.0, 3.0), (0.0, 0.0), (86_400.0, LONGEST_COOL_DOWN)])
async def test_an_upstream_is_left_alone_for_as_long_as_it_asks_within_bounds(
    models: Models, wanted: float, wait: float
) -> None:
    target = target_of(models, FIRST)
    target.failed(NOW, wanted)
    assert target.cool_until == NOW + wait


async def test_one_upstream_is_asked_whether_it_cools_down_or_not(models: Models) -> None:
    models.targets["b"][0].failed(NOW)
    assert [target.upstream for target in models.candidates("b", NOW)] == [FIRST]


async def test_upstreams_at_one_origin_share_their_connections(models: Models) -> None:
    assert models.targets["a"][0].transport is models.targets["b"][0].transport
    assert len({id(target.transport) for target in models.targets["a"]}) == 3
    assert len(models.transports) == 4


async def test_upstreams_with_other_patience_do_not_share_connections() -> None:
    hasty = Upstream(FIRST.base_url, idle_timeout=1.0)
    models = open_models({"a": Model((FIRST, hasty))}, lambda: 0.0)
    assert len(models.transports) == 2
    await models.close()


async def test_the_echo_needs_no_connection(models: Models) -> None:
    assert isinstance(models.targets["c"][0].transport, Echo)
    assert isinstance(models.targets["a"][0].transport, Pool)


async def test_a_key_for_an_upstream_goes_to_that_upstream_alone(models: Models) -> None:
    credentials = [dict(target.headers).get(b"authorization") for target in models.targets["a"]]
    assert credentials == [b"Bearer sk-first", None, None]
    assert all(dict(target.headers)[b"accept-encoding"] == b"identity" for target in models.targets["a"])


class Recorder:
    """A transport that notes what it is asked to send."""

    def __init__(self) -> None:
        self.prepared: list[RequestHead] = []
        self.sent: list[tuple[RequestHead, bytes]] = []

    def prepare(self, head: RequestHead) -> RequestHead:
        self.prepared.append(head)
        return head

    def send_prepared(self, head: RequestHead, body: bytes, _listener: object) -> EchoCall:
        self.sent.append((head, body))
        return EchoCall(Silent())

    async def close(self) -> None:
        pass


class Silent:
    def on_whole(self, head: object, body: bytes) -> None: ...
    def on_head(self, head: object) -> None: ...
    def on_body(self, chunk: bytes) -> None: ...
    def on_turn(self) -> None: ...
    def on_end(self) -> None: ...
    def on_failure(self, failure: object) -> None: ...


def arrival(query: bytes = b"") -> Arrival:
    headers = read_request([(b"content-type", b"application/json"), (b"authorization", b"Bearer theirs")])
    return Arrival(b"POST", b"/v1/chat/completions", query, headers, None, None)


async def test_a_model_server_that_wants_other_words_gets_them() -> None:
    azure = Upstream(
        "http://azure.example/openai", headers={"api-key": "k", "x-own": "1"}, query="api-version=1"
    )
    models = open_models({"a": Model((azure,))}, lambda: 0.0)
    (target,) = models.targets["a"]
    recorder = Recorder()
    target.transport = recorder
    asked = arrival(b"api-version=evil&b=2&api-key=theirs")
    asked.headers.forwarded.append((b"x-own", b"the caller's"))
    target.send(asked, b"{}", Silent())
    ((head, _),) = recorder.sent
    assert head.target == b"/openai/chat/completions?api-version=1&b=2"
    assert (b"api-key", b"k") in head.headers
    assert [value for name, value in head.headers if name == b"x-own"] == [b"1"]
    await models.close()


async def test_a_request_goes_out_in_the_upstreams_words() -> None:
    recorder = Recorder()
    target = Target(FIRST, recorder, b"/openai/v1", [(b"authorization", b"Bearer sk-first")])
    target.send(arrival(), b"{}", Silent())
    target.send(arrival(b"a=%2F&b"), b"{}", Silent())
    kept = [(b"content-type", b"application/json"), (b"authorization", b"Bearer sk-first")]
    assert recorder.sent == [
        (RequestHead(b"/openai/v1/chat/completions", kept), b"{}"),
        (RequestHead(b"/openai/v1/chat/completions?a=%2F&b", kept), b"{}"),
    ]


async def test_a_head_that_comes_again_is_made_once_for_each_upstream() -> None:
    recorder, again = Recorder(), arrival()
    targets = [Target(upstream, recorder, b"/v1", []) for upstream in (FIRST, SECOND)]
    for target in (*targets, *targets):
        target.send(again, b"{}", Silent())
    assert (len(recorder.prepared), len(recorder.sent)) == (2, 4)


async def test_an_upstreams_path_is_a_prefix_without_its_last_slash(models: Models) -> None:
    assert [target.prefix for target in models.targets["a"]] == [b"/v1", b"/v1", b"/openai/v1"]


@pytest.mark.parametrize(
    "base_url", ["http://-x-/v1", "http://models.example/two words", "http://[::1%25lo]/v1"]
)
async def test_a_base_url_that_cannot_be_asked_stops_the_start_without_being_shown(base_url: str) -> None:
    with pytest.raises(ConfigError, match=r'^a\.toml: models\."a": base_url: ') as refused:
        open_models({"a": Model((Upstream(base_url),))}, lambda: 0.0, place="a.toml: ")
    assert base_url not in str(refused.value)
