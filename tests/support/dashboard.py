"""People at the dashboard: with a browser of httpx, which sends what a real one would."""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import pyotp

if TYPE_CHECKING:
    from tests.support.server import Server

PASSWORD = "four lamps over the water"
FORM_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
SESSION = "innoai_session"
OWNER = "ana@example.com"


@dataclass(slots=True)
class Person:
    """Somebody at a server, whose cookies `client` keeps; `email` is known once they have joined."""

    client: httpx.Client
    email: str = ""

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Open a page; redirects are not followed."""
        return self.client.get(path, params=query or None)

    def post(
        self, path: str, fields: dict[str, Any] | None = None, *, page: str | None = None
    ) -> httpx.Response:
        """Send a form as the browser would that has opened `page`, or the page of that path itself."""
        token = self.form_token(page or path)
        return self.client.post(
            path, data={"form_token": token, **(fields or {})}, headers={"origin": self.origin}
        )

    def form_token(self, page: str) -> str:
        """What the forms of a page bring back."""
        found = FORM_TOKEN.search(self.get(page).text)
        assert found is not None, f"{page} has no form"
        return unescape(found[1])

    @property
    def origin(self) -> str:
        """The server's, as a browser writes it."""
        return str(self.client.base_url).rstrip("/")

    @property
    def session(self) -> str | None:
        """What the session's cookie holds."""
        return self.client.cookies.get(SESSION)

    def sign_in(self, email: str | None = None, password: str = PASSWORD, **fields: str) -> httpx.Response:
        """Fill the sign-in form in."""
        return self.post("/login", {"email": email or self.email, "password": password, **fields})


def visitor(server: Server) -> Person:
    """Somebody who is not signed in."""
    # No connection is kept, so none is left open when the person is forgotten.
    limits = httpx.Limits(max_keepalive_connections=0)
    return Person(httpx.Client(base_url=server.origin, timeout=30, limits=limits))


def join(server: Server, invite_url: str, email: str, password: str = PASSWORD, name: str = "") -> Person:
    """Take an invitation up, as its page asks for it: whoever is given back is signed in."""
    person = visitor(server)
    token = invite_url.rpartition("invite=")[2]
    fields = {"invite": token, "email": email, "password": password, "name": name}
    answer = person.post("/setup", fields, page=f"/setup?invite={token}")
    assert answer.status_code == 303, answer.text
    person.email = email
    return person


def owner_of(server: Server, email: str = OWNER, name: str = "Ana") -> Person:
    """The first owner, who comes by the link of `innoai init`: once a server."""
    return join(server, server.setup_url, email, name=name)


def member_of(server: Server, role: str, email: str, name: str = "") -> Person:
    """A member of that role, invited by the first key."""
    headers = {"authorization": f"Bearer {server.admin_key}"}
    invited = httpx.post(f"{server.base_url}/members", json={"email": email, "role": role}, headers=headers)
    assert invited.status_code == 201, invited.text
    return join(server, invited.json()["invite_url"], email, name=name)


def set_up_app(person: Person) -> tuple[bytes, list[str]]:
    """Add an authenticator app: its secret, and the recovery codes that the page shows."""
    person.post("/settings/profile/authenticator/new", page="/settings/profile")
    page = person.get("/settings/profile/authenticator").text
    found = re.search(r'id="totp-secret">([A-Z2-7 ]+)<', page)
    assert found is not None
    secret = base64.b32decode(found[1].replace(" ", ""))
    answer = person.post("/settings/profile/authenticator", {"code": code_of(secret)})
    assert answer.status_code == 303, answer.text
    return secret, codes_on(person.get(answer.headers["location"]))


def codes_on(page: httpx.Response) -> list[str]:
    """The recovery codes that a page shows."""
    return re.findall(r"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){3}", page.text)


def code_of(secret: bytes, steps_ahead: int = 0) -> str:
    """What the app shows, or will show so many half minutes from now; the server still takes the next one."""
    return pyotp.TOTP(base64.b32encode(secret).decode()).generate_otp(int(time.time() // 30) + steps_ahead)
