"""Every remote command of `innoai`, by the installed command, against the real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access.keys import is_well_formed
from tests.contract.clients import create_key

if TYPE_CHECKING:
    import subprocess

    import httpx

    from tests.support.server import Server


def run(server: Server, *arguments: str, key: str | None = None, stdin: str = "") -> Any:
    """What the command prints with --json."""
    ended = server.cli(*arguments, "--json", key=key, stdin=stdin)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def fails(ended: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    for piece in said:
        assert piece in ended.stderr


def test_keys(server: Server) -> None:
    made = run(
        server,
        *("keys", "create", "--name", "CLI", "--scope", "inference:read", "--scope", "inference:write"),
        *("--allow-ip", "127.0.0.0/8", "--rate-limit", "500", "--expires-in", "90d"),
        *("--model", "inno-ai-boyong-4.5", "--customer", "cli-bound"),
    )
    assert is_well_formed(made["key"])
    assert (made["allowed_ips"], made["rate_limit"]) == (["127.0.0.0/8"], 500)
    assert made["customer_id"] == "cli-bound"
    shown = run(server, "keys", "show", made["id"])
    assert shown["id"] == made["id"]
    assert "key" not in shown
    listed = run(server, "keys", "list", "--customer", "cli-bound", "--status", "active")
    assert [key["id"] for key in listed["data"]] == [made["id"]]
    successor = run(server, "keys", "rotate", made["id"], "--overlap", "0", "--name", "CLI 2")
    assert (successor["rotated_from"], successor["name"]) == (made["id"], "CLI 2")
    assert run(server, "keys", "show", made["id"])["rotated_to"] == successor["id"]
    assert run(server, "keys", "revoke", successor["id"]) == {}
    assert run(server, "keys", "show", successor["id"])["status"] == "revoked"


def test_keys_for_people(server: Server) -> None:
    created = server.cli("keys", "create", "--name", "Production V2", "--level", "read")
    assert created.returncode == 0
    key = next(word for word in created.stdout.split() if is_well_formed(word))
    listed = server.cli("keys", "list")
    assert "Production V2" in listed.stdout
    assert f"sk-inno-…{key[-4:]}" in listed.stdout
    assert key not in listed.stdout
    revoked = server.cli("keys", "revoke", "-", stdin=key)
    assert (revoked.returncode, key in revoked.stdout) == (0, False)
    fails(server.cli("validate", key=key), 3, "invalid_api_key")


def test_a_list_is_continued_with_the_cursor_that_it_prints(server: Server, admin: httpx.Client) -> None:
    for number in range(3):
        create_key(admin, f"Listed {number}")
    first = run(server, "keys", "list", "--limit", "2")
    second = run(server, "keys", "list", "--limit", "2", "--cursor", first["next_cursor"])
    assert not {key["id"] for key in first["data"]} & {key["id"] for key in second["data"]}
    assert first["next_cursor"] in server.cli("keys", "list", "--limit", "2").stderr


def test_tokens(server: Server) -> None:
    narrowed = ("--customer", "cli-acme", "--scope", "inference:read", "--expires-in", "5m")
    pair = run(server, "tokens", "create", *narrowed)
    assert pair["expires_in"] == 300
    refreshed = run(server, "tokens", "refresh", pair["refresh_token"], key="")
    assert refreshed["refresh_token"] == pair["refresh_token"]
    seen = run(server, "tokens", "inspect", pair["access_token"])
    assert (seen["active"], seen["customer_id"]) == (True, "cli-acme")
    assert run(server, "validate", key=pair["access_token"])["scopes"] == ["inference:read"]
    assert run(server, "tokens", "revoke", pair["access_token"], key="") == {}
    assert run(server, "tokens", "inspect", pair["access_token"])["active"] is False
    rotating = run(server, "tokens", "create", "--rotate")
    following = run(server, "tokens", "refresh", "-", stdin=rotating["refresh_token"])
    assert following["refresh_token"] != rotating["refresh_token"]


def test_customers(server: Server) -> None:
    made = run(server, "customers", "create", "cli-one", "--name", "One", "--metadata", "plan=gold")
    assert (made["customer_id"], made["metadata"]) == ("cli-one", {"plan": "gold"})
    assert run(server, "customers", "show", "cli-one")["id"] == made["id"]
    assert run(server, "customers", "update", "cli-one", "--name", "Two")["name"] == "Two"
    assert run(server, "customers", "disable", "cli-one")["disabled"] is True
    assert run(server, "customers", "enable", "cli-one")["disabled"] is False
    assert "cli-one" in server.cli("customers", "list").stdout
    assert run(server, "customers", "delete", "cli-one", "--yes") == {}
    fails(server.cli("customers", "show", "cli-one"), 5, "not_found")


def test_validate_and_tiers(server: Server) -> None:
    assert run(server, "validate")["scopes"] == ["admin:full"]
    assert {tier["name"] for tier in run(server, "tiers")["data"]} >= {"free", "enterprise"}
    shown = server.cli("tiers").stdout
    assert "/v1/chat/completions" in shown
    assert "inference:write" in shown


def test_explain_prints_every_check_with_its_outcome(server: Server, admin: httpx.Client) -> None:
    key = create_key(admin, scopes=["inference:read"], allowed_ips=["10.0.0.0/8"])
    asked = ("explain", "--key", key["id"], "--route", "GET /v1/models")
    assert run(server, *asked, "--ip", "10.1.1.1")["allowed"] is True
    refused = server.cli(*asked, "--ip", "192.0.2.1")
    assert "ip_not_allowed" in refused.stdout
    for check in ("credential", "standing", "tenancy", "network", "scope", "model", "rate"):
        assert check in refused.stdout
    by_secret = run(server, "explain", "--key", "-", "--route", "POST /v1/keys", stdin=key["key"])
    assert by_secret["allowed"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("keys", "show", "key_" + "0" * 22), 5, "not_found"),
        (("keys", "create", "--name", "x", "--scope", "everything"), 9, "scopes"),
        (("keys", "create", "--name", "x", "--allow-ip", "nowhere"), 9, "allowed_ips"),
        (("keys", "create"), 2, "--name"),
        (("keys", "revoke", "sk-inno-tooshort"), 2, "checksum"),
        (("customers", "create", "a b"), 9, "customer_id"),
        (("tokens", "create", "--expires-in", "1s"), 9, "expires_in"),
        (("explain", "--key", "key_x", "--route", "GET /v1/nothing"), 5, "GET /v1/nothing"),
    ],
)
def test_what_is_wrong_is_said_with_its_own_exit_code(
    server: Server, arguments: tuple[str, ...], code: int, said: str
) -> None:
    fails(server.cli(*arguments), code, said)


def test_exit_codes_tell_credentials_rights_limits_and_servers_apart(
    server: Server, admin: httpx.Client
) -> None:
    fails(server.cli("validate", key="sk-inno-" + "0" * 49), 3, "invalid_api_key")
    limited = create_key(admin, scopes=["inference:read"], rate_limit=1)["key"]
    fails(server.cli("customers", "list", key=limited), 4, "customers:read")
    server.cli("validate", key=limited)
    fails(server.cli("validate", key=limited), 7, "rate_limit_exceeded")
    fails(server.cli("--base-url", "http://127.0.0.1:1/v1", "validate"), 8, "127.0.0.1:1")
