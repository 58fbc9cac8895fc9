"""/settings/profile/recovery-codes: new ones, which can be read for a while in the browser that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get, post

from innoai.dashboard import second_factor
from innoai.dashboard.proof import require_proof
from innoai.dashboard.signing_in import record
from innoai.dashboard.visit import Here, Visit
from innoai.errors import InnoError
from innoai.store import authenticators, ceremonies

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

PROFILE = "/settings/profile"
PATH = f"{PROFILE}/recovery-codes"
SHOWN = "recovery-codes"
SHOWN_SECONDS = 600.0
"""For how long the page can be loaded once more, unless the member says that the codes are kept."""


async def issue(here: Visit, connection: AsyncConnection) -> None:
    """Make new codes, which the page at PATH shows; those of before count no longer."""
    inside, member_id = here.inside, here.member.member_id
    codes = second_factor.new_recovery_codes()
    await authenticators.put_recovery_codes(connection, member_id, map(second_factor.digest_of, codes))
    content, ends = msgspec.json.encode(codes), inside.clock() + SHOWN_SECONDS
    await ceremonies.begin(connection, inside.secrets, here.holder, SHOWN, content, expires_at=ends)


@post(PATH)
async def renew(here: Here) -> Response[None]:
    """Make new recovery codes."""
    require_proof(here)
    member = here.member
    async with here.inside.database.write() as connection:
        if await authenticators.since(connection, member.member_id) is None:
            raise InnoError("conflict", "Recovery codes stand in for an authenticator app. Add one first.")
        await issue(here, connection)
        after: dict[str, object] = {"kind": "recovery_codes"}
        await record(
            here, connection, member.account_id, member.member_id, "member.factor_added", after=after
        )
    return here.redirect(PATH, notice="recovery-codes-made")


@get(PATH)
async def show(here: Here) -> Response[Any]:
    """Show the codes that were made a moment ago."""
    require_proof(here)
    inside = here.inside
    async with inside.database.read() as connection:
        content = await ceremonies.look(connection, inside.secrets, here.holder, SHOWN, inside.clock())
    if content is None:
        return here.redirect(PROFILE)
    return here.page("profile/recovery_codes.html", codes=msgspec.json.decode(content))


@post(f"{PATH}/kept")
async def forget(here: Here) -> Response[None]:
    """Show them no more: the member has kept them."""
    inside = here.inside
    async with inside.database.write() as connection:
        await ceremonies.finish(connection, inside.secrets, here.holder, SHOWN, inside.clock())
    return here.redirect(PROFILE)


HANDLERS = (renew, show, forget)
