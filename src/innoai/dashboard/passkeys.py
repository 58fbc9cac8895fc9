"""Passkeys (WebAuthn level 3): made by members who are signed in, and signed in with by anybody who has one.

The authenticator has to have verified its owner, so a passkey is two factors by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import webauthn
from litestar import Response, post
from sqlalchemy.exc import IntegrityError
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from innoai.dashboard.proof import require_proof
from innoai.dashboard.sign_in import FOR_ANYBODY, address_bucket
from innoai.dashboard.signing_in import begin_session, record
from innoai.dashboard.visit import Here, Visit, Visitor, local_path
from innoai.errors import InnoError
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, ceremonies, members, passkeys
from innoai.store.passkeys import PasskeyRecord

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.members import MemberRecord

LIST = "/settings/profile/passkeys"
MAKING, SIGNING_IN = "passkey-new", "passkey"
CEREMONY_SECONDS = 300.0
MOST_PASSKEYS = 20
MAX_NAME = 60
METHOD = "passkey"
_JSON = "application/json"
_is_address = re.compile(r"[0-9.]+|.*:.*").fullmatch
_is_transport = re.compile(r"[a-z-]{1,20}", re.ASCII).fullmatch
_FAILED = "The passkey was not accepted. Try again, or sign in in another way."


def relying_party(visit: Visit) -> str | None:
    """The name that passkeys of this server are bound to; None where it is an address, which has none."""
    host = urlsplit(visit.origin).hostname or ""
    return None if not host or _is_address(host) else host


@post(f"{LIST}/options", status_code=200)
async def options_for_new(here: Here) -> Response[bytes]:
    """Say what a new passkey is to be like."""
    require_proof(here)
    inside = here.inside
    party = _party(here)
    async with inside.database.read() as connection:
        known = await passkeys.of_member(connection, here.member.member_id)
    if len(known) >= MOST_PASSKEYS:
        raise InnoError(
            "conflict", f"You have {MOST_PASSKEYS} passkeys, as many as there may be. Remove one."
        )
    options = webauthn.generate_registration_options(
        rp_id=party,
        rp_name="innoai",
        user_id=here.member.member_id.encode(),
        user_name=here.member.email,
        user_display_name=here.member.name or here.member.email,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=passkey.credential_id) for passkey in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    await _begin(here, MAKING, options.challenge)
    return _json(webauthn.options_to_json(options).encode())


@post(LIST, status_code=200)
async def add(here: Here) -> Response[bytes]:
    """Keep a new passkey."""
    require_proof(here)
    inside = here.inside
    credential = here.form.script.get("credential")
    async with inside.database.write() as connection:
        challenge = await _finish(here, connection, MAKING)
    try:
        made = webauthn.verify_registration_response(
            credential=credential if isinstance(credential, dict) else {},
            expected_challenge=challenge,
            expected_rp_id=_party(here),
            expected_origin=here.origin,
            require_user_verification=True,
        )
        passkey = PasskeyRecord(
            id=fresh_id("pky"),
            member_id=here.member.member_id,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            name=_name(here.form.script.get("name")),
            transports=_transports(credential),
            created_at=inside.clock(),
        )
        async with inside.database.write() as connection:
            await passkeys.add(connection, passkey)
            after: dict[str, object] = {"id": passkey.id, "kind": METHOD, "name": passkey.name}
            await record(
                here,
                connection,
                here.member.account_id,
                passkey.member_id,
                "member.factor_added",
                after=after,
            )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise InnoError("invalid_request", "The new passkey was not accepted. Try again.") from None
    except IntegrityError:
        raise InnoError("conflict", "That passkey is known already.") from None
    return _json(msgspec.json.encode({"next": "/settings/profile?notice=passkey-added"}))


@post(f"{LIST}/{{passkey_id:str}}/remove")
async def remove(passkey_id: str, here: Here) -> Response[None]:
    """Forget a passkey."""
    require_proof(here)
    member = here.member
    async with here.inside.database.write() as connection:
        await accounts.lock(connection, member.account_id)
        known = await passkeys.of_member(connection, member.member_id)
        has_password = await members.password_hash(connection, member.member_id) is not None
        if len(known) == 1 and not has_password and here.inside.provider is None:
            raise InnoError("conflict", "This passkey is all that you sign in with. Choose a password first.")
        if not await passkeys.remove(connection, member.member_id, passkey_id):
            raise InnoError("not_found", "You have no passkey of that id.")
        after: dict[str, object] = {"id": passkey_id, "kind": METHOD}
        await record(
            here, connection, member.account_id, member.member_id, "member.factor_removed", after=after
        )
    return here.redirect("/settings/profile", notice="passkey-removed")


@post("/login/passkey/options", opt=FOR_ANYBODY, status_code=200)
async def options_for_sign_in(visitor: Visitor) -> Response[bytes]:
    """Say what is to be signed; which passkeys there are is not told."""
    options = webauthn.generate_authentication_options(
        rp_id=_party(visitor), user_verification=UserVerificationRequirement.REQUIRED
    )
    visitor.inside.throttle.attempt(address_bucket(visitor))
    await _begin(visitor, SIGNING_IN, options.challenge)
    return _json(webauthn.options_to_json(options).encode())


@post("/login/passkey", opt=FOR_ANYBODY, status_code=200)
async def sign_in(visitor: Visitor) -> Response[bytes]:
    """Sign in the member whose passkey has signed."""
    inside = visitor.inside
    given = visitor.form.script.get("credential")
    credential = given if isinstance(given, dict) else {}
    async with inside.database.write() as connection:
        challenge = await _finish(visitor, connection, SIGNING_IN)
    try:
        async with inside.database.write() as connection:
            member = await _signed_by(visitor, connection, credential, challenge)
            await begin_session(visitor, connection, member, METHOD)
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise InnoError("invalid_request", _FAILED) from None
    inside.throttle.give_back(address_bucket(visitor))
    back = visitor.form.script.get("next")
    return _json(msgspec.json.encode({"next": local_path(back if isinstance(back, str) else "/")}))


async def _signed_by(
    visit: Visit, connection: AsyncConnection, credential: dict[str, Any], challenge: bytes
) -> MemberRecord:
    """The member whose passkey has signed the challenge, for this server.

    Raises:
        InnoError, WebAuthnException, ValueError, KeyError, TypeError: it is nobody's.
    """
    passkey = await passkeys.find(connection, base64url_to_bytes(str(credential["rawId"])))
    if passkey is None:
        raise InnoError("invalid_request", _FAILED)
    verified = webauthn.verify_authentication_response(
        credential=credential,
        expected_challenge=challenge,
        expected_rp_id=_party(visit),
        expected_origin=visit.origin,
        credential_public_key=passkey.public_key,
        credential_current_sign_count=passkey.sign_count,
        require_user_verification=True,
    )
    handle = credential["response"].get("userHandle")
    if handle is not None and base64url_to_bytes(handle) != passkey.member_id.encode():
        raise InnoError("invalid_request", _FAILED)
    member = await members.find(connection, passkey.member_id)
    if member is None or not member.joined or (await accounts.get(connection, member.account_id)).disabled:
        raise InnoError("invalid_request", _FAILED)
    await passkeys.note_use(connection, passkey.id, verified.new_sign_count, visit.inside.clock())
    return member


async def _begin(visit: Visit, kind: str, challenge: bytes) -> None:
    inside = visit.inside
    ends = inside.clock() + CEREMONY_SECONDS
    async with inside.database.write() as connection:
        await ceremonies.begin(connection, inside.secrets, visit.holder, kind, challenge, expires_at=ends)


async def _finish(visit: Visit, connection: AsyncConnection, kind: str) -> bytes:
    inside = visit.inside
    challenge = await ceremonies.finish(connection, inside.secrets, visit.holder, kind, inside.clock())
    if challenge is None:
        raise InnoError("invalid_request", "That took too long. Try again.")
    return challenge


def _party(visit: Visit) -> str:
    party = relying_party(visit)
    if party is None:
        raise InnoError(
            "conflict", "Passkeys need a host name: open this server by its name, not its address."
        )
    return party


def _name(given: object) -> str:
    name = given.strip() if isinstance(given, str) else ""
    if not name.isprintable() or len(name) > MAX_NAME:
        raise InnoError("invalid_request", f"Write a name of at most {MAX_NAME} characters.", param="name")
    return name or "Passkey"


def _transports(credential: object) -> tuple[str, ...]:
    """How the authenticator says that it can be reached."""
    response = credential.get("response") if isinstance(credential, dict) else None
    stated = response.get("transports") if isinstance(response, dict) else None
    if not isinstance(stated, list):
        return ()
    return tuple(name for name in stated[:8] if isinstance(name, str) and _is_transport(name))


def _json(content: bytes) -> Response[bytes]:
    return Response(content, media_type=_JSON)


HANDLERS = (options_for_sign_in, sign_in, options_for_new, add, remove)
