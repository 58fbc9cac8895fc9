"""/v1/customers: the account's own end customers, by the ids that the account gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.exc import IntegrityError

from innoai.access.scopes import BILLING_WRITE, grants
from innoai.api import rates, revocations
from innoai.api.actors import actor_of
from innoai.api.admission import Caller, Inside
from innoai.api.idempotency import create_once
from innoai.api.money import Budgets, SetBudgets, budgets_by_subject, budgets_of, set_budgets
from innoai.api.objects import Customer, show_customer
from innoai.api.rates import RateLimit
from innoai.api.services import Services
from innoai.api.wire import (
    PRINTABLE,
    JsonRequest,
    Limit,
    Name,
    Page,
    Search,
    answer,
    as_shown,
    cursor_of,
    cut,
    decode_json,
    json_body,
    read_body,
    read_query,
)
from innoai.auth.shapes import CustomerId
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.events import journal
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, budgets, customers
from innoai.store.customers import CustomerRecord

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.principal import Account
    from innoai.events.journal import Actor

# Receivers of events refuse to read __proto__, since it would change what an object is.
MetadataKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=PRINTABLE.replace("^", r"^(?!__proto__$)", 1),
        extra={"expected": "text on one line, without control characters, and not __proto__"},
    ),
]
MetadataValue = Annotated[
    str, Meta(max_length=512, pattern=r"^[^\x00]*$", extra={"expected": "text without NUL"})
]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue], Meta(max_length=50, description="the account's own notes, text to text")
]


class CreateCustomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer to create."""

    customer_id: CustomerId
    name: Name | None = None
    metadata: Metadata | None = None
    rate_limit: RateLimit | None = None
    budgets: SetBudgets | None = None


class ChangeCustomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; a member that is left out stays as it is, null removes a name or a limit."""

    name: Name | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
    disabled: Annotated[bool, Meta(description="whether its keys and tokens are refused")] | UnsetType = UNSET
    rate_limit: RateLimit | UnsetType | None = UNSET
    budgets: SetBudgets | UnsetType = UNSET


class CustomerQuery(msgspec.Struct, frozen=True):
    """Which customers to list, newest first."""

    limit: Limit = 20
    cursor: Annotated[str, cursor_of("cus")] | None = None
    search: Annotated[Search, Meta(description="part of the customer_id or the name, in any case")] | None = (
        None
    )


class CustomerPage(Page, frozen=True, kw_only=True):
    """A page of customers."""

    data: list[Customer]


@post("/v1/customers", status_code=201)
async def add_customer(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Create a customer."""
    content = await json_body(request)
    wanted = decode_json(content, CreateCustomer)
    if caller.principal.customer is not None:
        raise InnoError(
            "insufficient_permissions", "A customer's own credential cannot create customers. Use a key."
        )
    if wanted.budgets is not None:
        _ask_for_billing(caller)
    account = caller.principal.account
    actor = actor_of(request, caller)

    async def create(connection: AsyncConnection) -> bytes:
        return msgspec.json.encode(await create_customer(services, connection, account, wanted, actor))

    try:
        created = await create_once(services, request, caller, content, create)
    except IntegrityError:
        raise InnoError(
            "conflict",
            "A customer with that customer_id exists. Change it by PATCH, or choose another id.",
            param="customer_id",
        ) from None
    await services.heed_changes()
    return answer(created, 201)


@get("/v1/customers")
async def list_customers(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """List customers, newest first; a customer's token sees its own customer alone."""
    query = read_query(request, CustomerQuery)
    own = caller.principal.customer
    async with services.database.read() as connection:
        found = await customers.page(
            connection,
            caller.principal.account.id,
            limit=query.limit + 1,
            before=query.cursor,
            only=None if own is None else own.id,
            search=query.search,
        )
        shown, next_cursor = cut(found, query.limit, lambda record: record.id)
        budgets_of_customer = await budgets_by_subject(connection, [record.id for record in shown])
    return answer(
        CustomerPage(
            data=[show_customer(record, budgets_of_customer[record.id]) for record in shown],
            next_cursor=next_cursor,
        )
    )


@get("/v1/customers/{customer_id:str}")
async def get_customer(customer_id: str, services: Inside, caller: Caller) -> Response[bytes]:
    """Show one customer."""
    async with services.database.read() as connection:
        shown = await _show(connection, await _visible(connection, customer_id, caller))
    return answer(shown)


@patch("/v1/customers/{customer_id:str}")
async def change_customer(
    customer_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Change a customer; once disabled, its keys and tokens are refused from the answer on."""
    wanted = await read_body(request, ChangeCustomer)
    account = caller.principal.account
    _keep_from_customers(caller, wanted)
    if wanted.budgets is not UNSET:
        _ask_for_billing(caller)
    values = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    values.pop("budgets", None)
    rates.within(services.tiers[account.tier], values.get("rate_limit"))
    async with services.database.write() as connection:
        await accounts.lock(connection, account.id)
        record = await _visible(connection, customer_id, caller)
        before = await _show(connection, record)
        now = services.clock()
        values = {name: value for name, value in values.items() if value != getattr(record, name)}
        if wanted.budgets is not UNSET:
            await set_budgets(connection, account.id, record.id, wanted.budgets, now)
        after = await _show(connection, record)
        if values or after.budgets != before.budgets:
            await customers.change(connection, record.id, values, now)
            after = await _show(connection, await _visible(connection, customer_id, caller))
            await journal.record(
                connection,
                account.id,
                "customer.updated",
                actor=actor_of(request, caller),
                now=now,
                target_id=record.id,
                before=as_shown(before),
                after=as_shown(after),
            )
    await services.heed_changes()
    return answer(after)


@delete("/v1/customers/{customer_id:str}", status_code=204)
async def delete_customer(customer_id: str, request: JsonRequest, services: Inside, caller: Caller) -> None:
    """Delete a customer; its tokens and the keys bound to it end with it, its usage records stay."""
    account = caller.principal.account
    actor = actor_of(request, caller)
    async with services.database.write() as connection:
        await accounts.lock(connection, account.id)
        record = await _visible(connection, customer_id, caller)
        shown = await _show(connection, record)
        if caller.principal.customer is not None:
            _keep_bounds(shown)
        deleted = as_shown(shown)
        now = services.clock()
        for key in await customers.remove(connection, record.id, now):
            await revocations.record(connection, key, services.tiers[account.tier], actor, now)
        await journal.record(
            connection,
            account.id,
            "customer.deleted",
            actor=actor,
            now=now,
            target_id=record.id,
            before=deleted,
            event=deleted,
        )
    await services.heed_changes()


async def create_customer(
    services: Services, connection: AsyncConnection, account: Account, wanted: CreateCustomer, actor: Actor
) -> Customer:
    """Add a customer within the caller's transaction, and record it.

    Raises:
        InnoError: conflict when the tier allows no more, invalid_request when it allows no such rate.
        IntegrityError: the account has one of that customer_id.
    """
    tier = services.tiers[account.tier]
    rates.within(tier, wanted.rate_limit)
    await accounts.lock(connection, account.id)
    most = tier.max_customers
    if most is not None and await customers.count(connection, account.id) >= most:
        raise InnoError("conflict", f"The account has {most} customers, as many as tier {tier.name} allows.")
    now = services.clock()
    record = CustomerRecord(
        id=fresh_id("cus"),
        account_id=account.id,
        customer_id=wanted.customer_id,
        created_at=now,
        updated_at=now,
        name=wanted.name,
        metadata=wanted.metadata or {},
        rate_limit=wanted.rate_limit,
    )
    await customers.create(connection, record)
    await set_budgets(connection, account.id, record.id, wanted.budgets or SetBudgets(), now)
    created = await _show(connection, record)
    await journal.record(
        connection,
        account.id,
        "customer.created",
        actor=actor,
        now=now,
        target_id=record.id,
        after=as_shown(created),
    )
    return created


async def customer_or_create(
    services: Services, connection: AsyncConnection, account: Account, customer_id: str, actor: Actor
) -> str:
    """Our own id of the account's customer of that id, created when it is new and that is allowed.

    Raises:
        InnoError: not_found when customers are not created by themselves.
    """
    record = await customers.find(connection, account.id, customer_id)
    if record is not None:
        return record.id
    if not services.settings.customers.auto_create:
        raise InnoError(
            "not_found",
            "No customer has that customer_id. Create it by POST /v1/customers.",
            param="customer_id",
        )
    return (await create_customer(services, connection, account, CreateCustomer(customer_id), actor)).id


def _keep_from_customers(caller: Admission, wanted: ChangeCustomer) -> None:
    """Refuse that a customer's own credential says what its bounds are."""
    if caller.principal.customer is None:
        return
    for name in ("disabled", "rate_limit", "budgets"):
        if getattr(wanted, name) is not UNSET:
            raise InnoError(
                "insufficient_permissions", f"A customer's own credential cannot set {name}. Use a key."
            )


def _keep_bounds(shown: Customer) -> None:
    """Refuse that a customer's own credential deletes it and so its bounds: the next token makes it anew."""
    if shown.rate_limit is not None or shown.budgets != Budgets(None, None):
        raise InnoError(
            "insufficient_permissions",
            "A customer's own credential cannot delete one that has a rate_limit or budgets. Use a key.",
        )


def _ask_for_billing(caller: Admission) -> None:
    """Budgets are money: who sets them needs the scope for that as well."""
    if not grants(caller.principal.scopes, BILLING_WRITE):
        raise InnoError("insufficient_permissions", required_scope=BILLING_WRITE)


async def _visible(connection: AsyncConnection, customer_id: str, caller: Admission) -> CustomerRecord:
    record = await customers.find(connection, caller.principal.account.id, customer_id)
    own = caller.principal.customer
    if record is None or (own is not None and own.id != record.id):
        raise InnoError("not_found", "No customer has that customer_id. GET /v1/customers lists them.")
    return record


async def _show(connection: AsyncConnection, record: CustomerRecord) -> Customer:
    return show_customer(record, budgets_of(await budgets.of(connection, record.id)))
