"""The worker: leases deliveries that are due, makes their attempts, and concludes them.

Every replica runs one. Attempts run beside each other, few to one endpoint, and in two lanes: endpoints
that fail hold up each other and nobody else. Within a lane accounts take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from functools import partial
from typing import TYPE_CHECKING

import structlog

from innoai.access.networks import parse_networks
from innoai.background import repeat
from innoai.config import ConfigError
from innoai.errors import InnoError
from innoai.events import journal, retries, signing
from innoai.events.post import USER_AGENT, Answer, post
from innoai.events.types import instant
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, deliveries, webhooks
from innoai.store.deliveries import AttemptRecord, Lane
from innoai.store.webhooks import FAILING, GONE, sealed_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.config import WebhookSettings
    from innoai.store.database import Database
    from innoai.store.deliveries import Leased
    from innoai.store.secrets import Secrets
    from innoai.store.webhooks import EndpointRecord

POLL_SECONDS = 0.2
LOOK_SECONDS = 1.0
"""How often the store is asked for what is due although nothing was written to it: a retry may be so late."""

LEASE_SECONDS = 12.0
RENEW_SECONDS = 3.0
STOP_SECONDS = 5.0
"""How long the end waits for attempts under way before it gives their leases back."""

RETRY_SECONDS = 1.0
"""How long a conclusion waits for a store that does not answer."""

GIVE_UP_SECONDS = 5 * 86_400.0
"""An endpoint that has failed for so long is disabled."""

LANES: Mapping[Lane, int] = {Lane(failing=False, per_endpoint=4): 256, Lane(failing=True, per_endpoint=1): 64}
"""The lanes, with how many attempts each may have under way in this process."""

MOST_LEASED = 64
"""Leases of one transaction."""

MOST_CONCLUDING = 4
"""Conclusions that may stand in line for the store, so that whoever else writes waits for few of them."""

WRONG_SIGNATURE = (400, 401, 403)
"""What a receiver says that still has the old secret."""

GONE_STATUS = 410
HIDDEN = "[hidden]"
CONTENT_TYPE = "application/json"

log = structlog.get_logger()


class Worker:
    """Makes attempts until it is stopped."""

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        settings: WebhookSettings,
        clock: Callable[[], float],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._seconds = settings.timeout
        self._allowed = parse_networks(settings.allowed_networks)
        self._clock = clock
        self._chance = chance
        self._id = fresh_id("wrk")
        self._under_way: dict[Lane, dict[str, asyncio.Task[None]]] = {lane: {} for lane in LANES}
        self._wake = asyncio.Event()
        self._concluding = asyncio.Semaphore(MOST_CONCLUDING)
        self._seen: int | None = None
        self._looked_at = 0.0

    async def run(self) -> None:
        """Take up what is due, again and again until cancelled."""
        renewing = asyncio.create_task(
            repeat("leases of deliveries", partial(asyncio.sleep, RENEW_SECONDS), self._renew)
        )
        try:
            await repeat("deliveries", self._pause, self._look)
        finally:
            renewing.cancel()

    async def stop(self) -> None:
        """Let attempts under way end, for a while, and give back the leases of the others."""
        tasks = [task for tasks in self._under_way.values() for task in tasks.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(InnoError):
            async with self._database.write() as connection:
                await deliveries.give_back(connection, self._id)

    async def _pause(self) -> None:
        """Wait for a while, or until an attempt under way has ended."""
        # Not wait_for, which before Python 3.12 may lose a cancellation that comes just then.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        self._wake.clear()

    async def _look(self) -> None:
        """Take up what is due, if the store was written to, or has not been asked for a while."""
        now = self._clock()
        if 0 <= now - self._looked_at < LOOK_SECONDS and self._database.is_still(self._seen):
            return
        version = self._database.version()
        await self._take_up()
        self._seen, self._looked_at = version, now

    async def _take_up(self) -> None:
        rooms = {lane: most - len(self._under_way[lane]) for lane, most in LANES.items()}
        async with self._database.read() as connection:
            open_lanes = [lane for lane, room in rooms.items() if room > 0]
            ready = await deliveries.lanes_with_work(connection, open_lanes, self._clock())
        for lane in ready:
            await self._fill(lane, min(rooms[lane], MOST_LEASED))

    async def _fill(self, lane: Lane, room: int) -> None:
        now = self._clock()
        async with self._database.write() as connection:
            leased = await deliveries.lease(
                connection,
                self._id,
                lane,
                now=now,
                ends=now + LEASE_SECONDS,
                most=room,
                besides=self._ids_under_way(),
            )
        for delivery in leased:
            self._under_way[lane][delivery.id] = asyncio.create_task(self._make(lane, delivery))

    def _ids_under_way(self) -> list[str]:
        return [delivery_id for tasks in self._under_way.values() for delivery_id in tasks]

    async def _renew(self) -> None:
        """Keep the leases of attempts under way."""
        ids = self._ids_under_way()
        if ids:
            async with self._database.write() as connection:
                await deliveries.renew(connection, self._id, ids, self._clock() + LEASE_SECONDS)

    async def _make(self, lane: Lane, delivery: Leased) -> None:
        """Make an attempt and conclude it, however long the store takes to hear of it."""
        try:
            attempt, answer = await self._attempt(delivery)
            while True:
                try:
                    await self._conclude(delivery, attempt, answer)
                    return
                except InnoError as error:
                    log.warning("the end of a delivery waits", delivery=delivery.id, why=str(error))
                await asyncio.sleep(RETRY_SECONDS)
        except Exception as error:
            # Its lease ends, and the next attempt may do better.
            log.error("a delivery broke", delivery=delivery.id, exc_info=error)
        finally:
            del self._under_way[lane][delivery.id]
            self._wake.set()

    async def _attempt(self, delivery: Leased) -> tuple[AttemptRecord, Answer]:
        now, started = self._clock(), time.monotonic()
        sent: dict[str, str] = {}
        try:
            secrets, own = self._opened(delivery, now)
        except ConfigError:
            log.error("an endpoint's secret cannot be opened", endpoint=delivery.endpoint_id)
            answer = Answer(error="the endpoint's secret was sealed under another secret of this server")
        else:
            sent, answer = await self._send(delivery, now, secrets, own)
            if answer.status in WRONG_SIGNATURE and len(secrets) > 1:
                sent, answer = await self._send(delivery, now, secrets[::-1], own)
        attempt = AttemptRecord(
            number=delivery.attempts + 1,
            at=now,
            duration_ms=round((time.monotonic() - started) * 1000, 3),
            request_headers=sent,
            status=answer.status,
            response_headers=None if answer.status is None else answer.headers,
            response_body=answer.body,
            error=answer.error,
        )
        return attempt, answer

    def _opened(self, delivery: Leased, now: float) -> tuple[list[str], dict[str, str]]:
        """The secrets that sign, the new one first, and the endpoint's own headers."""
        sealed = [delivery.sealed_secret]
        overlap_ends = delivery.previous_secret_ends_at
        if delivery.sealed_previous_secret is not None and overlap_ends is not None and now < overlap_ends:
            sealed.append(delivery.sealed_previous_secret)
        purpose = sealed_for("secret", delivery.endpoint_id)
        secrets = [self._secrets.open(each, purpose).decode() for each in sealed]
        headers = self._secrets.open(delivery.sealed_headers, sealed_for("headers", delivery.endpoint_id))
        return secrets, json.loads(headers)

    async def _send(
        self, delivery: Leased, now: float, secrets: Sequence[str], own: Mapping[str, str]
    ) -> tuple[dict[str, str], Answer]:
        """Send a delivery, and give its headers as the log keeps them too."""
        body = delivery.body.encode()
        signed = {
            "content-type": CONTENT_TYPE,
            "user-agent": USER_AGENT,
            **signing.signed_headers(delivery.event_id, body, int(now), secrets),
        }
        fields = [*signed.items(), *own.items()]
        answer = await post(delivery.url, fields, body, seconds=self._seconds, allowed=self._allowed)
        return {**signed, **dict.fromkeys(own, HIDDEN)}, answer

    async def _conclude(self, delivery: Leased, attempt: AttemptRecord, answer: Answer) -> None:
        async with self._concluding, self._database.write() as connection:
            if answer.succeeded:
                await self._conclude_success(connection, delivery, attempt)
            else:
                await self._conclude_failure(connection, delivery, attempt, answer)

    async def _conclude_success(
        self, connection: AsyncConnection, delivery: Leased, attempt: AttemptRecord
    ) -> None:
        await webhooks.recovered(connection, delivery.endpoint_id)
        await deliveries.conclude(
            connection,
            delivery.id,
            self._id,
            attempt,
            state="succeeded",
            next_attempt_at=None,
            now=self._clock(),
        )

    async def _conclude_failure(
        self, connection: AsyncConnection, delivery: Leased, attempt: AttemptRecord, answer: Answer
    ) -> None:
        """Plan the next attempt, and disable an endpoint that will take none."""
        now = self._clock()
        # First, as whoever changes an endpoint does: to disable it refers to the account's row.
        await accounts.lock(connection, delivery.account_id)
        endpoint = await webhooks.hold(connection, delivery.endpoint_id, delivery.account_id)
        if endpoint is None:
            # Deleted meanwhile, and its deliveries with it.
            return
        since = now if endpoint.failing_since is None else endpoint.failing_since
        is_gone = answer.status == GONE_STATUS
        retry_after = retries.asked_for(answer.status, answer.headers, now)
        again = retries.next_attempt(attempt.number, now, self._chance(), retry_after)
        concluded = await deliveries.conclude(
            connection,
            delivery.id,
            self._id,
            attempt,
            state="failed" if is_gone or again is None else "pending",
            next_attempt_at=None if is_gone else again,
            now=now,
        )
        if not concluded or endpoint.disabled:
            return
        if is_gone:
            await _disable(connection, endpoint, GONE, since, now)
        elif now - since >= GIVE_UP_SECONDS:
            await _disable(connection, endpoint, FAILING, since, now)
        elif endpoint.failing_since is None:
            await webhooks.change(connection, endpoint.id, {"failing_since": since})


async def _disable(
    connection: AsyncConnection, endpoint: EndpointRecord, because: str, since: float, now: float
) -> None:
    """Send no more to an endpoint, and tell the account's others."""
    before = {"disabled": False, "disabled_because": None}
    after = {"disabled": True, "disabled_because": because}
    await webhooks.change(connection, endpoint.id, {**after, "failing_since": since, "updated_at": now})
    told = {"id": endpoint.id, "url": endpoint.url, "because": because, "failing_since": instant(since)}
    await journal.record(
        connection,
        endpoint.account_id,
        "webhook.endpoint_disabled",
        actor=journal.SYSTEM,
        now=now,
        target_id=endpoint.id,
        before=before,
        after=after,
        event=told,
    )
