"""/v1/customers: the account's own end customers, by the ids that the account gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.exc import IntegrityError

from innoai.api.admission import Caller, Inside
from innoai.api.idempotency import create_once
from innoai.api.services import Services
from innoai.api.wire import (
    PRINTABLE,
    CustomerId,
    Instant,
    JsonRequest,
    Limit,
    Name,
    Page,
    answer,
    decode_json,
    instant,
    json_body,
    read_body,
    read_query,
)
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, customers
from innoai.store.customers import CustomerRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.principal import Account

MetadataKey = Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
MetadataValue = Annotated[str, Meta(max_length=512, pattern=r"^[^\x00]*$")]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue], Meta(max_length=50, description="the account's own notes, text to text")
]


class CreateCustomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A customer to create."""

    customer_id: CustomerId
    name: Name | None = None
    metadata: Metadata | None = None


class ChangeCustomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; a member that is left out stays as it is."""

    name: Name | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
    disabled: Annotated[bool, Meta(description="whether its keys and tokens are refused")] | UnsetType = UNSET


class CustomerQuery(msgspec.Struct, frozen=True):
    """Which customers to list, newest first."""

    limit: Limit = 20
    cursor: Annotated[str, Meta(pattern="^cus_[0-9A-Za-z]{22}$", description="from next_cursor")] | None = (
        None
    )


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer: `id` is this server's, `customer_id` the account's own."""

    id: str
    object: Literal["customer"] = "customer"
    customer_id: str
    name: str | None
    metadata: dict[str, str]
    disabled: bool
    created_at: Instant
    updated_at: Instant


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
    account = caller.principal.account

    async def create(connection: AsyncConnection) -> bytes:
        record = await create_customer(
            services, connection, account, wanted.customer_id, wanted.name, wanted.metadata or {}
        )
        return msgspec.json.encode(_show(record))

    try:
        created = await create_once(services, request, account.id, content, create)
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
        )
    shown = found[: query.limit]
    return answer(
        CustomerPage(
            data=[_show(record) for record in shown],
            next_cursor=shown[-1].id if len(found) > query.limit else None,
        )
    )


@get("/v1/customers/{customer_id:str}")
async def get_customer(customer_id: str, services: Inside, caller: Caller) -> Response[bytes]:
    """Show one customer."""
    async with services.database.read() as connection:
        record = await _visible(connection, customer_id, caller)
    return answer(_show(record))


@patch("/v1/customers/{customer_id:str}")
async def change_customer(
    customer_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Change a customer; once disabled, its keys and tokens are refused from the answer on."""
    wanted = await read_body(request, ChangeCustomer)
    if wanted.disabled is not UNSET and caller.principal.customer is not None:
        raise InnoError(
            "insufficient_permissions", "A customer's own credential cannot set disabled. Use a key."
        )
    values = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    async with services.database.write() as connection:
        record = await _visible(connection, customer_id, caller)
        if values:
            await customers.change(connection, record.id, values, services.clock())
            record = await _visible(connection, customer_id, caller)
    await services.heed_changes()
    return answer(_show(record))


@delete("/v1/customers/{customer_id:str}", status_code=204)
async def delete_customer(customer_id: str, services: Inside, caller: Caller) -> None:
    """Delete a customer; its tokens and the keys bound to it end with it, its usage records stay."""
    async with services.database.write() as connection:
        record = await _visible(connection, customer_id, caller)
        await customers.remove(connection, record.id, services.clock())
    await services.heed_changes()


async def create_customer(
    services: Services,
    connection: AsyncConnection,
    account: Account,
    customer_id: str,
    name: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> CustomerRecord:
    """Add a customer within the caller's transaction.

    Raises:
        InnoError: conflict when the tier allows no more.
        IntegrityError: the account has one of that customer_id.
    """
    tier = services.tiers[account.tier]
    await accounts.lock(connection, account.id)
    most = tier.max_customers
    if most is not None and await customers.count(connection, account.id) >= most:
        raise InnoError("conflict", f"The account has {most} customers, as many as tier {tier.name} allows.")
    now = services.clock()
    record = CustomerRecord(fresh_id("cus"), account.id, customer_id, now, now, name, metadata or {})
    await customers.create(connection, record)
    return record


async def customer_or_create(
    services: Services, connection: AsyncConnection, account: Account, customer_id: str
) -> CustomerRecord:
    """The account's customer of that id, created when it is new and that is allowed.

    Raises:
        InnoError: not_found when customers are not created by themselves.
    """
    record = await customers.find(connection, account.id, customer_id)
    if record is not None:
        return record
    if not services.settings.customers.auto_create:
        raise InnoError(
            "not_found",
            "No customer has that customer_id. Create it by POST /v1/customers.",
            param="customer_id",
        )
    return await create_customer(services, connection, account, customer_id)


async def _visible(connection: AsyncConnection, customer_id: str, caller: Admission) -> CustomerRecord:
    record = await customers.find(connection, caller.principal.account.id, customer_id)
    own = caller.principal.customer
    if record is None or (own is not None and own.id != record.id):
        raise InnoError("not_found", "No customer has that customer_id. GET /v1/customers lists them.")
    return record


def _show(record: CustomerRecord) -> Customer:
    return Customer(
        id=record.id,
        customer_id=record.customer_id,
        name=record.name,
        metadata=dict(record.metadata),
        disabled=record.disabled,
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
    )
