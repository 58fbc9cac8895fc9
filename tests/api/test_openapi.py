from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from innoai.access.routes import INFERENCE_POSTS, ROUTES
from innoai.api import docs
from innoai.api.admission import path_template
from innoai.api.app import HANDLERS
from innoai.api.openapi import CREDENTIAL_IN_BODY, error_codes
from innoai.api.operations import OPERATIONS
from innoai.errors import ERRORS
from innoai.gateway.failing_over import TOLD_IN_ITS_OWN_WORDS, refused_by

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT: dict[str, Any] = json.loads(docs.DOCUMENT)
EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def rendered(operation: Any) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def test_the_document_is_openapi_3_1():
    assert DOCUMENT["openapi"].startswith("3.1.")
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)


def test_every_reference_leads_somewhere_and_no_component_is_forgotten():
    used = set(references(DOCUMENT))
    for reference in used:
        assert resolved(reference)
    components = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in DOCUMENT["components"][kind]
    }
    assert components == used


def test_the_envelope_knows_every_code_and_type_of_the_table():
    envelope = DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["properties"]
    assert envelope["code"]["enum"] == list(ERRORS)
    assert set(envelope["type"]["enum"]) == {kind.type for kind in ERRORS.values()}


@EACH
def test_every_refusal_is_under_the_status_of_its_code(operation):
    for code in error_codes(operation):
        status = ERRORS[code].status
        if status in operation.also:
            continue
        response = resolved(rendered(operation)["responses"][str(status)]["$ref"])
        assert code in response["content"]["application/json"]["examples"]


def test_every_code_that_a_route_can_give_is_documented_somewhere():
    documented = {code for operation in OPERATIONS for code in error_codes(operation)}
    # What a path does not take is no operation.
    assert documented == ERRORS.keys() - {"method_not_allowed"}


def test_whatever_a_budget_pays_for_can_be_refused_for_want_of_it():
    envelopes = {
        (operation.method, operation.path)
        for operation in OPERATIONS
        if "402" in rendered(operation)["responses"]
    }
    assert envelopes == {("POST", path) for path in INFERENCE_POSTS}
    refusal = DOCUMENT["components"]["responses"]["InsufficientQuota"]["content"]["application/json"]
    assert refusal["examples"]["insufficient_quota"]["value"]["error"]["type"] == "insufficient_quota"


@EACH
def test_what_a_model_server_says_itself_is_promised_where_it_is_relayed(operation):
    """Every status is asked for, so that the document cannot fall behind what is relayed."""
    responses = rendered(operation)["responses"]
    for status in (*range(400, 406), 409, 418, 422, 429, 500, 501, 502, 503, 504, 505):
        if operation.relayed and (refused_by(status) is None or status in TOLD_IN_ITS_OWN_WORDS):
            response = responses.get(str(status)) or responses[f"{status // 100}XX"]
            assert "UpstreamRefusal" in json.dumps(resolved(response["$ref"]))


def test_envoy_is_promised_the_one_status_that_it_takes_for_a_yes():
    responses = DOCUMENT["paths"]["/v1/auth/forward"]["get"]["responses"]
    assert responses["200"]["description"].startswith("The yes to Envoy")
    assert responses["200"]["content"]["text/plain"]["schema"]["maxLength"] == 0
    assert "content" not in responses["204"]


def test_what_a_caller_acts_on_is_promised_with_a_refusal():
    for response in DOCUMENT["components"]["responses"].values():
        assert "x-request-id" in response["headers"]
    assert "WWW-Authenticate" in DOCUMENT["components"]["responses"]["InvalidApiKeyTokenExpired"]["headers"]
    assert "Retry-After" in DOCUMENT["components"]["responses"]["RateLimitExceeded"]["headers"]


@EACH
def test_a_route_asks_for_the_credential_and_scope_of_its_row(operation):
    row = next(
        (route for route in ROUTES if (route.method, route.path) == (operation.method, operation.path)), None
    )
    security = rendered(operation)["security"]
    if row is None:
        assert security == []
    else:
        assert security[0] == {"bearer": [] if row.scope is None else [row.scope]}
        assert ({} in security) == (operation.path in CREDENTIAL_IN_BODY)


def test_the_header_may_be_left_out_where_the_handler_reads_the_body_for_a_credential():
    marked = {path_template(handler) for handler in HANDLERS if (handler.opt or {}).get("credential_in_body")}
    assert marked == CREDENTIAL_IN_BODY


def test_creates_take_an_idempotency_key():
    heeding = {
        path
        for path, methods in DOCUMENT["paths"].items()
        for method in methods.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in method.get("parameters", []))
    }
    assert heeding == {
        "/v1/keys",
        "/v1/keys/{key_id}/rotate",
        "/v1/customers",
        "/v1/members",
        "/v1/webhooks",
        "/v1/webhooks/{endpoint_id}/rotate-secret",
        "/v1/webhooks/{endpoint_id}/test",
        "/v1/webhooks/{endpoint_id}/replay",
        "/v1/webhooks/deliveries/{delivery_id}/replay",
    }


def test_an_answer_promises_its_constant_members():
    assert "object" in DOCUMENT["components"]["schemas"]["Key"]["required"]
    assert "token_type" in DOCUMENT["components"]["schemas"]["TokenAnswer"]["required"]
