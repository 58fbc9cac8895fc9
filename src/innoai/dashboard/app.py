"""The dashboard as one ASGI application: before any page it finds out who is here, and checks what was sent.

No handler is reached by a POST that does not come from one of our own pages: the browser has to say so
(Origin, Sec-Fetch-Site), and the form has to bring back the token of the browser's own cookie.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

import msgspec
import structlog
from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.handlers.base import BaseRouteHandler

from innoai.dashboard import (
    access_control,
    aliases,
    audit,
    billing,
    cookies,
    customers,
    deliveries,
    joining,
    key_activity,
    keys,
    members,
    overview,
    passkeys,
    playground,
    profile,
    proof,
    provider_joining,
    provider_sign_in,
    recovery_codes,
    requests,
    security,
    sign_in,
    usage,
    webhooks,
)
from innoai.dashboard.assets import PREFIX, Assets, takes_gzip
from innoai.dashboard.forms import MAX_FORM_BYTES, MAX_STRANGERS_BYTES, TOKEN_FIELD, read_form
from innoai.dashboard.notices import NOTICES
from innoai.dashboard.proof import ProofNeededError
from innoai.dashboard.refusals import for_people
from innoai.dashboard.visit import VISIT_KEY, SignedOutError, Visit, local_path, read_session
from innoai.envelope import REQUEST_ID_KEY
from innoai.errors import InnoError
from innoai.store import sessions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from innoai.dashboard.inside import Inside

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Any], Awaitable[None]]

HANDLERS = (
    *joining.HANDLERS,
    *sign_in.HANDLERS,
    *passkeys.HANDLERS,
    *provider_sign_in.HANDLERS,
    *provider_joining.HANDLERS,
    *profile.HANDLERS,
    *recovery_codes.HANDLERS,
    *proof.HANDLERS,
    *overview.HANDLERS,
    *keys.HANDLERS,
    *key_activity.HANDLERS,
    *usage.HANDLERS,
    *requests.HANDLERS,
    *customers.HANDLERS,
    *webhooks.HANDLERS,
    *deliveries.HANDLERS,
    *billing.HANDLERS,
    *audit.HANDLERS,
    *access_control.HANDLERS,
    *playground.HANDLERS,
    *members.HANDLERS,
    *security.HANDLERS,
    *aliases.HANDLERS,
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HSTS_SECONDS = 2 * 365 * 86_400
SEEN_SECONDS = 60.0
"""How often a session's last use is written down."""

_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    # Not no-referrer: with it a browser says `Origin: null` with its own site's forms.
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_TITLES = {
    400: "That did not work",
    401: "You are signed out",
    402: "The budget is used up",
    403: "That is not for your role",
    404: "Nothing is here",
    405: "Nothing is here",
    409: "That does not fit with what is there",
    413: "That was too much",
    415: "That did not work",
    429: "Too many at once",
    503: "Not just now",
}
_OPEN_PATHS = frozenset(
    path for handler in HANDLERS if handler.opt.get("for_anybody") for path in handler.paths
)
"""Where nobody has to be signed in."""

_OLD_TITLE = "This page is out of date"
_FROM_ELSEWHERE = "This did not come from a page of this server. Open the page again and repeat what you did."
_OLD_FORM = "This page is of a sign-in before the present one, or cookies are switched off. Open it anew."

log = structlog.get_logger()


class StaleFormError(Exception):
    """A form was sent from a page that was shown before the member signed in, or out."""


class Dashboard:
    """Litestar behind the checks, with the same headers on every answer."""

    def __init__(self, inside: Inside, assets: Assets, new_request_id: Callable[[], str]) -> None:
        self._inside = inside
        self._assets = assets.by_path
        self._new_request_id = new_request_id
        self._origin = _origin_of(inside.settings.server.public_url)
        self._app = Litestar(
            route_handlers=list(HANDLERS),
            guards=[guard],
            dependencies={
                "here": Provide(_provide_member, sync_to_thread=False),
                "visitor": Provide(_provide_visitor, sync_to_thread=False),
            },
            exception_handlers={
                InnoError: _refuse_known,
                SignedOutError: _send_to_sign_in,
                ProofNeededError: _send_to_proof,
                HTTPException: _refuse_http,
                Exception: _refuse_unexpected,
            },
            openapi_config=None,
            logging_config=None,
        )
        self._rooms = frozenset(_first_segment(path) for handler in HANDLERS for path in handler.paths)

    def owns(self, path: str) -> bool:
        """Whether a path is the dashboard's to answer."""
        if path.startswith("//"):
            # What a client makes of a base URL with a slash too many.
            return False
        return path.startswith(PREFIX) or _first_segment(path) in self._rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope[REQUEST_ID_KEY] = self._new_request_id()
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        asset = self._assets.get(scope["path"])
        if asset is not None and scope["method"] == "GET":
            headers, body = asset.answer(gzip_is_fine=takes_gzip(scope))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        # Somebody unknown, until the store has said who: it may not answer, and a page has to say that, too.
        visit = self._somebody(scope)

        async def send_with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                headers = [*message["headers"], (b"x-request-id", scope[REQUEST_ID_KEY].encode())]
                headers += [header for header in _HEADERS if header[0] not in own]
                if self._inside.is_https:
                    headers.append((b"strict-transport-security", b"max-age=%d" % HSTS_SECONDS))
                headers += [(b"set-cookie", value) for value in visit.set_cookies]
                message = {**message, "headers": headers}
            await send(message)

        try:
            visit = await self._visit(scope)
            answer = await self._answer_before_any_page(visit, receive)
        except Exception as error:  # noqa: BLE001 - raised further, it would be an answer of the server's, not ours
            answer = _answer_to_failure(visit, error)
        if answer is not None:
            ready = answer.to_asgi_response(None, Request(cast("Any", scope)))
            await ready(scope, receive, send_with_headers)  # type: ignore[arg-type]
            return
        scope[VISIT_KEY] = visit
        await self._app(scope, _after_the_body(scope, receive), send_with_headers)  # type: ignore[arg-type]

    async def _answer_before_any_page(self, visit: Visit, receive: Receive) -> Response[Any] | None:
        """The answer to what no page is to see; None for all else, whose form has been read then."""
        try:
            await self._read_form(visit, receive)
        except StaleFormError:
            return _answer_to_stale_form(visit)
        except InnoError as error:
            return _error_page(visit, error)
        if _is_canonical(visit.path):
            return None
        shorter = visit.path.rstrip("/")
        if _is_canonical(shorter) and visit.scope["method"] == "GET":
            return visit.redirect(quote(shorter))
        return _error_page(visit, InnoError("not_found"))

    def _somebody(self, scope: Scope) -> Visit:
        """Who is here, as long as that is not known."""
        return Visit(scope, self._inside, cookie=None, session=None, principal=None, has_ended=False)

    async def _visit(self, scope: Scope) -> Visit:
        """Who is here. InnoError when the store does not say whose session it is."""
        is_https = self._inside.is_https
        token = cookies.read_token(scope["headers"], cookies.session_cookie(is_https=is_https))
        session, principal = await read_session(self._inside, token)
        has_ended = token is not None and session is None
        if session is None:
            token = cookies.read_token(scope["headers"], cookies.visit_cookie(is_https=is_https))
        visit = Visit(
            scope, self._inside, cookie=token, session=session, principal=principal, has_ended=has_ended
        )
        is_old_news = session is not None and self._inside.clock() - session.seen_at > SEEN_SECONDS
        if is_old_news and not visit.is_by_itself:
            await self._note_seen(visit)
        return visit

    async def _read_form(self, visit: Visit, receive: Receive) -> None:
        """What was sent, if it comes from one of our pages.

        Raises:
            InnoError: it does not, or cannot be read.
            StaleFormError: it comes from a page that was shown before the member signed in or out.
        """
        scope = visit.scope
        if scope["method"] in ("GET", "OPTIONS"):
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_from_here(headers):
            raise InnoError("insufficient_permissions", _FROM_ELSEWHERE)
        max_bytes = MAX_STRANGERS_BYTES if visit.session is None else MAX_FORM_BYTES
        visit.form = await read_form(receive, headers.get(b"content-type", ""), max_bytes)
        given = headers.get(b"x-form-token") or visit.form.raw(TOKEN_FIELD)
        if not visit.has_given_out(given):
            raise StaleFormError

    def _is_from_here(self, headers: dict[bytes, str]) -> bool:
        """Whether the browser says that one of our own pages sent this; silence does not count."""
        if headers.get(b"sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = headers.get(b"origin")
        return origin is not None and origin == (self._origin or f"http://{headers.get(b'host', '')}")

    async def _note_seen(self, visit: Visit) -> None:
        """Write down that the session is in use; a page is no worse where that cannot be written now."""
        seen = {"seen_at": self._inside.clock(), "address": visit.address}
        with contextlib.suppress(InnoError):
            async with self._inside.database.write() as connection:
                await sessions.note(connection, visit.member.id, seen)


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let nobody who is not signed in reach a page, but those that are marked as for anybody."""
    if _visit_of(connection).scope["method"] == "OPTIONS":
        # Litestar would answer it on every path; no page of another site has anything to ask here.
        raise MethodNotAllowedException
    if not handler.opt.get("for_anybody") and _visit_of(connection).session is None:
        raise SignedOutError


def _provide_member(request: Request[Any, Any, Any]) -> Visit:
    visit = _visit_of(request)
    if visit.session is None:
        raise SignedOutError
    return visit


def _provide_visitor(request: Request[Any, Any, Any]) -> Visit:
    return _visit_of(request)


def _visit_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Visit:
    visit: Visit = cast("dict[str, Any]", connection.scope)[VISIT_KEY]
    return visit


def _send_to_sign_in(request: Request[Any, Any, Any], _error: SignedOutError) -> Response[Any]:
    """To the sign-in page, and back here afterwards if this was a page to look at."""
    visit = _visit_of(request)
    query = visit.scope["query_string"].decode("latin-1")
    back = visit.path + (f"?{query}" if query else "")
    wanted = {"next": back} if request.method == "GET" and back != "/" else {}
    answer = visit.redirect("/login", notice="session-ended" if visit.has_ended else None, **wanted)
    if visit.header(b"hx-request") is not None:
        # A part of a page cannot be signed in to: the whole page goes there.
        return Response(None, status_code=204, headers={"hx-redirect": answer.headers["location"]})
    return answer


def _send_to_proof(request: Request[Any, Any, Any], _error: ProofNeededError) -> Response[Any]:
    """To the page that asks for a proof, and then back to the profile: what was sent is not sent again."""
    visit = _visit_of(request)
    back = visit.path if request.method == "GET" else profile.PATH
    address = visit.link(proof.PATH, next=back)
    if visit.is_script:
        return Response(
            msgspec.json.encode({"proof": address, "message": "Prove who you are first."}), status_code=403
        )
    return visit.redirect(proof.PATH, next=back)


def _answer_to_stale_form(visit: Visit) -> Response[Any]:
    """Nothing is done with it; what its sender wanted of the sign-in pages has happened, or leads there."""
    if visit.session is None and visit.path not in _OPEN_PATHS:
        if visit.is_script:
            return _told_to_script(401, NOTICES["session-ended"])
        return visit.redirect("/login", next=visit.came_from, notice="session-ended")
    if visit.session is None and visit.path == "/logout":
        return visit.redirect("/login", notice="signed-out")
    if visit.session is not None and visit.path == "/login":
        return visit.redirect(local_path(visit.form.text("next")))
    return _error_page(
        visit, InnoError("insufficient_permissions", _OLD_FORM), title=_OLD_TITLE, again=visit.came_from
    )


def _refuse_known(request: Request[Any, Any, Any], error: InnoError) -> Response[bytes]:
    return _error_page(_visit_of(request), error)


def _refuse_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    visit = _visit_of(request)
    if error.status_code == 405 and visit.scope["method"] == "GET" and visit.session is not None:
        # Where a form is sent to is no page to look at, after a sign-in for one; above it there is one.
        return visit.redirect(visit.path.rpartition("/")[0] or "/")
    codes = {404: "not_found", 405: "method_not_allowed"}
    return _error_page(visit, InnoError(codes.get(error.status_code, "invalid_request")))


def _refuse_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _answer_to_failure(_visit_of(request), error)


def _answer_to_failure(visit: Visit, error: Exception) -> Response[bytes]:
    """The page about what ended a visit; what nobody foresaw goes to the log."""
    if isinstance(error, InnoError):
        return _error_page(visit, error)
    log.error("unexpected", path=visit.path, exc_info=error)
    return _error_page(visit, InnoError("internal_error"))


def _told_to_script(status: int, message: str) -> Response[bytes]:
    content = msgspec.json.encode({"message": message})
    return Response(content, status_code=status, media_type="application/json")


def _error_page(
    visit: Visit, error: InnoError, *, title: str | None = None, again: str | None = None
) -> Response[bytes]:
    """What was refused, and where to go on; `again`: the page from which it can be tried once more."""
    refusal = for_people(error.refusal)
    status = refusal.kind.status
    if visit.is_script:
        return _told_to_script(status, refusal.message)
    answer = visit.page(
        "error.html",
        status=status,
        title=title or _TITLES.get(status, "Something went wrong"),
        message=refusal.message,
        again=again,
        request_id=visit.scope[REQUEST_ID_KEY],
    )
    if "retry_after" in refusal.details:
        answer.headers["retry-after"] = str(refusal.details["retry_after"])
    return answer


def _after_the_body(scope: Scope, receive: Receive) -> Receive:
    """What is left to hear once the body was read: that the browser is gone."""
    has_been_read = scope["method"] in ("GET", "OPTIONS")

    async def receive_rest() -> dict[str, Any]:
        nonlocal has_been_read
        if has_been_read:
            return await receive()
        has_been_read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive_rest


def _is_canonical(path: str) -> bool:
    return path == "/" or not (path.endswith("/") or "//" in path or "\0" in path)


def _first_segment(path: str) -> str:
    return path.split("/", 2)[1]


def _origin_of(url: str | None) -> str | None:
    """Scheme, host and port as a browser writes them; None where people come by whatever address they use."""
    if url is None:
        return None
    parts = urlsplit(url)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    host = (parts.hostname or "").lower()
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
