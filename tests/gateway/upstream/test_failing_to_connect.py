from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from innoai.gateway.upstream import FailureKind, Origin, Phase, Pool, Timeouts
from tests.gateway.upstream.authority import Authority, issue
from tests.gateway.upstream.peers import Heard, Visit, ask, forever, pooled, send, serving

if TYPE_CHECKING:
    from pathlib import Path


async def test_calls_over_tls_reuse_their_connection(authority: Authority):
    async with serving(forever, tls=authority.server) as peer, pooled(peer, tls=authority.client) as pool:
        for _ in range(3):
            assert await (await ask(pool, bytes(200_000))).answer() == (200, b"ok")
        assert (peer.visits, pool.idle) == (1, 1)


async def test_an_untrusted_certificate_is_refused(authority: Authority):
    default = ssl.create_default_context()
    async with serving(forever, tls=authority.server) as peer, pooled(peer, tls=default) as pool:
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.TLS_FAILED, False)
        assert "certificate" in failure.text
        assert peer.requests == []


async def test_the_default_trust_is_the_systems(authority: Authority):
    async with serving(forever, tls=authority.server) as peer:
        pool = Pool(Origin("https", "127.0.0.1", peer.port))
        assert (await (await ask(pool)).failed()).kind is FailureKind.TLS_FAILED
        await pool.close()


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path):
    other = issue(tmp_path, "127.0.0.2")
    async with serving(forever, tls=other.server) as peer, pooled(peer, tls=other.client) as pool:
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.TLS_FAILED, False)


async def test_a_peer_that_speaks_no_tls_is_refused(authority: Authority):
    async def script(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await visit.gone()

    async with serving(script) as peer, pooled(peer, tls=authority.client) as pool:
        assert (await (await ask(pool)).failed()).kind is FailureKind.TLS_FAILED


async def test_a_handshake_cut_short_is_a_tls_failure(authority: Authority):
    async def script(visit: Visit) -> None:
        await visit.reader.read(1)

    async with serving(script) as peer, pooled(peer, tls=authority.client) as pool:
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.TLS_FAILED, False)


async def test_a_body_that_lasts_until_the_close_needs_a_proper_close_over_tls(authority: Authority):
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\nall")
        await heard.progress.wait()
        if visit.nth == 2:
            visit.writer.transport.abort()

    async with serving(script, tls=authority.server) as peer, pooled(peer, tls=authority.client) as pool:
        heard = Heard()
        send(pool, heard)
        assert await heard.answer() == (200, b"all")
        heard = Heard()
        send(pool, heard)
        assert (await heard.failed()).kind is FailureKind.CLOSED_MID_ANSWER


async def test_a_call_cancelled_in_the_handshake_leaves_nothing_behind(authority: Authority):
    async def script(visit: Visit) -> None:
        await visit.gone()

    async with serving(script) as peer, pooled(peer, tls=authority.client) as pool:
        heard = Heard()
        call = send(pool, heard)
        await peer.visited.wait()
        call.cancel()
        await peer.left_alone()
        assert heard.last_words == 0


async def test_a_handshake_that_takes_too_long_times_out(authority: Authority):
    async def script(visit: Visit) -> None:
        await visit.gone()

    timeouts = Timeouts(connect=0.1)
    async with serving(script) as peer, pooled(peer, tls=authority.client, timeouts=timeouts) as pool:
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.phase, failure.reached) == (FailureKind.TIMED_OUT, Phase.CONNECT, False)
        await peer.left_alone()


async def test_a_refused_connection_is_a_failure_that_reached_nobody():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening
        pool = Pool(Origin("http", "127.0.0.1", unused.getsockname()[1]))
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.CONNECT_FAILED, False)
        assert failure.text == "upstream: Connection refused"
        await pool.close()


async def test_a_host_that_does_not_resolve_is_a_failure_that_reached_nobody(monkeypatch: pytest.MonkeyPatch):
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    class Loop:
        create_connection = staticmethod(unknown)
        create_task = staticmethod(asyncio.get_running_loop().create_task)

    pool = Pool(Origin("http", "no.such.host", 80), loop=Loop())  # type: ignore[arg-type]
    failure = await (await ask(pool)).failed()
    assert (failure.kind, failure.reached) == (FailureKind.CONNECT_FAILED, False)
    assert "resolve" in failure.text
    await pool.close()


async def test_a_peer_that_speaks_before_it_is_asked_gets_no_request():
    class Loop:
        """Lets the peer's words arrive before the pool has its new connection, which a handshake can do."""

        create_task = staticmethod(asyncio.get_running_loop().create_task)
        call_later = staticmethod(asyncio.get_running_loop().call_later)
        time = staticmethod(asyncio.get_running_loop().time)

        @staticmethod
        async def create_connection(*address: Any, **options: Any) -> None:
            _, connection = await asyncio.get_running_loop().create_connection(*address, **options)
            connection.data_received(b"220 ready\r\n")

    async with serving(forever) as peer:
        pool = Pool(Origin("http", "127.0.0.1", peer.port), loop=Loop())  # type: ignore[arg-type]
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.CLOSED_BEFORE_ANSWER, False)
        await pool.close()
        assert peer.requests == []


async def test_a_peer_that_hangs_up_at_once_was_not_reached_or_gave_no_answer():
    async def script(visit: Visit) -> None:
        visit.writer.transport.abort()

    async with serving(script) as peer, pooled(peer) as pool:
        failure = await (await ask(pool)).failed()
        assert failure.kind is FailureKind.CLOSED_BEFORE_ANSWER


async def test_upstream_may_live_at_an_ipv6_address():
    try:
        async with serving(forever, host="::1") as peer:
            origin, _ = Origin.parse(f"http://[::1]:{peer.port}/v1")
            pool = Pool(origin)
            assert await (await ask(pool)).answer() == (200, b"ok")
            assert b"\r\nhost: [::1]:%d\r\n" % peer.port in peer.requests[0]
            await pool.close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
