"""/security: failed attempts, replayed tokens, leaked keys, and what deserves a look."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post

from innoai.access.scopes import ADMIN_FULL
from innoai.access.tiers import AUDIT
from innoai.dashboard.refusals import about_a_field
from innoai.dashboard.rendering import seconds_of
from innoai.dashboard.subjects import subjects
from innoai.dashboard.visit import Here
from innoai.errors import InnoError, Refusal

ROOM = "/security"
LEAKS = f"{ROOM}/leaks"
SIGNS = ("auth.failed_burst", "member.sign_in_failed", "token.reuse_detected", "key.leak_reported")
"""The actions that tell of an attack, or of a leak."""

LATEST = 20
KEYS_LOOKED_AT = 50
LONGEST_TEXT = 100_000
UNUSED_SECONDS = 90 * 86_400


@get(ROOM)
async def show(here: Here) -> Response[bytes]:
    """Show signs of attacks, the latest first, and keys that deserve a look."""
    return await _page(here, None)


@post(LEAKS, status_code=200)
async def check_leak(here: Here) -> Response[bytes]:
    """Look for keys in what was pasted; revoke them where that was ticked."""
    form = here.form
    body = {
        "text": form.raw("text"),
        "source": form.text("source") or None,
        "revoke": form.has("revoke"),
    }
    try:
        report = await here.post("/v1/keys/leaks", body)
    except InnoError as error:
        return await _page(here, error.refusal)
    return here.page("security/report.html", report=report, revoked=form.has("revoke"))


def weaknesses(key: dict[str, Any], now: float) -> list[str]:
    """What could be tightened about a live key, in the words of the page."""
    found = []
    if ADMIN_FULL in key["scopes"] and not key["allowed_ips"]:
        found.append("may do everything, from anywhere")
    elif not key["allowed_ips"]:
        found.append("may be used from anywhere")
    if key["expires_at"] is None:
        found.append("never ends")
    used = seconds_of(key["last_used_at"] or key["created_at"])
    if now - used > UNUSED_SECONDS:
        found.append("unused for 90 days")
    return found


async def _page(here: Here, error: Refusal | None) -> Response[bytes]:
    signs: list[dict[str, Any]] | None = None
    if AUDIT in here.principal.account.features:
        pages = [await here.get("/v1/audit", action=action, limit=LATEST) for action in SIGNS]
        entries = [entry for page in pages for entry in page["data"]]
        signs = sorted(entries, key=lambda entry: int(entry["sequence"]), reverse=True)[:LATEST]
    keys = (await here.get("/v1/keys", status="active", limit=KEYS_LOOKED_AT))["data"]
    now = here.inside.clock()
    looked_at = [(key, weaknesses(key, now)) for key in keys]
    return here.page(
        "security/overview.html",
        status=200 if error is None else error.kind.status,
        signs=signs,
        subjects=await subjects(here),
        weak_keys=sorted(((key, found) for key, found in looked_at if found), key=lambda pair: -len(pair[1])),
        looked_at=len(keys),
        error=about_a_field(error),
        text=here.form.raw("text"),
        source=here.form.raw("source"),
        revoke=here.form.has("revoke"),
        longest_text=LONGEST_TEXT,
    )


HANDLERS = (
    show,
    check_leak,
)
