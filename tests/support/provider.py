"""An OpenID Connect provider, a process of its own: it shows whose account it would vouch for, and a button.

`python -m tests.support.provider` says its address. `POST /control` with JSON says who is there, and what the
provider does wrong: `{"person": {"sub": …, "email": …, "email_verified": …}, "claims": {…}, "algorithm": …}`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.support.processes import Child
from tests.support.server import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_ID = "innoai"
CLIENT_SECRET = "a-secret-of-the-client-in-a-test"


class Provider:
    """The running provider, for tests to talk to."""

    def __init__(self, address: str) -> None:
        self.issuer = address

    def vouches_for(self, sub: str, email: str | None, *, verified: bool = True, name: str = "") -> None:
        """Let this person sit at the browser from now on, and do everything right."""
        person = {"sub": sub, "email": email, "email_verified": verified, "name": name}
        self.control(person=person, claims={}, algorithm="RS256", state=None, iss=None)

    def control(self, **settings: Any) -> None:
        """Change what the provider does."""
        httpx.post(f"{self.issuer}/control", json=settings).raise_for_status()


def running(directory: Path) -> Iterator[Provider]:
    """The provider while it is used."""
    environment = {**clean_environment(), "PYTHONPATH": str(Path(__file__).parents[2])}
    child = Child([sys.executable, "-m", "tests.support.provider"], directory, environment)
    try:
        child.wait_until_listening()
        yield Provider(child.address)
    finally:
        child.stop()


class Desk:
    """What the provider knows."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"})
        self.codes: dict[str, dict[str, str]] = {}
        self.settings: dict[str, Any] = {"claims": {}, "algorithm": "RS256"}


DESK = Desk()


class Handler(BaseHTTPRequestHandler):
    """The provider's five addresses."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    @property
    def issuer(self) -> str:
        host, port = self.connection.getsockname()
        return f"http://{host}:{port}"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self.answer(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/jwks",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif parts.path == "/jwks":
            self.answer({"keys": [DESK.key.as_dict(private=False)]})
        elif parts.path == "/authorize":
            self.authorize(query)
        elif parts.path == "/continue":
            self.go_on(query)
        else:
            self.answer({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/control":
            DESK.settings |= json.loads(content)
            if DESK.settings.pop("new_key", False):
                DESK.key = RSAKey.generate_key(2048, parameters={"kid": "two", "use": "sig"})
            self.answer({})
        elif self.path == "/token":
            self.token({name: values[0] for name, values in parse_qs(content).items()})
        else:
            self.answer({"error": "not_found"}, 404)

    def authorize(self, query: dict[str, str]) -> None:
        """Show who is there; what RFC 6749 and RFC 7636 ask of the client is asked."""
        asked = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256"}
        wrong = [name for name, value in asked.items() if query.get(name) != value]
        missing = [
            name for name in ("state", "nonce", "code_challenge", "redirect_uri") if not query.get(name)
        ]
        if wrong or missing or "openid" not in query.get("scope", "").split():
            self.answer({"error": "invalid_request", "wrong": wrong, "missing": missing}, 400)
            return
        email = DESK.settings["person"]["email"]
        page = f'<title>Example Login</title><a href="/continue?{urlencode(query)}">Continue as {email}</a>'
        self.send(page.replace("&", "&amp;").encode(), 200, "text/html; charset=utf-8")

    def go_on(self, query: dict[str, str]) -> None:
        """Back to the client, with a code."""
        code = secrets.token_urlsafe(16)
        DESK.codes[code] = query
        back = {"code": code, "state": DESK.settings.get("state") or query["state"]}
        if DESK.settings.get("iss"):
            back["iss"] = DESK.settings["iss"]
        self.send_response(302)
        self.send_header("location", f"{query['redirect_uri']}?{urlencode(back)}")
        self.send_header("content-length", "0")
        self.end_headers()

    def token(self, form: dict[str, str]) -> None:
        """Change a code, once, for an ID token; with the client's secret and the verifier of its journey."""
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        given = self.headers.get("authorization", "").removeprefix("Basic ")
        begun = DESK.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if given != basic:
            self.answer({"error": "invalid_client"}, 401)
        elif (
            begun is None
            or begun["code_challenge"] != challenge
            or begun["redirect_uri"] != form.get("redirect_uri")
        ):
            self.answer({"error": "invalid_grant"}, 400)
        else:
            token = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 60}
            self.answer({**token, "id_token": self.id_token(begun)})

    def id_token(self, begun: dict[str, str]) -> str:
        now = int(time.time())
        # Whoever is asked for a new proof gives it at once, and only then is the time of it told.
        proved = {"auth_time": now} if "max_age" in begun else {}
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 60,
            "nonce": begun["nonce"],
            **proved,
            **DESK.settings["person"],
            **DESK.settings["claims"],
        }
        algorithm = DESK.settings["algorithm"]
        header = {"alg": algorithm, "kid": DESK.key.kid}
        if algorithm == "none":
            parts = [json.dumps(part).encode() for part in (header, claims)]
            return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
        if algorithm == "HS256":
            return jwt.encode(header, claims, OctKey.import_key(CLIENT_SECRET))
        key = RSAKey.generate_key(2048) if algorithm == "another key" else DESK.key
        return jwt.encode({**header, "alg": "RS256"}, claims, key)

    def answer(self, content: dict[str, Any], status: int = 200) -> None:
        self.send(json.dumps(content).encode(), status, "application/json")

    def send(self, body: bytes, status: int, media_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until stopped."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    print(json.dumps({"event": "listening", "address": address}), file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
