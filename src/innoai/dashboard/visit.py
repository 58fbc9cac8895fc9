"""A visit: one request of a browser, who is behind it, and what a page does with it.

A handler asks for `here: Here`, which is the visit of a member who is signed in; only the pages before that
take `visitor: Visitor`, which may be anybody's.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Stream
from markupsafe import Markup

from innoai.access.networks import caller_address, format_address
from innoai.access.principal import Member, Unauthenticated
from innoai.access.scopes import grants
from innoai.dashboard import cookies
from innoai.dashboard.control import Asked, ask, stream
from innoai.dashboard.forms import JSON, Form, kind_of
from innoai.dashboard.notices import NOTICES
from innoai.dashboard.pages import PAGES, current
from innoai.errors import InnoError, refusal
from innoai.store import sessions

if TYPE_CHECKING:
    from innoai.access.principal import Principal
    from innoai.dashboard.inside import Inside
    from innoai.store.sessions import SessionRecord

VISIT_KEY = "innoai.visit"
SAME_VISIT_SECONDS = 1.0
"""For how long a visit relies on the session as it was when the visit began; what goes on for longer, as a
stream does, reads it again."""

_HTML = "text/html"
"""Litestar adds the charset of a text."""

_looks_like_host = re.compile(
    r"(?:[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII
).fullmatch
_is_safe_path = re.compile(r"/(?:[!-\[\]-~]*)?", re.ASCII).fullmatch


class SignedOutError(Exception):
    """The page is for members, and nobody is signed in."""


class Visit:
    """One request of a browser."""

    def __init__(
        self,
        scope: dict[str, Any],
        inside: Inside,
        *,
        cookie: str | None,
        session: SessionRecord | None,
        principal: Principal | None,
        has_ended: bool,
    ) -> None:
        self.scope = scope
        self.inside = inside
        self.form = Form()
        """What was sent; its token is checked before any handler runs."""
        self.session = session
        self.has_ended = has_ended
        """Whether the browser brought a session that has ended."""
        self.path: str = scope["path"]
        self._cookie = cookie
        self._principal = principal
        self._began_at = inside.clock()
        self.set_cookies: list[bytes] = []

    # Who is here.

    @property
    def member(self) -> SessionRecord:
        """The session of the member who is signed in. SignedOutError when nobody is."""
        if self.session is None:
            raise SignedOutError
        return self.session

    @property
    def principal(self) -> Principal:
        """Who the member is to the door."""
        if self._principal is None:
            raise SignedOutError
        return self._principal

    @property
    def address(self) -> str | None:
        """Where the visitor is, behind trusted proxies."""
        number = self.address_number
        return None if number is None else format_address(number)

    @property
    def address_number(self) -> int | None:
        """The same as a number."""
        forwarded = [
            value.decode("latin-1") for name, value in self.scope["headers"] if name == b"x-forwarded-for"
        ]
        return caller_address(self.scope["client"], ",".join(forwarded), self.inside.trusted_proxies)

    @property
    def user_agent(self) -> str | None:
        """What the browser calls itself."""
        return self.header(b"user-agent")

    @property
    def models(self) -> list[str]:
        """The models that the account may use on this server."""
        allowed = self.principal.key.models
        return [name for name in self.inside.settings.models if allowed is None or name in allowed]

    def may(self, scope: str | None) -> bool:
        """Whether the member's role has the scope; for showing or hiding, since the door decides anyway."""
        return scope is None or (self._principal is not None and grants(self._principal.scopes, scope))

    def require(self, scope: str) -> None:
        """InnoError insufficient_permissions without the scope: before a form is shown whose answer is no."""
        if not self.may(scope):
            raise InnoError("insufficient_permissions", required_scope=scope)

    def header(self, name: bytes) -> str | None:
        """A header of the request."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), None)

    @property
    def is_by_itself(self) -> bool:
        """Whether a page looks for what is new: nobody has to sit before it, so it uses no session."""
        is_stream = "text/event-stream" in (self.header(b"accept") or "")
        return is_stream or self.header(b"x-by-itself") is not None

    @property
    def is_script(self) -> bool:
        """Whether a script sends it, as JSON, and takes the answer so, even to what was not read."""
        return kind_of(self.header(b"content-type") or "") == JSON

    def query(self, name: str, default: str = "") -> str:
        """A value of the query string."""
        return str(Request(cast("Any", self.scope)).query_params.get(name, default)).strip()

    @property
    def came_from(self) -> str:
        """The page of this server that the request was sent from; the overview where the browser hides it."""
        try:
            parts = urlsplit(self.header(b"referer") or "")
        except ValueError:
            return local_path("")
        query = f"?{parts.query}" if parts.query else ""
        return local_path(f"{parts.path}{query}")

    # Where this server is.

    @property
    def origin(self) -> str:
        """The address by which the visitor reaches this server, unless the operator says what it is."""
        host = self.header(b"host") or ""
        if self.inside.settings.server.public_url is not None or not is_host(host):
            return self.inside.settings.server.url
        return f"http://{host}"

    @property
    def api_url(self) -> str:
        """What clients are given."""
        return f"{self.origin}/v1"

    @staticmethod
    def link(path: str, **query: str) -> str:
        """A local address with a query string."""
        return f"{path}?{urlencode(query)}" if query else path

    def further(self, path: str, page: dict[str, Any], **kept: str) -> dict[str, Any]:
        """What the macro `pager` takes, of a list at `path`: where what is older is, and the beginning."""
        cursor = page["next_cursor"]
        return {
            "older": self.link(path, **kept, cursor=cursor) if cursor else None,
            "newest": self.link(path, **kept) if self.query("cursor") else None,
        }

    @staticmethod
    def local(template: str, **values: str) -> str:
        """A local path whose braces are filled; what is put in stays one segment of it."""
        plain = template.replace(":str", "")
        return plain.format(**{name: quote(value, safe="") for name, value in values.items()})

    # Cookies.

    @property
    def cookie(self) -> str:
        """The token in this browser's cookie; a visitor without one gets one."""
        if self._cookie is None:
            self.renew_cookie()
        return cast("str", self._cookie)

    @property
    def form_token(self) -> str:
        """What every form brings back."""
        return cookies.form_token(self.cookie)

    def has_given_out(self, token: str) -> bool:
        """Whether a page of this browser, as it is signed in now, has given out the token of a form."""
        return self._cookie is not None and cookies.is_form_token(token, self._cookie)

    @property
    def holder(self) -> bytes:
        """Under what is kept what is under way in this browser."""
        return cookies.holder_of(self.cookie)

    def renew_cookie(self) -> None:
        """Give a visitor another cookie: what was known of the one of before is worth nothing."""
        self._cookie = cookies.new_token()
        is_https = self.inside.is_https
        self.set_cookies.append(
            cookies.set_cookie(cookies.visit_cookie(is_https=is_https), self._cookie, is_https=is_https)
        )

    def become(self, token: str, max_age: int) -> None:
        """Let the browser hold this session from now on, and forget what it held as a visitor."""
        is_https = self.inside.is_https
        self._cookie = token
        self.set_cookies += [
            cookies.set_cookie(
                cookies.session_cookie(is_https=is_https), token, is_https=is_https, max_age=max_age
            ),
            cookies.set_cookie(cookies.visit_cookie(is_https=is_https), "", is_https=is_https, max_age=0),
        ]

    def forget_session(self) -> None:
        """Let the browser hold no session any more."""
        is_https = self.inside.is_https
        self.session = self._principal = self._cookie = None
        self.set_cookies.append(
            cookies.set_cookie(cookies.session_cookie(is_https=is_https), "", is_https=is_https, max_age=0)
        )

    # The API, on behalf of the member. What is not named in the path's braces becomes the query string.

    async def get(self, path: str, /, **values: Any) -> Any:
        """`await here.get("/v1/keys/{key_id}", key_id=…)`: the decoded answer. InnoError when refused."""
        return await self._ask(Asked("GET", path, values))

    async def post(self, path: str, body: Any = None, /, *, once: str | None = None, **values: Any) -> Any:
        """The same, with a JSON body.

        `once` is what the form was given when it was shown: sent twice as it is, it has happened once, and
        the second answer is the first one's. With something else typed into it, it is another form.
        """
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if once:
            key = hashlib.sha256(f"{once} {self.form.digest}".encode()).hexdigest()
            headers = ((b"idempotency-key", f"dashboard-{key}".encode()),)
        return await self._ask(Asked("POST", path, values, {} if body is None else body, headers))

    async def patch(self, path: str, body: Any, /, **values: Any) -> Any:
        """Change what the path names."""
        return await self._ask(Asked("PATCH", path, values, body))

    async def delete(self, path: str, /, **values: Any) -> Any:
        """Delete what the path names."""
        return await self._ask(Asked("DELETE", path, values))

    async def relay(
        self, path: str, /, *, accept: str = "text/csv", file: str | None = None, **values: Any
    ) -> Stream:
        """An answer of the API that goes to the browser as it comes: a file, or a stream of events.

        `file`: what a file is called, if not as the API calls it.
        """
        headers = [(b"accept", accept.encode())]
        resumed = self.header(b"last-event-id")
        if resumed is not None:
            headers.append((b"last-event-id", resumed.encode("latin-1")))
        inside = self.inside
        asked = Asked("GET", path, values, headers=tuple(headers))
        answer = await stream(inside.control_plane, self.scope, self.present, asked)
        if file is not None:
            answer.headers["content-disposition"] = f'attachment; filename="{file}"'
        answer.headers.setdefault("content-type", "application/octet-stream")
        return Stream(answer.content, status_code=answer.status, headers=answer.headers)

    async def present(self) -> Principal | Unauthenticated:
        """Who the member is now; a session that has ended, or a member who was removed, is nobody."""
        if self.inside.clock() - self._began_at < SAME_VISIT_SECONDS:
            return self.principal
        _, principal = await read_session(self.inside, self._cookie)
        return principal or Unauthenticated("standing", refusal("invalid_api_key", "The session has ended."))

    async def _ask(self, asked: Asked) -> Any:
        return await ask(self.inside.control_plane, self.scope, self.present, asked)

    # Answers.

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response[bytes]:
        """A page made of a template, which finds the visit under `here`."""
        return Response(self.rendered(template, **values), status_code=status, media_type=_HTML)

    def rendered(self, template: str, **values: Any) -> bytes:
        """The same as bytes."""
        context = {
            "here": self,
            "nav": [page for page in PAGES if self._is_open(page.scope, page.feature)]
            if self.session
            else [],
            "current": current(self.path),
            "notice": NOTICES.get(self.query("notice")),
            "form_token": self._form_field,
            **values,
        }
        return self.inside.renderer.render(template, context)

    def redirect(self, path: str, *, notice: str | None = None, **query: str) -> Response[None]:
        """Go on to a local path (303); `notice` is a row of NOTICES that is shown there."""
        values = {**query, **({"notice": notice} if notice else {})}
        return go_to(self.link(path, **values))

    def _form_field(self) -> Markup:
        """The hidden field that every form has."""
        return Markup('<input type="hidden" name="form_token" value="{}">').format(self.form_token)

    def _is_open(self, scope: str | None, feature: str | None) -> bool:
        return self.may(scope) and (feature is None or feature in self.principal.account.features)


Here = NamedDependency[SkipValidation[Visit]]
"""The visit of a member who is signed in."""

Visitor = NamedDependency[SkipValidation[Visit]]
"""The visit of anybody."""


async def read_session(inside: Inside, token: str | None) -> tuple[SessionRecord | None, Principal | None]:
    """The live session of a cookie's token, and who that is to the door."""
    if token is None:
        return None, None
    now = inside.clock()
    idle = inside.settings.dashboard.session_idle
    async with inside.database.read() as connection:
        session = await sessions.find(connection, inside.secrets.digests(token), now, seen_after=now - idle)
        if session is None:
            return None, None
        member = Member(session.member_id, session.role)
        principal = await inside.keyring.signed_in(
            connection, session.account_id, member, session.ends_at(idle)
        )
    return (None, None) if principal.account.disabled else (session, principal)


def go_to(address: str) -> Response[None]:
    """Go on to an address, wherever it is (303), with nothing to read on the way."""
    return Response(None, status_code=303, headers={"location": address}, media_type=_HTML)


def is_host(stated: str) -> bool:
    """Whether a Host header names a host, perhaps with a port, so that an address can be made of it."""
    if _looks_like_host(stated) is None:
        return False
    try:
        parts = urlsplit(f"http://{stated}")
        # Asked for a port that there cannot be, it raises, too.
        return parts.port != 0
    except ValueError:
        return False


def local_path(wanted: str, default: str = "/") -> str:
    """A path of this server that somebody may be sent to, or the default: never another server's.

    A browser takes `//host`, `/\\host` and what has control characters in it for something else than a path.
    """
    if _is_safe_path(wanted) is None or wanted.startswith("//"):
        return default
    parts = urlsplit(wanted)
    return default if parts.scheme or parts.netloc else wanted
