"""What schemathesis found, and what it cannot send: each an answer of ours, none a failure."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from innoai.api.operations.operation import MODEL
from tests.support.envelope import refused
from tests.support.store import change_store

if TYPE_CHECKING:
    import httpx

    from tests.support.server import Server

CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}
DELETING = """
    CREATE TRIGGER deleting AFTER INSERT ON audit_entries
    WHEN NEW.action = 'customer.created'
        AND (SELECT count(*) FROM audit_entries WHERE instr(content, 'NAME')) <= DELETIONS
    BEGIN DELETE FROM customers WHERE id = NEW.target_id; END
"""
"""Somebody who deletes a customer of that name as soon as it is there, as often as that."""


def new_key(caller: httpx.Client, **members: object) -> httpx.Response:
    return caller.post("/v1/keys", json={"name": "Odd", **members})


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(caller):
    content = '{"name": "Odd", "rate_limit": 391.0}'
    assert caller.post("/v1/keys", content=content, headers=JSON).json()["rate_limit"] == 391
    tokens = f'{{"model": "{MODEL}", "input": [[1.0, 2]]}}'
    assert caller.post("/v1/embeddings", content=tokens, headers=JSON).status_code == 200


@pytest.mark.parametrize("number", ["391.5", "1e400", "9" * 4500, "NaN", '"391"', "0.0"])
def test_what_is_no_whole_number_in_range_is_none(number, caller):
    refused(
        caller.post("/v1/keys", content=f'{{"name": "Odd", "rate_limit": {number}}}', headers=JSON),
        "invalid_request",
    )


def test_an_expiry_beyond_the_last_year_in_utc_is_the_end_of_that_year(caller):
    answer = new_key(caller, expires_at="9999-12-31T23:59:59-12:00")
    assert answer.json()["expires_at"] == "9999-12-31T23:59:59Z"


def test_an_expiry_before_the_first_year_leaves_the_key_readable(caller):
    key_id = new_key(caller).json()["id"]
    caller.patch(f"/v1/keys/{key_id}", json={"expires_at": "0001-01-01T00:00:00+14:00"})
    assert caller.get(f"/v1/keys/{key_id}").json()["status"] == "expired"


@pytest.mark.parametrize(
    "query",
    ["status=null", "customer_id=", "limit=null", "limit=%2B5", "limit=1e1", "limit=%EF%BC%95", "limit"],
)
def test_a_query_is_taken_as_it_is_written(query, caller):
    refused(caller.get(f"/v1/keys?{query}"), "invalid_request")


@pytest.mark.parametrize("instant", ["2026-11-25T00:00:00", "yesterday", "1795000000"])
def test_who_writes_no_instant_is_told_how_one_is_written(instant, caller):
    for answer in (caller.get(f"/v1/audit?from={instant}"), new_key(caller, expires_at=instant)):
        assert "such as 2026-11-24T22:07:02Z" in refused(answer, "invalid_request")["message"]


def test_a_date_says_from_when_on_but_not_when_something_ends(caller):
    assert caller.get("/v1/audit?from=2026-11-25").status_code == 200
    refused(new_key(caller, expires_at="2026-11-25"), "invalid_request")


def test_a_customer_named_null_is_a_customer(caller):
    ours = new_key(caller, customer_id="null").json()["id"]
    new_key(caller)
    listed = caller.get("/v1/keys", params={"customer_id": "null"}).json()["data"]
    assert [key["id"] for key in listed] == [ours]


@pytest.mark.parametrize(("deletions", "status"), [(1, 200), (9, 409)])
def test_a_customer_that_is_deleted_while_its_token_is_minted_is_no_failure(
    deletions, status, caller, echoing
):
    name = f"fleeting-{deletions}"
    change_store(echoing, DELETING.replace("NAME", name).replace("DELETIONS", str(deletions)))
    try:
        answer = caller.post("/v1/auth/token", json={"customer_id": name})
    finally:
        change_store(echoing, "DROP TRIGGER deleting")
    assert answer.status_code == status


def test_a_parameter_counts_once(caller):
    answer = caller.get("/v1/keys?status=active&status=revoked")
    assert refused(answer, "invalid_request")["param"] == "status"


def test_two_idempotency_keys_are_none(caller):
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    refused(caller.post("/v1/keys", json={"name": "Odd"}, headers=headers), "invalid_request")


def test_two_credentials_for_one_token_are_none(caller):
    refused(caller.post("/v1/auth/token", json={"api_key": "sk-inno-another"}), "invalid_api_key")


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/customers", "/v1/auth/introspect"])
def test_a_route_that_reads_json_reads_nothing_else(path, caller):
    answer = caller.post(path, content="{}", headers={"content-type": "text/plain"})
    refused(answer, "unsupported_media_type")


@pytest.mark.parametrize("name", ["%00", "%ff%fe", "%ed%a0%80", "a%00b"])
@pytest.mark.parametrize("path", ["/v1/keys/", "/v1/customers/", "/v1/models/"])
def test_no_byte_in_a_path_is_more_than_a_name_that_is_not_there(path, name, caller):
    assert caller.get(path + name).status_code == 404


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (CHAT, f'{{"model": "{MODEL}", "messages": [{{"role": "user", "content": [1]}}]}}'),
        (CHAT, f'{{"model": "{MODEL}", "messages": []}}'),
        ("/v1/responses", f'{{"model": "{MODEL}", "input": [5]}}'),
        ("/v1/embeddings", f'{{"model": "{MODEL}", "input": {{}}}}'),
        ("/v1/audio/speech", f'{{"model": "{MODEL}", "input": "Hello"}}'),
    ],
)
def test_the_echo_refuses_what_it_cannot_read(path, content, caller):
    answer = caller.post(path, content=content, headers=JSON)
    assert answer.status_code == 400
    assert "echo upstream" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["Model", "MODEL", "Stream", "\u017ftream", "Stream_Options"])
def test_a_member_that_some_servers_would_read_as_one_that_counts_is_refused(name, caller):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    refused(caller.post(CHAT, json={**body, name: "x"}), "invalid_request")
    refused(caller.post(CHAT, json={name: "x", **body}), "invalid_request")
    assert caller.post(CHAT, json={**body, "Seed": 1, "seed": 1}).status_code == 200


def test_the_echo_refuses_a_form_where_it_wants_json_and_a_form_without_its_file(caller):
    fields = {"model": (None, MODEL), "messages": (None, "Hello")}
    assert caller.post(CHAT, files=fields).status_code == 400
    assert caller.post("/v1/audio/transcriptions", files={"model": (None, MODEL)}).status_code == 400


@pytest.mark.parametrize("path", ["/v1/keys", CHAT])
@pytest.mark.parametrize(
    "credential", [b"Bearer \xff\xfe", b"Bearer \xc3\xa9.\xc3\xa9.\xc3\xa9", b"Basic eA==", b""]
)
def test_whatever_the_authorization_header_holds_is_a_credential_or_none(path, credential, echoing):
    answer = raw(
        echoing, b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n" % (path.encode(), credential)
    )
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nwww-authenticate: Bearer " in answer


def test_a_refused_head_has_no_body(echoing):
    answer = raw(echoing, b"HEAD %b HTTP/1.1\r\nHost: x\r\n" % CHAT.encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert body == b""


def raw(server: Server, head: bytes) -> bytes:
    """The whole answer to a request that clients would not send."""
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(head + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))
