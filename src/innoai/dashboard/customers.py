"""/customers: the account's own customers are listed, made, looked at, changed, disabled and deleted."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post

from innoai.access.scopes import ADMIN_FULL, BILLING_READ, BILLING_WRITE, CUSTOMERS_DELETE, CUSTOMERS_WRITE
from innoai.dashboard import customer_forms, edits
from innoai.dashboard.cookies import new_token
from innoai.dashboard.refusals import about_a_field
from innoai.dashboard.visit import Here, Visit
from innoai.errors import InnoError, Refusal

LIST = "/customers"
NEW = "/new-customer"
"""Beside the customers and not among them: `new` may be a customer's id."""

ONE = f"{LIST}/{{customer_id:str}}"
PER_PAGE = 25
KEYS_SHOWN = 10
_API = "/v1/customers/{customer_id}"


@get(LIST)
async def show_list(here: Here) -> Response[bytes]:
    """Show the customers, newest first."""
    search, cursor = here.query("search")[:200], here.query("cursor")
    page = await here.get("/v1/customers", limit=PER_PAGE, search=search, cursor=cursor)
    kept = {"search": search} if search else {}
    return here.page(
        "customers/list.html",
        customers=page["data"],
        **here.further(LIST, page, **kept),
        search=search,
    )


@get(NEW)
async def show_form(here: Here) -> Response[bytes]:
    """Show the form of a new customer."""
    here.require(CUSTOMERS_WRITE)
    return _form(here, dict(customer_forms.EMPTY), {}, None)


@post(LIST, status_code=200)
async def create(here: Here) -> Response[Any]:
    """Make the customer; sent a second time, the same form makes no second one."""
    form = here.form
    try:
        made = await here.post("/v1/customers", customer_forms.creation(form), once=form.text("once")[:64])
    except InnoError as error:
        return _form(here, customer_forms.typed_values(form), {}, error.refusal)
    return here.redirect(here.local(ONE, customer_id=made["customer_id"]), notice="customer-created")


@get(ONE)
async def show_customer(customer_id: str, here: Here) -> Response[Any]:
    """Show a customer, what it has used this month, and its keys."""
    try:
        customer = await here.get(_API, customer_id=customer_id)
    except InnoError:
        if customer_id == "new":
            # Where the form once was.
            return here.redirect(NEW)
        raise
    summary = keys = None
    if here.may(BILLING_READ):
        summary = await here.get("/v1/billing/summary", customer_id=customer_id)
    if here.may(ADMIN_FULL):
        keys = (await here.get("/v1/keys", customer_id=customer_id, limit=KEYS_SHOWN))["data"]
    return here.page("customers/customer.html", customer=customer, summary=summary, keys=keys)


@get(f"{ONE}/edit")
async def show_edit(customer_id: str, here: Here) -> Response[bytes]:
    """Show the form of a customer that is to be changed."""
    here.require(CUSTOMERS_WRITE)
    customer = await here.get(_API, customer_id=customer_id)
    values = customer_forms.values_of(customer)
    return _form(here, values, values, None, customer=customer)


@post(ONE, status_code=200)
async def edit(customer_id: str, here: Here) -> Response[Any]:
    """Change of the customer what was changed in the form."""
    customer = await here.get(_API, customer_id=customer_id)
    shown = edits.shown_by(here.form, customer_forms.values_of(customer))
    try:
        await here.patch(_API, customer_forms.change(here.form, shown, customer), customer_id=customer_id)
    except InnoError as error:
        return _form(here, customer_forms.typed_values(here.form), shown, error.refusal, customer=customer)
    return here.redirect(here.local(ONE, customer_id=customer_id), notice="customer-changed")


@post(f"{ONE}/state", status_code=200)
async def switch(customer_id: str, here: Here) -> Response[Any]:
    """Disable the customer, or enable it again."""
    disabled = here.form.text("disabled") == "yes"
    await here.patch(_API, {"disabled": disabled}, customer_id=customer_id)
    notice = "customer-disabled" if disabled else "customer-enabled"
    return here.redirect(here.local(ONE, customer_id=customer_id), notice=notice)


@get(f"{ONE}/delete")
async def show_deletion(customer_id: str, here: Here) -> Response[bytes]:
    """Ask whether it is meant."""
    here.require(CUSTOMERS_DELETE)
    customer = await here.get(_API, customer_id=customer_id)
    return here.page("customers/delete.html", customer=customer, error=None)


@post(f"{ONE}/delete", status_code=200)
async def delete(customer_id: str, here: Here) -> Response[Any]:
    """Delete the customer, if its id was typed."""
    customer = await here.get(_API, customer_id=customer_id)
    if not here.form.repeats("confirmation", customer["customer_id"]):
        error = InnoError(
            "invalid_request", "Type the customer's id as it stands there.", param="confirmation"
        )
        return here.page("customers/delete.html", status=400, customer=customer, error=error.refusal)
    await here.delete(_API, customer_id=customer_id)
    return here.redirect(LIST, notice="customer-deleted")


async def is_known(here: Visit, customer_id: str) -> bool:
    """Whether there is such a customer, and the member may see it."""
    try:
        await here.get(_API, customer_id=customer_id)
    except InnoError:
        return False
    return True


def _form(
    here: Here,
    values: dict[str, str],
    shown: dict[str, str],
    error: Refusal | None,
    *,
    customer: dict[str, Any] | None = None,
) -> Response[bytes]:
    """The form, of a new customer or of one that is to be changed; what was refused is said in it.

    `values` stand in it now, `shown` is what it began with.
    """
    return here.page(
        "customers/form.html",
        current=LIST,
        status=200 if error is None else error.kind.status,
        customer=customer,
        values=values,
        shown=edits.as_field(shown),
        hidden_notes=[
            name
            for name, value in (customer["metadata"] if customer else {}).items()
            if not customer_forms.fits_a_line(name, value)
        ],
        error=about_a_field(error),
        fields=list(customer_forms.EMPTY),
        once=here.form.text("once")[:64] or new_token(),
        may_budget=here.may(BILLING_WRITE),
        currency=here.principal.account.currency,
        tier=here.inside.settings.tiers[here.principal.account.tier],
    )


HANDLERS = (
    show_list,
    show_form,
    create,
    show_customer,
    show_edit,
    edit,
    switch,
    show_deletion,
    delete,
)
