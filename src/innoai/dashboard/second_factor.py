"""Codes of an authenticator app (RFC 6238), and the recovery codes for when the app is lost."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets as randomness
from typing import TYPE_CHECKING

import pyotp
import segno
from markupsafe import Markup

from innoai.store import authenticators

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.dashboard.visit import Visit

SECRET_BYTES = 20
STEP_SECONDS = 30
TOLERATED_STEPS = 1
"""How far a phone's clock may be off, to either side."""

RECOVERY_CODES = 10
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"
_CODE_LENGTH = 16
_DIGITS = 6


def new_secret() -> bytes:
    """160 random bits for a new app (RFC 4226 §4)."""
    return os.urandom(SECRET_BYTES)


def written(secret: bytes) -> str:
    """The secret as people type it into an app."""
    return base64.b32encode(secret).decode()


def address(secret: bytes, email: str) -> str:
    """What the QR code says: otpauth://…"""
    return pyotp.TOTP(written(secret)).provisioning_uri(name=email, issuer_name="innoai")


def picture(secret: bytes, email: str) -> Markup:
    """The QR code as SVG, which needs no style of its own."""
    svg: str = segno.make(address(secret, email), error="m", micro=False).svg_inline(
        border=0, omitsize=True, dark="#000000"
    )
    return Markup(svg)  # noqa: S704 - made here; it shows the text as squares


def step_of(secret: bytes, code: str, now: float) -> int | None:
    """The half minute of which this is the code, if it is about now."""
    digits = code.replace(" ", "")
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    app = pyotp.TOTP(written(secret))
    present = int(now // STEP_SECONDS)
    found = None
    for step in range(present - TOLERATED_STEPS, present + TOLERATED_STEPS + 1):
        if randomness.compare_digest(app.generate_otp(step), digits):
            found = step
    return found


async def take(visit: Visit, connection: AsyncConnection, member_id: str, code: str) -> str | None:
    """Use up a code of the app, or a recovery code: `totp` or `recovery`, and None when it is neither."""
    inside = visit.inside
    secret = await authenticators.secret_of(connection, inside.secrets, member_id)
    step = None if secret is None else step_of(secret, code, inside.clock())
    if step is not None:
        return "totp" if await authenticators.take_step(connection, member_id, step) else None
    digest = digest_of(code)
    if secret is not None and await authenticators.take_recovery_code(
        connection, member_id, digest, inside.clock()
    ):
        return "recovery"
    return None


def new_recovery_codes() -> list[str]:
    """Codes of 80 random bits, in groups of four."""
    codes = [
        "".join(randomness.choice(_ALPHABET) for _ in range(_CODE_LENGTH)) for _ in range(RECOVERY_CODES)
    ]
    return ["-".join(code[start : start + 4] for start in range(0, _CODE_LENGTH, 4)) for code in codes]


def digest_of(code: str) -> bytes:
    """What the store keeps of a recovery code, however it is typed."""
    plain = "".join(character for character in code.upper() if character.isalnum())
    plain = plain.replace("O", "0").replace("I", "1").replace("L", "1").replace("U", "V")
    return hashlib.sha256(plain.encode()).digest()
