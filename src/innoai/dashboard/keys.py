"""/settings/api-keys: API keys are listed, made, looked at, changed, rotated and revoked."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post

from innoai.access.scopes import ADMIN_FULL, SCOPES
from innoai.dashboard import edits, key_activity, key_forms
from innoai.dashboard.cookies import new_token
from innoai.dashboard.customers import is_known
from innoai.dashboard.refusals import about_a_field
from innoai.dashboard.snippets import first_call
from innoai.dashboard.visit import Here, Visit
from innoai.errors import InnoError, Refusal

LIST = "/settings/api-keys"
PER_PAGE = 25
CUSTOMERS_OFFERED = 100
_FIELDS = ("scopes", "expires_at", *key_forms.empty_values())
"""What the form has a field for: what is refused about these is said beside it."""


@get(LIST)
async def show_list(here: Here) -> Response[bytes]:
    """Show the keys, newest first."""
    search, state = here.query("search")[:200], here.query("status")
    cursor = here.query("cursor")
    if state not in ("", "active", "expired", "revoked"):
        state = ""
    page = await here.get("/v1/keys", limit=PER_PAGE, search=search, status=state, cursor=cursor)
    kept = {name: value for name, value in (("search", search), ("status", state)) if value}
    return here.page(
        "keys/list.html",
        keys=page["data"],
        **here.further(LIST, page, **kept),
        search=search,
        state=state,
        is_filtered=bool(kept),
    )


@get(f"{LIST}/new")
async def show_form(here: Here) -> Response[bytes]:
    """Show the form of a new key."""
    here.require(ADMIN_FULL)
    values = {**key_forms.empty_values(), "customer_id": here.query("customer_id")[:128]}
    return await _form(here, values, values, None)


@post(LIST, status_code=200)
async def create(here: Here) -> Response[bytes]:
    """Make the key, and show it this once; sent a second time, the same form shows the same key."""
    form = here.form
    shown = edits.shown_by(form, key_forms.empty_values())
    try:
        body = key_forms.creation(form, shown, here.inside.clock())
        has_new_customer = bool(body["customer_id"]) and not await is_known(here, body["customer_id"])
        made = await here.post("/v1/keys", body, once=form.text("once")[:64])
    except InnoError as error:
        return await _form(here, key_forms.typed_values(form), shown, error.refusal)
    return _made(here, made, has_new_customer=has_new_customer)


@get(f"{LIST}/{{key_id:str}}")
async def show_key(key_id: str, here: Here) -> Response[bytes]:
    """Show a key."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    told = await key_activity.told_of(here, key)
    return here.page(
        "keys/key.html",
        key=key,
        predecessor=await _other(here, key["rotated_from"]),
        successor=await _other(here, key["rotated_to"]),
        scope_texts=SCOPES,
        **told,
    )


@get(f"{LIST}/{{key_id:str}}/edit")
async def show_edit(key_id: str, here: Here) -> Response[Any]:
    """Show the form of a key that is to be changed."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    if key["status"] == "revoked":
        return _nothing_to_do(here, key_id)
    values = key_forms.values_of(key, _tier_default(here))
    return await _form(here, values, values, None, key=key)


@post(f"{LIST}/{{key_id:str}}", status_code=200)
async def edit(key_id: str, here: Here) -> Response[Any]:
    """Change of the key what was changed in the form."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    shown = edits.shown_by(here.form, key_forms.values_of(key, _tier_default(here)))
    try:
        body = key_forms.change(here.form, shown, here.inside.clock())
        await here.patch("/v1/keys/{key_id}", body, key_id=key_id)
    except InnoError as error:
        return await _form(here, key_forms.typed_values(here.form), shown, error.refusal, key=key)
    return here.redirect(f"{LIST}/{key_id}", notice="key-changed")


@get(f"{LIST}/{{key_id:str}}/rotate")
async def show_rotation(key_id: str, here: Here) -> Response[Any]:
    """Ask how long the old key may live on."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    if key["status"] == "revoked":
        return _nothing_to_do(here, key_id)
    return await _rotation(here, key_id, None)


@post(f"{LIST}/{{key_id:str}}/rotate", status_code=200)
async def rotate(key_id: str, here: Here) -> Response[bytes]:
    """Make the successor, and show it this once."""
    form = here.form
    overlap = form.text("overlap")
    try:
        if overlap not in key_forms.OVERLAPS:
            raise InnoError("invalid_request", "Choose when the old key ends.", param="overlap")
        body: dict[str, Any] = {"overlap": int(overlap)}
        if form.text("name"):
            body["name"] = form.text("name")
        made = await here.post("/v1/keys/{key_id}/rotate", body, once=form.text("once")[:64], key_id=key_id)
    except InnoError as error:
        return await _rotation(here, key_id, error.refusal)
    return _made(here, made, predecessor=await here.get("/v1/keys/{key_id}", key_id=key_id))


@get(f"{LIST}/{{key_id:str}}/revoke")
async def show_revocation(key_id: str, here: Here) -> Response[Any]:
    """Ask whether it is meant."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    if key["status"] == "revoked":
        return _nothing_to_do(here, key_id)
    return here.page("keys/revoke.html", key=key, error=None)


@post(f"{LIST}/{{key_id:str}}/revoke", status_code=200)
async def revoke(key_id: str, here: Here) -> Response[Any]:
    """Revoke the key, if its name was typed."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    if not here.form.repeats("confirmation", key["name"]):
        error = InnoError("invalid_request", "Type the key's name as it stands there.", param="confirmation")
        return here.page("keys/revoke.html", status=400, key=key, error=error.refusal)
    await here.delete("/v1/keys/{key_id}", key_id=key_id)
    return here.redirect(LIST, notice="key-revoked")


async def _other(here: Visit, key_id: str | None) -> dict[str, Any] | None:
    """The key that a rotation made of another, or another of."""
    return await here.get("/v1/keys/{key_id}", key_id=key_id) if key_id else None


def _nothing_to_do(here: Visit, key_id: str) -> Response[None]:
    return here.redirect(f"{LIST}/{key_id}", notice="key-is-revoked")


def _made(
    here: Visit,
    made: dict[str, Any],
    *,
    predecessor: dict[str, Any] | None = None,
    has_new_customer: bool = False,
) -> Response[bytes]:
    models = made["models"] or list(here.inside.settings.models)
    return here.page(
        "keys/made.html",
        key=made,
        predecessor=predecessor,
        snippets=first_call(here.api_url, made["key"], models[0], made["scopes"]),
        has_new_customer=has_new_customer,
    )


async def _form(
    here: Visit,
    values: dict[str, Any],
    shown: dict[str, Any],
    error: Refusal | None,
    *,
    key: dict[str, Any] | None = None,
) -> Response[bytes]:
    """The form, of a new key or of one that is to be changed; what was refused is said in it.

    `values` stand in it now, `shown` is what it began with.
    """
    served = here.models
    return here.page(
        "keys/form.html",
        status=200 if error is None else error.kind.status,
        key=key,
        values=values,
        shown=edits.as_field(shown),
        error=about_a_field(error),
        fields=_FIELDS,
        once=here.form.text("once")[:64] or new_token(),
        levels=key_forms.levels(),
        matrix=key_forms.matrix(),
        verbs=key_forms.VERBS,
        lifetimes=list(key_forms.LIFETIMES.items()),
        customers=[] if key else (await here.get("/v1/customers", limit=CUSTOMERS_OFFERED))["data"],
        currency=here.principal.account.currency,
        models=[*served, *(name for name in values["models"] if name not in served)],
        tier=here.inside.settings.tiers[here.principal.account.tier],
    )


async def _rotation(here: Visit, key_id: str, error: Refusal | None) -> Response[bytes]:
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    return here.page(
        "keys/rotate.html",
        status=200 if error is None else error.kind.status,
        key=key,
        error=about_a_field(error),
        once=here.form.text("once")[:64] or new_token(),
        overlaps=list(key_forms.OVERLAPS.items()),
        overlap=here.form.text("overlap", "86400"),
        name=here.form.raw("name"),
    )


def _tier_default(here: Visit) -> int:
    return here.inside.settings.tiers[here.principal.account.tier].default_rate_limit


HANDLERS = (
    show_list,
    show_form,
    create,
    show_key,
    show_edit,
    edit,
    show_rotation,
    rotate,
    show_revocation,
    revoke,
)
