"""Tokens over the wire: no false one is let in, and a true one dies with whatever it hangs on."""

from __future__ import annotations

import base64
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.support.envelope import refused
from tests.support.forger import claims_of, forger_of, payload_of
from tests.support.replica import disable_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.forger import Forger
    from tests.support.server import Server

ROUTES = [("GET", "/models"), ("GET", "/auth/validate")]
FORGED_JWK = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(value: Any) -> str:
    return b64(json.dumps(value, separators=(",", ":")).encode())


class Counterfeit:
    """The pieces of a true token, to be put together wrongly but with a signature that is right."""

    def __init__(self, token: str, forger: Forger) -> None:
        self.token = token
        self.header, self.payload, self.signature = token.split(".")
        self.secret = forger.key.secret
        self.kid = forger.key.kid
        self.claims = payload_of(token)
        self.forger = forger

    def signed(self, header: str, payload: str, digest: str = "sha256", secret: bytes | None = None) -> str:
        text = f"{header}.{payload}"
        key = self.secret if secret is None else secret
        return f"{text}.{b64(hmac.digest(key, text.encode(), digest))}"

    def under(self, **header: object) -> str:
        """The true payload under another header."""
        whole = {"alg": "HS256", "typ": "JWT", "kid": self.kid, **header}
        return self.signed(
            encoded({name: value for name, value in whole.items() if value is not None}), self.payload
        )

    def saying(self, **claims: object) -> str:
        """The true header over other claims; None leaves one out."""
        whole = {**self.claims, **claims}
        return self.signed(
            self.header, encoded({name: value for name, value in whole.items() if value is not None})
        )


COUNTERFEITS: dict[str, Callable[[Counterfeit], str]] = {
    "no signature": lambda t: f"{t.header}.{t.payload}.",
    "two segments": lambda t: f"{t.header}.{t.payload}",
    "four segments": lambda t: f"{t.token}.{t.signature}",
    "alg none": lambda t: f"{encoded({'alg': 'none', 'typ': 'JWT', 'kid': t.kid})}.{t.payload}.",
    "alg nOnE, signed": lambda t: t.under(alg="nOnE"),
    "alg HS512": lambda t: t.signed(
        encoded({"alg": "HS512", "typ": "JWT", "kid": t.kid}), t.payload, "sha512"
    ),
    "alg HS384 in name only": lambda t: t.under(alg="HS384"),
    "alg left out": lambda t: t.under(alg=None),
    "alg in lower case": lambda t: t.under(alg="hs256"),
    "another kid": lambda t: t.under(kid="sig_another"),
    "no kid": lambda t: t.under(kid=None),
    "a kid that is a path": lambda t: t.under(kid="../../dev/null"),
    "a jwk of the forger's": lambda t: t.under(jwk=FORGED_JWK),
    "a jku of the forger's": lambda t: t.under(jku="https://forger.example/jwks.json"),
    "an x5u of the forger's": lambda t: t.under(x5u="https://forger.example/x.pem"),
    "an unknown crit": lambda t: t.under(crit=["exp2"], exp2=1),
    "b64 false": lambda t: t.under(b64=False, crit=["b64"]),
    "another order in the header": lambda t: t.signed(
        encoded({"kid": t.kid, "typ": "JWT", "alg": "HS256"}), t.payload
    ),
    "a duplicate member": lambda t: t.signed(
        t.header, b64(json.dumps(t.claims, separators=(",", ":")).encode()[:-1] + b',"scope":"admin:full"}')
    ),
    "an empty secret's signature": lambda t: t.signed(t.header, t.payload, secret=b""),
    "another secret's signature": lambda t: t.signed(t.header, t.payload, secret=b"x" * 32),
    "one bit of the signature": lambda t: t.token[:-2] + ("A" if t.token[-2] != "A" else "B") + t.token[-1],
    "a truncated signature": lambda t: t.token[:-4],
    "stray bits in the signature": lambda t: t.token[:-1] + chr(ord(t.token[-1]) + 1),
    "padding": lambda t: t.token + "=",
    "a line feed": lambda t: t.token[:-1] + "%0A",
    "the other base64 alphabet": lambda t: t.token.replace("-", "+").replace("_", "/") + "/",
    "more scopes": lambda t: f"{t.header}.{encoded({**t.claims, 'scope': 'admin:full'})}.{t.signature}",
    "a later exp": lambda t: f"{t.header}.{encoded({**t.claims, 'exp': t.claims['exp'] + 1})}.{t.signature}",
    "exp as text": lambda t: t.saying(exp=str(t.claims["exp"])),
    "exp as a fraction": lambda t: t.saying(exp=t.claims["exp"] + 0.5),
    "no exp": lambda t: t.saying(exp=None),
    "no jti": lambda t: t.saying(jti=None),
    "another issuer": lambda t: t.saying(iss="somebody"),
    "another audience": lambda t: t.saying(aud="somebody"),
    "several audiences": lambda t: t.saying(aud=["innoai"]),
    "a token from the future": lambda t: t.forger.remade(t.token, iat=int(time.time()) + 600),
    "an unknown claim": lambda t: t.saying(admin=True),
    "a list for claims": lambda t: t.signed(t.header, encoded([t.claims])),
    "not JSON": lambda t: t.signed(t.header, b64(b"hello")),
    "not UTF-8": lambda t: t.signed(t.header, b64(b'{"iss":"\xff"}')),
    "an unknown use": lambda t: t.saying(token_use="id"),
    "a key that there is not": lambda t: t.forger.remade(t.token, client_id="key_" + "0" * 22),
    "a customer that there is not": lambda t: t.forger.remade(
        t.token, sub="cus_" + "0" * 22, customer_id="nobody"
    ),
    "8 KiB and a byte": lambda t: t.saying(scope=t.claims["scope"] + " " * 8000),
}


@pytest.fixture
def key(admin: httpx.Client) -> dict[str, Any]:
    return create_key(admin)


@pytest.fixture(scope="module")
def counterfeit(admin: httpx.Client, forger: Forger) -> Counterfeit:
    return Counterfeit(mint(admin, create_key(admin)["key"])["access_token"], forger)


@pytest.mark.parametrize("make", COUNTERFEITS.values(), ids=COUNTERFEITS.keys())
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_false_token_is_refused(
    anyone: httpx.Client,
    counterfeit: Counterfeit,
    make: Callable[[Counterfeit], str],
    method: str,
    path: str,
) -> None:
    assert anyone.request(method, path, headers=bearer(counterfeit.token)).status_code == 200
    refused(anyone.request(method, path, headers=bearer(make(counterfeit))), "invalid_api_key")


def test_a_token_of_another_installation_is_refused(
    anyone: httpx.Client, new_server: Callable[..., Server], usual_settings: str, key: dict[str, Any]
) -> None:
    other = forger_of(new_server(usual_settings))
    stranger = other.remade(mint(anyone, key["key"])["access_token"])
    refused(anyone.get("/models", headers=bearer(stranger)), "invalid_api_key")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_an_expired_token_says_so(
    anyone: httpx.Client, forger: Forger, key: dict[str, Any], method: str, path: str
) -> None:
    expired = forger.expired(mint(anyone, key["key"])["access_token"])
    answer = anyone.request(method, path, headers=bearer(expired))
    assert "/v1/auth/refresh" in refused(answer, "token_expired")["message"]


def test_a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing(
    anyone: httpx.Client, key: dict[str, Any]
) -> None:
    pair = mint(anyone, key["key"])
    for path in ("/models", "/auth/validate"):
        refused(anyone.get(path, headers=bearer(pair["refresh_token"])), "invalid_api_key")
    refused(anyone.post("/auth/refresh", json={"refresh_token": pair["access_token"]}), "invalid_api_key")


def test_an_expired_refresh_token_refreshes_nothing(
    anyone: httpx.Client, forger: Forger, key: dict[str, Any]
) -> None:
    expired = forger.expired(mint(anyone, key["key"])["refresh_token"])
    refused(anyone.post("/auth/refresh", json={"refresh_token": expired}), "token_expired")


def test_a_token_mints_no_token(anyone: httpx.Client, key: dict[str, Any]) -> None:
    token = mint(anyone, key["key"])["access_token"]
    refused(anyone.post("/auth/token", json={}, headers=bearer(token)), "insufficient_permissions")


# What a token hangs on.


def alive(client: httpx.Client, pair: dict[str, Any]) -> list[int]:
    """What an access token's users and a refresh token's user are answered."""
    access = [client.get(path, headers=bearer(pair["access_token"])).status_code for _, path in ROUTES]
    return [*access, client.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]}).status_code]


def test_a_token_dies_with_its_key(anyone: httpx.Client, admin: httpx.Client, key: dict[str, Any]) -> None:
    pair = mint(anyone, key["key"])
    assert alive(anyone, pair) == [200, 200, 200]
    assert admin.delete(f"/keys/{key['id']}").status_code == 204
    assert alive(anyone, pair) == [401, 401, 401]


def test_a_token_dies_with_its_expired_key(
    anyone: httpx.Client, admin: httpx.Client, key: dict[str, Any]
) -> None:
    pair = mint(anyone, key["key"])
    assert admin.patch(f"/keys/{key['id']}", json={"expires_at": "2020-01-01T00:00:00Z"}).status_code == 200
    assert alive(anyone, pair) == [401, 401, 401]


def test_a_token_says_no_later_end_than_its_keys(anyone: httpx.Client, admin: httpx.Client) -> None:
    """Who verifies it elsewhere, by the public keys, sees signature and expiry alone."""
    ends = int(time.time()) + 600
    key = create_key(admin, expires_at=datetime.fromtimestamp(ends, UTC).isoformat())
    pair = mint(anyone, key["key"], rotate=True)
    for tokens in (pair, anyone.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]}).json()):
        assert 500 < tokens["expires_in"] <= 600
        assert payload_of(tokens["access_token"])["exp"] == ends
        assert payload_of(tokens["refresh_token"])["exp"] == ends


def test_a_token_sleeps_while_its_customer_is_disabled(
    anyone: httpx.Client, admin: httpx.Client, key: dict[str, Any]
) -> None:
    pair = mint(anyone, key["key"], customer_id="sleeper")
    admin.patch("/customers/sleeper", json={"disabled": True})
    assert alive(anyone, pair) == [401, 401, 401]
    admin.patch("/customers/sleeper", json={"disabled": False})
    assert alive(anyone, pair) == [200, 200, 200]


def test_a_token_dies_with_its_customer_even_when_one_of_that_name_comes_again(
    anyone: httpx.Client, admin: httpx.Client, key: dict[str, Any]
) -> None:
    pair = mint(anyone, key["key"], customer_id="mortal")
    assert admin.delete("/customers/mortal").status_code == 204
    assert alive(anyone, pair) == [401, 401, 401]
    assert admin.post("/customers", json={"customer_id": "mortal"}).status_code == 201
    assert alive(anyone, pair) == [401, 401, 401]


def test_a_token_shrinks_with_its_key(anyone: httpx.Client, admin: httpx.Client, key: dict[str, Any]) -> None:
    token = mint(anyone, key["key"])["access_token"]
    admin.patch(f"/keys/{key['id']}", json={"scopes": ["inference:read"]})
    error = refused(
        anyone.post("/chat/completions", json=HELLO, headers=bearer(token)), "insufficient_permissions"
    )
    assert error["required_scope"] == "inference:write"
    admin.patch(f"/keys/{key['id']}", json={"allowed_ips": ["10.0.0.0/8"]})
    refused(anyone.get("/models", headers=bearer(token)), "ip_not_allowed")


def test_a_revoked_access_token_is_dead_and_its_family_lives(
    anyone: httpx.Client, key: dict[str, Any]
) -> None:
    pair = mint(anyone, key["key"])
    assert anyone.post("/auth/revoke", json={"token": pair["access_token"]}).json() == {}
    assert alive(anyone, pair) == [401, 401, 200]


def test_a_revoked_refresh_token_takes_its_family_along(anyone: httpx.Client, key: dict[str, Any]) -> None:
    pair = mint(anyone, key["key"])
    second = anyone.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]}).json()
    stranger = mint(anyone, key["key"])
    form = {"token": pair["refresh_token"], "token_type_hint": "refresh_token"}
    assert anyone.post("/auth/revoke", data=form).json() == {}
    assert alive(anyone, pair) == alive(anyone, second) == [401, 401, 401]
    assert alive(anyone, stranger) == [200, 200, 200]


def test_keys_and_tokens_die_with_their_account_wherever_it_was_disabled(
    new_server: Callable[..., Server], usual_settings: str
) -> None:
    own = new_server(usual_settings)
    with httpx.Client(base_url=own.base_url) as client:
        pair = mint(client, own.admin_key)
        assert alive(client, pair) == [200, 200, 200]
        disable_account(own)
        promised = time.monotonic() + 10
        while client.get("/models", headers=bearer(own.admin_key)).status_code == 200:
            assert time.monotonic() < promised
        assert alive(client, pair) == [401, 401, 401]
        answer = client.get("/auth/validate", headers=bearer(own.admin_key))
        assert "account" in refused(answer, "invalid_api_key")["message"]


# Never wider than the key.


@pytest.mark.parametrize(
    ("scopes", "wanted", "missing"),
    [
        (["inference:read"], ["inference:read", "inference:write"], "inference:write"),
        (["customers:read"], ["admin:full"], "admin:full"),
        (["customers:write"], ["customers:read"], "customers:read"),
    ],
)
def test_a_token_gets_no_scope_that_its_key_lacks(
    anyone: httpx.Client, admin: httpx.Client, scopes: list[str], wanted: list[str], missing: str
) -> None:
    key = create_key(admin, scopes=scopes)["key"]
    answer = anyone.post("/auth/token", json={"scopes": wanted}, headers=bearer(key))
    assert refused(answer, "insufficient_permissions")["required_scope"] == missing


def test_a_customers_token_never_carries_admin_full(server: Server, anyone: httpx.Client) -> None:
    asked = {"customer_id": "eve", "scopes": ["admin:full"]}
    answer = anyone.post("/auth/token", json=asked, headers=bearer(server.admin_key))
    refused(answer, "insufficient_permissions")
    assert (
        "admin:full"
        not in claims_of(mint(anyone, server.admin_key, customer_id="eve")["access_token"]).scopes
    )


def test_a_customers_token_sees_its_own_customer_alone(
    anyone: httpx.Client, admin: httpx.Client, server: Server
) -> None:
    for customer in ("alice", "bob"):
        assert admin.post("/customers", json={"customer_id": customer}).status_code == 201
    scopes = ["customers:read", "customers:write", "customers:delete"]
    alice = bearer(mint(anyone, server.admin_key, customer_id="alice", scopes=scopes)["access_token"])
    assert [row["customer_id"] for row in anyone.get("/customers", headers=alice).json()["data"]] == ["alice"]
    assert anyone.get("/customers/alice", headers=alice).status_code == 200
    assert anyone.patch("/customers/alice", json={"name": "Alice"}, headers=alice).status_code == 200
    refused(anyone.get("/customers/bob", headers=alice), "not_found")
    refused(anyone.patch("/customers/bob", json={"name": "Eve"}, headers=alice), "not_found")
    refused(anyone.delete("/customers/bob", headers=alice), "not_found")
    refused(
        anyone.post("/customers", json={"customer_id": "carol"}, headers=alice), "insufficient_permissions"
    )
    refused(
        anyone.patch("/customers/alice", json={"disabled": False}, headers=alice), "insufficient_permissions"
    )
    bobs = mint(anyone, server.admin_key, customer_id="bob")["access_token"]
    assert anyone.post("/auth/introspect", json={"token": bobs}, headers=alice).json() == {"active": False}
    assert anyone.post("/auth/introspect", json={"token": server.admin_key}, headers=alice).json() == {
        "active": False
    }
    assert admin.get("/customers/bob").json()["name"] is None


def test_a_key_bound_to_a_customer_stays_within_it(anyone: httpx.Client, admin: httpx.Client) -> None:
    key = create_key(admin, customer_id="dora", scopes=["inference:read", "customers:read"])["key"]
    assert claims_of(mint(anyone, key)["access_token"]).customer_id == "dora"
    answer = anyone.post("/auth/token", json={"customer_id": "alice"}, headers=bearer(key))
    refused(answer, "insufficient_permissions")
    assert [row["customer_id"] for row in anyone.get("/customers", headers=bearer(key)).json()["data"]] == [
        "dora"
    ]


# Rotating refresh tokens.


def refresh(client: httpx.Client, token: str) -> httpx.Response:
    return client.post("/auth/refresh", json={"refresh_token": token})


def test_a_refresh_token_stays_the_same_by_default(anyone: httpx.Client, key: dict[str, Any]) -> None:
    pair = mint(anyone, key["key"], expires_in=60)
    for _ in range(3):
        answer = refresh(anyone, pair["refresh_token"]).json()
        assert (answer["refresh_token"], answer["expires_in"]) == (pair["refresh_token"], 60)


def test_each_use_of_a_rotating_refresh_token_gives_a_successor(
    anyone: httpx.Client, key: dict[str, Any]
) -> None:
    tokens = [mint(anyone, key["key"], rotate=True)["refresh_token"]]
    for _ in range(3):
        answer = refresh(anyone, tokens[-1]).json()
        assert anyone.get("/models", headers=bearer(answer["access_token"])).status_code == 200
        tokens.append(answer["refresh_token"])
    assert len(set(tokens)) == 4


def test_parallel_uses_of_a_rotating_refresh_token_give_one_successor(
    anyone: httpx.Client, key: dict[str, Any]
) -> None:
    first = mint(anyone, key["key"], rotate=True)["refresh_token"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: refresh(anyone, first), range(48)))
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    assert refresh(anyone, successor).status_code == 200


def test_a_retry_gets_the_same_successor(anyone: httpx.Client, key: dict[str, Any]) -> None:
    first = mint(anyone, key["key"], rotate=True)["refresh_token"]
    assert refresh(anyone, first).json()["refresh_token"] == refresh(anyone, first).json()["refresh_token"]


def test_a_replay_of_an_older_refresh_token_ends_the_family(
    anyone: httpx.Client, key: dict[str, Any]
) -> None:
    pair = mint(anyone, key["key"], rotate=True)
    second = refresh(anyone, pair["refresh_token"]).json()
    third = refresh(anyone, second["refresh_token"]).json()
    refused(refresh(anyone, pair["refresh_token"]), "invalid_api_key")
    for answer in (pair, second, third):
        assert alive(anyone, answer) == [401, 401, 401]


def test_a_forged_generation_ends_the_family(
    anyone: httpx.Client, forger: Forger, key: dict[str, Any]
) -> None:
    """A token that was never handed out, though signed rightly, is a replay of the worst kind."""
    pair = mint(anyone, key["key"], rotate=True)
    refused(refresh(anyone, forger.remade(pair["refresh_token"], generation=7)), "invalid_api_key")
    assert alive(anyone, pair) == [401, 401, 401]


def test_what_was_rotated_and_revoked_stays_so_after_a_restart(
    new_server: Callable[..., Server], usual_settings: str
) -> None:
    own = new_server(usual_settings)
    with httpx.Client(base_url=own.base_url) as client:
        rotating = mint(client, own.admin_key, rotate=True)
        second = refresh(client, rotating["refresh_token"]).json()
        revoked = mint(client, own.admin_key)
        client.post("/auth/revoke", json={"token": revoked["refresh_token"]})
        single = mint(client, own.admin_key)
        client.post("/auth/revoke", json={"token": single["access_token"]})
        replayed = mint(client, own.admin_key, rotate=True)
        later = refresh(client, refresh(client, replayed["refresh_token"]).json()["refresh_token"]).json()
        refresh(client, replayed["refresh_token"])
    assert own.stop() == 0
    own.start()
    with httpx.Client(base_url=own.base_url) as client:
        assert alive(client, revoked) == alive(client, later) == [401, 401, 401]
        assert alive(client, single) == [401, 401, 200]
        retried = refresh(client, rotating["refresh_token"]).json()
        assert retried["refresh_token"] == second["refresh_token"]
        assert refresh(client, second["refresh_token"]).status_code == 200


def test_a_keys_id_is_no_proof_and_revokes_nothing(admin: httpx.Client, anyone: httpx.Client) -> None:
    key = create_key(admin)
    assert anyone.post("/auth/revoke", json={"token": key["id"]}).json() == {}
    assert admin.post("/auth/revoke", json={"token": key["id"]}).json() == {}
    assert admin.get(f"/keys/{key['id']}").json()["status"] == "active"
    assert anyone.get("/auth/validate", headers=bearer(key["key"])).status_code == 200


def test_a_keys_id_is_not_introspected_as_if_it_were_the_key(admin: httpx.Client) -> None:
    key = create_key(admin)
    assert admin.post("/auth/introspect", json={"token": key["id"]}).json() == {"active": False}


@pytest.mark.parametrize("members", [{"scopes": ["admin:full"]}, {"level": "admin"}])
def test_a_customers_key_never_carries_admin(admin: httpx.Client, members: dict[str, Any]) -> None:
    wanted = {"name": "A customer's", "customer_id": "bound-customer", **members}
    refused(admin.post("/keys", json=wanted), "insufficient_permissions")
    key = create_key(admin, customer_id="bound-customer")
    changed = admin.patch(f"/keys/{key['id']}", json={"scopes": ["admin:full"]})
    refused(changed, "insufficient_permissions")
