"""/settings/profile/proof: before members change how they sign in, they prove once more who they are.

So a browser that was left open, or a stolen cookie, is not enough to keep the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Response, get, post

from innoai.dashboard.sign_in import code_buckets
from innoai.dashboard.signing_in import record_wrong
from innoai.dashboard.visit import Here, Visit, local_path
from innoai.errors import InnoError
from innoai.store import identities, members, passkeys, sessions

if TYPE_CHECKING:
    from innoai.errors import Refusal

PATH = "/settings/profile/proof"
PROOF_SECONDS = 900.0
"""For how long a proof is recent."""


class ProofNeededError(Exception):
    """The member has to prove once more who they are."""


def is_proved(visit: Visit) -> bool:
    """Whether the member proved a moment ago who they are."""
    return visit.inside.clock() - visit.member.proved_at < PROOF_SECONDS


def require_proof(visit: Visit) -> None:
    """ProofNeededError unless the member proved a moment ago who they are."""
    if not is_proved(visit):
        raise ProofNeededError


@get(PATH)
async def show(here: Here) -> Response[Any]:
    """Ask for the proof."""
    if is_proved(here):
        return here.redirect(local_path(here.query("next"), "/settings/profile"))
    return await form(here, None)


@post(PATH, status_code=200)
async def prove(here: Here) -> Response[Any]:
    """Compare the password."""
    inside, member = here.inside, here.member
    buckets = code_buckets(here, member.member_id)
    try:
        inside.throttle.attempt(*buckets)
        async with inside.database.read() as connection:
            kept = await members.password_hash(connection, member.member_id)
        if not await inside.passwords.verify(here.form.raw("password"), kept):
            await record_wrong(here, "password", "proof")
            raise InnoError("invalid_request", "That is not your password.", param="password")
        async with inside.database.write() as connection:
            await sessions.note(connection, member.id, {"proved_at": inside.clock()})
    except InnoError as error:
        return await form(here, error.refusal)
    inside.throttle.give_back(*buckets)
    return here.redirect(local_path(here.form.text("next"), "/settings/profile"))


async def form(here: Visit, error: Refusal | None) -> Response[bytes]:
    """The page that asks for the proof."""
    inside = here.inside
    async with inside.database.read() as connection:
        kept = await members.password_hash(connection, here.member.member_id)
        has_passkey = bool(await passkeys.of_member(connection, here.member.member_id))
        has_identity = inside.provider is not None and bool(
            await identities.subjects_of(connection, here.member.member_id, inside.provider.settings.issuer)
        )
    wanted = here.form.text("next") or here.query("next")
    return here.page(
        "profile/proof.html",
        status=200 if error is None else error.kind.status,
        error=error,
        next=local_path(wanted, "/settings/profile"),
        has_password=kept is not None,
        has_passkey=has_passkey,
        provider=inside.settings.dashboard.oidc if has_identity else None,
    )


HANDLERS = (show, prove)
