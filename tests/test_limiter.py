from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from innoai import limiter as limiter_module
from innoai.access.limits import PERIOD_NS, RateOutcome, take
from innoai.errors import InnoError
from innoai.limiter import Bucket, Limiter, MemoryLimiter, RedisLimiter, open_limiter
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")), st.integers(0, 3 * PERIOD_NS // 2), st.sampled_from(("take", "peek"))
    ),
    max_size=60,
)
LIMITS = st.integers(1, 10_000)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the emptied server."""
    client = Redis.from_url(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def shared(redis: Redis, redis_url: str) -> AsyncIterator[RedisLimiter]:
    """A limiter whose buckets are on that server."""
    limiter = RedisLimiter(redis_url)
    yield limiter
    await limiter.close()


class Clock:
    def __init__(self) -> None:
        self.now = 10**18

    def __call__(self) -> int:
        return self.now


# In memory.


@given(steps=STEPS, limit=LIMITS)
@settings(deadline=None)
def test_memory_says_what_the_rule_says(steps: list[tuple[str, int, str]], limit: int) -> None:
    clock = Clock()
    limiter = MemoryLimiter(clock)
    arrivals = {"a": 0, "b": 0}
    for bucket, passed, action in steps:
        clock.now += passed
        expected = take(arrivals[bucket], clock.now, limit)
        if action == "peek":
            assert limiter.peek_now(bucket, limit) == expected
        else:
            assert limiter.take_now(bucket, limit) == expected
            arrivals[bucket] = expected.tat


async def test_awaiting_memory_is_the_same_as_asking_it() -> None:
    limiter = MemoryLimiter(Clock())
    assert (await limiter.peek("a", 2)).remaining == 1
    assert (await limiter.take("a", 2)).remaining == 1
    assert limiter.take_now("a", 2).remaining == 0
    assert not (await limiter.take("a", 2)).allowed
    await limiter.close()


def test_full_buckets_are_let_go_and_others_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "SWEEP_SIZE", 10)
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for number in range(10):
        limiter.take_now(f"old {number}", 60)
    clock.now += 2 * PERIOD_NS
    limiter.take_now("new", 1)
    assert list(limiter._states) == ["new"]
    assert not limiter.take_now("new", 1).allowed


def test_full_buckets_are_let_go_where_customers_have_limits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "SWEEP_SIZE", 10)
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for number in range(5):
        limiter.take_now(f"old key {number}", 60, Bucket(f"old customer {number}", 60))
    clock.now += 2 * PERIOD_NS
    limiter.take_now("new key", 1, Bucket("new customer", 60))
    assert set(limiter._states) == {"new key", "new customer"}


def test_buckets_that_all_still_count_are_not_swept_again_at_each_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiter_module, "SWEEP_SIZE", 10)
    limiter = MemoryLimiter(Clock())
    sweeps: list[int] = []
    sweep = limiter._sweep

    def counted(now: int) -> None:
        sweeps.append(now)
        sweep(now)

    monkeypatch.setattr(limiter, "_sweep", counted)
    for number in range(100):
        limiter.take_now(str(number), 1)
    assert len(limiter._states) == 100
    assert len(sweeps) == 4


# In Redis.


def agree(found: RateOutcome, earliest: RateOutcome, latest: RateOutcome, slack: int) -> None:
    """What Redis says lies between what the rule says just before and just after it was asked."""
    assert found.limit == earliest.limit
    if earliest.allowed == latest.allowed == found.allowed:
        assert latest.reset_ns - slack <= found.reset_ns <= earliest.reset_ns + slack
        assert latest.retry_ns - slack <= found.retry_ns <= earliest.retry_ns + slack
        assert earliest.remaining - 1 <= found.remaining <= latest.remaining + 1
    else:
        # Only where it was asked about the very instant from which one more passes.
        assert max(found.retry_ns, earliest.retry_ns) <= earliest.retry_ns - latest.retry_ns + slack


async def test_redis_says_what_the_rule_says(redis: Redis, shared: RedisLimiter) -> None:
    loop = asyncio.get_running_loop()

    async def now() -> int:
        seconds, microseconds = await redis.time()
        return (int(seconds) * 1_000_000 + int(microseconds)) * 1000

    async def arrival(bucket: str) -> int:
        state = await redis.get(f"innoai:bucket:{bucket}")
        return int((state or b"0").split()[0]) * 1000

    async def check(steps: list[tuple[str, int, str]], limit: int) -> None:
        await redis.flushall()
        for bucket, passed, action in steps:
            # Time passes by moving what the bucket remembers into the past.
            before = max(await arrival(bucket) - passed // 1000 * 1000, 0)
            await redis.set(f"innoai:bucket:{bucket}", f"{before // 1000} {-(-60_000_000 // limit)}")
            begun = await now()
            ask = shared.take if action == "take" else shared.peek
            found = await ask(bucket, limit)
            ended = await now()
            slack = 1000 * (limit + 2)
            agree(found, take(before, begun, limit), take(before, ended, limit), slack)
            if action == "take" and found.allowed:
                assert begun <= await arrival(bucket) - found.reset_ns <= ended
            else:
                assert await arrival(bucket) == before

    @given(steps=STEPS, limit=LIMITS)
    @settings(deadline=None, max_examples=50)
    def run(steps: list[tuple[str, int, str]], limit: int) -> None:
        asyncio.run_coroutine_threadsafe(check(steps, limit), loop).result()

    await asyncio.to_thread(run)


@pytest.mark.parametrize("limit", [1, 7, 60, 150])
async def test_of_parallel_requests_exactly_the_limit_passes(shared: RedisLimiter, limit: int) -> None:
    outcomes = await asyncio.gather(*(shared.take("burst", limit) for _ in range(200)))
    # One more passes each 60/limit seconds, and the burst itself takes a moment.
    assert limit <= sum(outcome.allowed for outcome in outcomes) <= limit + limit // 60 * 5


async def test_of_200_parallel_requests_at_two_replicas_exactly_20_pass(
    shared: RedisLimiter, redis_url: str
) -> None:
    other = RedisLimiter(redis_url.replace("redis://", "valkey://"))
    limiters = (shared, other)
    outcomes = await asyncio.gather(*(limiters[number % 2].take("burst", 20) for number in range(200)))
    assert sum(outcome.allowed for outcome in outcomes) == 20
    await other.close()


@pytest.fixture(params=["memory", "redis"])
def either(request: pytest.FixtureRequest) -> Limiter:
    if request.param == "memory":
        return MemoryLimiter(Clock())
    limiter: RedisLimiter = request.getfixturevalue("shared")
    return limiter


@pytest.mark.parametrize("outer", [None, Bucket("the customer's", 10_000)])
async def test_of_a_limit_that_is_raised_the_rest_is_free_at_once(
    either: Limiter, outer: Bucket | None
) -> None:
    assert [(await either.take("mine", 5, outer)).allowed for _ in range(6)] == [True] * 5 + [False]
    assert (await either.peek("mine", 600, outer)).remaining == 594
    assert (await either.take("mine", 600, outer)).remaining == 594
    assert (await either.take("mine", 600, outer)).remaining == 593


async def test_who_has_used_more_than_a_lowered_limit_waits_for_the_next(either: Limiter) -> None:
    for _ in range(20):
        await either.take("mine", 600)
    refused = await either.take("mine", 5)
    assert (refused.allowed, refused.retry_after) == (False, 12)


async def test_a_customers_limit_that_is_raised_counts_at_once_too(either: Limiter) -> None:
    for _ in range(6):
        last = await either.take("mine", 1000, Bucket("the customer's", 5))
    assert not last.allowed
    assert (await either.take("mine", 1000, Bucket("the customer's", 600))).remaining == 594


async def test_a_bucket_in_redis_counts_down_and_then_says_when_to_come_back(shared: RedisLimiter) -> None:
    outcomes = [await shared.take("mine", 3) for _ in range(4)]
    assert [outcome.remaining for outcome in outcomes] == [2, 1, 0, 0]
    assert [outcome.allowed for outcome in outcomes] == [True, True, True, False]
    assert outcomes[3].retry_after == 20
    assert (await shared.take("another", 3)).allowed


async def test_peeking_takes_nothing_from_redis(redis: Redis, shared: RedisLimiter) -> None:
    for _ in range(3):
        assert (await shared.peek("mine", 1)).allowed
    assert await redis.keys() == []
    await shared.take("mine", 1)
    assert not (await shared.peek("mine", 1)).allowed


async def test_a_bucket_is_gone_from_redis_once_it_is_full_again(redis: Redis, shared: RedisLimiter) -> None:
    await shared.take("mine", 60)
    assert 0 < await redis.pttl("innoai:bucket:mine") <= 1001


async def test_shared_limits_always_have_to_be_awaited(shared: RedisLimiter) -> None:
    shared.take_now("mine", 1)
    assert (await shared.take("mine", 1)).allowed


async def test_a_redis_that_is_not_there_is_told_as_unavailable() -> None:
    limiter = open_limiter(f"redis://127.0.0.1:{free_port()}/0", Clock())
    for ask in (limiter.take, limiter.peek):
        with pytest.raises(InnoError) as refused:
            await ask("mine", 1)
        assert refused.value.refusal.code == "service_unavailable"
    await limiter.close()


async def test_a_redis_that_says_nothing_is_told_as_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        limiter = RedisLimiter(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        for ask in (limiter.take, limiter.peek):
            with pytest.raises(InnoError) as refused:
                await asyncio.wait_for(ask("mine", 1), 10 * limiter_module.PATIENCE)
            assert refused.value.refusal.code == "service_unavailable"
        await limiter.close()


async def test_connections_that_redis_has_ended_are_made_anew(redis: Redis, shared: RedisLimiter) -> None:
    await asyncio.gather(*(shared.take("mine", 60) for _ in range(4)))
    await redis.script_flush()
    await redis.client_kill_filter(_type="normal", skipme=True)
    outcomes = await asyncio.gather(*(shared.take("mine", 60) for _ in range(8)))
    assert [outcome.allowed for outcome in outcomes] == [True] * 8


@pytest.mark.parametrize(
    ("url", "host", "is_tls"),
    [
        ("redis://valkey:6379/0", "valkey", False),
        ("valkey://valkey:6379/0", "valkey", False),
        ("valkey://redis.example/0", "redis.example", False),
        ("rediss://my-valkey/1", "my-valkey", True),
        ("valkeys://cache.example/1", "cache.example", True),
    ],
)
def test_the_host_is_the_one_that_was_named(url: str, host: str, is_tls: bool) -> None:
    pool = RedisLimiter(url)._redis.connection_pool
    assert pool.connection_kwargs["host"] == host
    assert ("SSL" in pool.connection_class.__name__) == is_tls


def test_memory_is_opened_by_its_url() -> None:
    assert isinstance(open_limiter("memory:", Clock()), MemoryLimiter)
    assert isinstance(open_limiter("valkey://cache.example", Clock()), RedisLimiter)


# Two buckets at once.


@pytest.fixture(params=["memory", "redis"])
def near_or_far(request: pytest.FixtureRequest) -> Limiter:
    limiter: Limiter = (
        MemoryLimiter(Clock()) if request.param == "memory" else request.getfixturevalue("shared")
    )
    return limiter


async def both(limiter: Limiter, *, inner: int, outer: int) -> RateOutcome:
    return await limiter.take("inner", inner, Bucket("outer", outer))


@pytest.mark.parametrize(("inner", "outer"), [(2, 5), (5, 2)])
async def test_the_bucket_with_less_room_decides_and_is_told_of(
    near_or_far: Limiter, inner: int, outer: int
) -> None:
    outcomes = [await both(near_or_far, inner=inner, outer=outer) for _ in range(3)]
    assert [outcome.allowed for outcome in outcomes] == [True, True, False]
    assert [(outcome.limit, outcome.remaining) for outcome in outcomes] == [(2, 1), (2, 0), (2, 0)]


async def test_what_one_bucket_refuses_takes_nothing_from_the_other(near_or_far: Limiter) -> None:
    assert (await both(near_or_far, inner=1, outer=3)).allowed
    for _ in range(5):
        assert not (await both(near_or_far, inner=1, outer=3)).allowed
    assert (await near_or_far.peek("outer", 3)).remaining == 1
    assert (await near_or_far.take("another", 10, Bucket("outer", 3))).allowed


async def test_peeking_at_two_takes_from_neither(near_or_far: Limiter) -> None:
    for _ in range(3):
        assert (await near_or_far.peek("inner", 1, Bucket("outer", 1))).allowed
    assert (await both(near_or_far, inner=1, outer=1)).allowed
    assert not (await near_or_far.peek("inner", 1, Bucket("outer", 1))).allowed
