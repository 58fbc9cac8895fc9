"""The control plane as attributes of a client, sync and async: `client.keys.create(…)`.

Nearly every method is made from its function in `calls`, which holds its signature and documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from innoai.sdk.audit import BrokenLink, Chain, Head, Verified, read
from innoai.sdk.audit import verify as verify_chain
from innoai.sdk.calls import audit, auth, billing, customers, keys, members, requests, webhooks
from innoai.sdk.methods import (
    AsyncResource,
    Resource,
    awaits,
    calls,
    downloads,
    downloads_async,
    fetch_page,
    lists,
    pages,
)
from innoai.sdk.pages import AsyncAuditPage, AsyncUsagePage, AuditPage, UsagePage
from innoai.sdk.streams import AsyncEventStream, AsyncRequestStream, EventStream, RequestStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from openai._base_client import AsyncPaginator

    from innoai.sdk.calls.audit import AuditFilter, AuditPages
    from innoai.sdk.calls.billing import GroupName, UsagePages
    from innoai.sdk.calls.call import Call
    from innoai.sdk.models.audit import AuditEntry, AuditHead
    from innoai.sdk.models.billing import UsageBucket, UsageRecord
    from innoai.sdk.models.webhooks import Event
    from innoai.sdk.streams import Lost


class Auth(Resource):
    """Tokens, and what a credential is worth."""

    token = calls(auth.token)
    refresh = calls(auth.refresh)
    validate = calls(auth.validate)
    revoke = calls(auth.revoke_token)
    introspect = calls(auth.introspect)
    explain = calls(auth.explain)


class Keys(Resource):
    """The account's API keys."""

    create = calls(keys.create_key)
    list = lists(keys.list_keys)
    get = calls(keys.get_key)
    update = calls(keys.update_key)
    rotate = calls(keys.rotate_key)
    report_leak = calls(keys.report_leak)
    revoke = calls(keys.revoke_key)
    activity = calls(keys.key_activity)
    advice = calls(keys.key_advice)
    preview = calls(keys.preview_key)


class Requests(Resource):
    """The account's requests as they happen, and its last refusals: of the server that answers."""

    refusals = lists(requests.list_refusals)

    def stream(
        self, *, key_id: str | None = None, only: Literal["refused"] | None = None, lost: Lost | None = None
    ) -> RequestStream:
        """Requests as they are decided and finished; a lost connection is made again, with a gap.

        only: `refused` leaves out what is admitted. lost: told each time that the connection is lost, with
        the seconds until the next attempt.
        """
        call = requests.stream_requests(key_id=key_id, only=only)
        return RequestStream(EventStream(self._client, lambda _: call, None, lost))


class Customers(Resource):
    """The account's end customers."""

    create = calls(customers.create_customer)
    list = lists(customers.list_customers)
    get = calls(customers.get_customer)
    update = calls(customers.update_customer)
    delete = calls(customers.delete_customer)


class Members(Resource):
    """The people of the account."""

    create = calls(members.create_member)
    list = lists(members.list_members)
    get = calls(members.get_member)
    update = calls(members.update_member)
    delete = calls(members.delete_member)


class Billing(Resource):
    """What was used, what it cost, and what may be spent."""

    @overload
    def usage(self, *, group_by: None = None, **which: Unpack[UsagePages]) -> UsagePage[UsageRecord]: ...

    @overload
    def usage(
        self, *, group_by: Sequence[GroupName], **which: Unpack[UsagePages]
    ) -> UsagePage[UsageBucket]: ...

    def usage(self, *, group_by: Sequence[GroupName] | None = None, **which: Unpack[UsagePages]) -> Any:
        """The usage of a time: records, the newest first, or with group_by sums of whole hours, ascending.

        from_, to: by default from the start of the month until now. limit: items a page, 1-100; iterating
        the page walks the following ones too.
        """
        return fetch_page(self._client, billing.usage(group_by, **which), UsagePage)

    usage_csv = downloads(billing.usage_csv)
    top = lists(billing.top)
    summary = calls(billing.summary)
    settings = calls(billing.settings)
    update_settings = calls(billing.update_settings)
    statements = lists(billing.statements)
    statements_csv = downloads(billing.statements_csv)
    statement = calls(billing.statement)
    statement_csv = downloads(billing.statement_csv)


class Webhooks(Resource):
    """Where events are sent, what became of them, and the events themselves."""

    create = calls(webhooks.create_endpoint)
    list = lists(webhooks.list_endpoints)
    get = calls(webhooks.get_endpoint)
    update = calls(webhooks.update_endpoint)
    delete = calls(webhooks.delete_endpoint)
    rotate_secret = calls(webhooks.rotate_secret)
    test = calls(webhooks.send_test)
    replay = calls(webhooks.replay_failed)
    event_types = lists(webhooks.event_types)
    deliveries = lists(webhooks.list_deliveries)
    delivery = calls(webhooks.get_delivery)
    replay_delivery = calls(webhooks.replay_delivery)

    def stream(
        self,
        *,
        event_types: Sequence[str] | None = None,
        last_event_id: str | None = None,
        lost: Lost | None = None,
    ) -> EventStream:
        """The account's events as they happen; a lost connection is made again, and misses none.

        event_types: `key.created`, `key.*`; by default all. last_event_id: begin behind that event. lost:
        told each time that the connection is lost, with the seconds until the next attempt.
        """

        def call_from(behind: str | None) -> Call[Event]:
            return webhooks.stream_events(event_types=event_types, last_event_id=behind)

        return EventStream(self._client, call_from, last_event_id, lost)


class Audit(Resource):
    """The audit log: what was done, by whom, and from where."""

    def list(self, **which: Unpack[AuditPages]) -> AuditPage[AuditEntry]:
        """The entries, the newest first. limit: entries a page, 1-100; iterating walks all pages."""
        page: AuditPage[AuditEntry] = fetch_page(self._client, audit.list_entries(**which), AuditPage)
        return page

    def export(self, **which: Unpack[AuditFilter]) -> Iterator[dict[str, Any]]:
        """All entries, the oldest first, each as the JSON object that its hash covers."""
        return map(read, self.export_jsonl(**which).lines())

    export_jsonl = downloads(audit.export_entries)

    def verify(self, *, heads: Iterable[Head] = ()) -> Verified | BrokenLink:
        """Whether the whole log fits together, up to what the server calls its head.

        heads: of earlier verifications, which the log has to pass through as well.
        """
        head = _head(self.list(limit=1).head)
        return verify_chain(self.export(), heads=[head, *heads])


class AsyncAuth(AsyncResource):
    """Tokens, and what a credential is worth."""

    token = awaits(auth.token)
    refresh = awaits(auth.refresh)
    validate = awaits(auth.validate)
    revoke = awaits(auth.revoke_token)
    introspect = awaits(auth.introspect)
    explain = awaits(auth.explain)


class AsyncKeys(AsyncResource):
    """The account's API keys."""

    create = awaits(keys.create_key)
    list = pages(keys.list_keys)
    get = awaits(keys.get_key)
    update = awaits(keys.update_key)
    rotate = awaits(keys.rotate_key)
    report_leak = awaits(keys.report_leak)
    revoke = awaits(keys.revoke_key)
    activity = awaits(keys.key_activity)
    advice = awaits(keys.key_advice)
    preview = awaits(keys.preview_key)


class AsyncRequests(AsyncResource):
    """The account's requests as they happen, and its last refusals: of the server that answers."""

    refusals = pages(requests.list_refusals)

    def stream(
        self, *, key_id: str | None = None, only: Literal["refused"] | None = None, lost: Lost | None = None
    ) -> AsyncRequestStream:
        """Requests as they are decided and finished; a lost connection is made again, with a gap.

        only: `refused` leaves out what is admitted. lost: told each time that the connection is lost, with
        the seconds until the next attempt.
        """
        call = requests.stream_requests(key_id=key_id, only=only)
        return AsyncRequestStream(AsyncEventStream(self._client, lambda _: call, None, lost))


class AsyncCustomers(AsyncResource):
    """The account's end customers."""

    create = awaits(customers.create_customer)
    list = pages(customers.list_customers)
    get = awaits(customers.get_customer)
    update = awaits(customers.update_customer)
    delete = awaits(customers.delete_customer)


class AsyncMembers(AsyncResource):
    """The people of the account."""

    create = awaits(members.create_member)
    list = pages(members.list_members)
    get = awaits(members.get_member)
    update = awaits(members.update_member)
    delete = awaits(members.delete_member)


class AsyncBilling(AsyncResource):
    """What was used, what it cost, and what may be spent."""

    @overload
    def usage(
        self, *, group_by: None = None, **which: Unpack[UsagePages]
    ) -> AsyncPaginator[UsageRecord, AsyncUsagePage[UsageRecord]]: ...

    @overload
    def usage(
        self, *, group_by: Sequence[GroupName], **which: Unpack[UsagePages]
    ) -> AsyncPaginator[UsageBucket, AsyncUsagePage[UsageBucket]]: ...

    def usage(self, *, group_by: Sequence[GroupName] | None = None, **which: Unpack[UsagePages]) -> Any:
        """The usage of a time: records, the newest first, or with group_by sums of whole hours, ascending.

        from_, to: by default from the start of the month until now. limit: items a page, 1-100; iterating
        the page walks the following ones too.
        """
        return fetch_page(self._client, billing.usage(group_by, **which), AsyncUsagePage)

    usage_csv = downloads_async(billing.usage_csv)
    top = pages(billing.top)
    summary = awaits(billing.summary)
    settings = awaits(billing.settings)
    update_settings = awaits(billing.update_settings)
    statements = pages(billing.statements)
    statements_csv = downloads_async(billing.statements_csv)
    statement = awaits(billing.statement)
    statement_csv = downloads_async(billing.statement_csv)


class AsyncWebhooks(AsyncResource):
    """Where events are sent, what became of them, and the events themselves."""

    create = awaits(webhooks.create_endpoint)
    list = pages(webhooks.list_endpoints)
    get = awaits(webhooks.get_endpoint)
    update = awaits(webhooks.update_endpoint)
    delete = awaits(webhooks.delete_endpoint)
    rotate_secret = awaits(webhooks.rotate_secret)
    test = awaits(webhooks.send_test)
    replay = awaits(webhooks.replay_failed)
    event_types = pages(webhooks.event_types)
    deliveries = pages(webhooks.list_deliveries)
    delivery = awaits(webhooks.get_delivery)
    replay_delivery = awaits(webhooks.replay_delivery)

    def stream(
        self,
        *,
        event_types: Sequence[str] | None = None,
        last_event_id: str | None = None,
        lost: Lost | None = None,
    ) -> AsyncEventStream:
        """The account's events as they happen; a lost connection is made again, and misses none.

        event_types: `key.created`, `key.*`; by default all. last_event_id: begin behind that event. lost:
        told each time that the connection is lost, with the seconds until the next attempt.
        """

        def call_from(behind: str | None) -> Call[Event]:
            return webhooks.stream_events(event_types=event_types, last_event_id=behind)

        return AsyncEventStream(self._client, call_from, last_event_id, lost)


class AsyncAudit(AsyncResource):
    """The audit log: what was done, by whom, and from where."""

    def list(self, **which: Unpack[AuditPages]) -> AsyncPaginator[AuditEntry, AsyncAuditPage[AuditEntry]]:
        """The entries, the newest first. limit: entries a page, 1-100; iterating walks all pages."""
        paginator: AsyncPaginator[AuditEntry, AsyncAuditPage[AuditEntry]] = fetch_page(
            self._client, audit.list_entries(**which), AsyncAuditPage
        )
        return paginator

    async def export(self, **which: Unpack[AuditFilter]) -> AsyncIterator[dict[str, Any]]:
        """All entries, the oldest first, each as the JSON object that its hash covers."""
        download = await self.export_jsonl(**which)
        async for line in download.lines():
            yield read(line)

    export_jsonl = downloads_async(audit.export_entries)

    async def verify(self, *, heads: Iterable[Head] = ()) -> Verified | BrokenLink:
        """Whether the whole log fits together, up to what the server calls its head.

        heads: of earlier verifications, which the log has to pass through as well.
        """
        chain = Chain([_head((await self.list(limit=1)).head), *heads])
        async for entry in self.export():
            broken = chain.take(entry)
            if broken is not None:
                return broken
        return chain.end()


def _head(named: AuditHead) -> Head:
    return Head(named.sequence, named.hash)
