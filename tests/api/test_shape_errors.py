"""What is said of JSON of another shape than a route takes: the member, and what to write instead."""

from __future__ import annotations

import pytest

from innoai.api.keys import CreateKey
from innoai.api.wire import decode_json
from innoai.errors import InnoError


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ("{}", "name", "name: it is missing. Send it."),
        ('{"name": "x", "colour": 1}', "colour", "colour: this takes no such member. Leave it out."),
        (
            '{"name": "x", "budgets": {"yearly": 1}}',
            "budgets.yearly",
            "budgets.yearly: this takes no such member. Leave it out.",
        ),
        ('{"name": ""}', "name", "name: it may not be empty."),
        ('{"name": 5}', "name", "name: expected text, not a whole number."),
        (
            '{"name": "a\\nb"}',
            "name",
            "name: expected text on one line, without control characters.",
        ),
        ('{"name": "%s"}' % ("x" * 201), "name", "name: expected at most 200 characters."),
        (
            '{"name": "x", "level": "Read"}',
            "level",
            "level: 'Read' is none of: admin, delete, read, write.",
        ),
        ('{"name": "x", "scopes": []}', "scopes", "scopes: it may not be empty."),
        ('{"name": "x", "models": [""]}', "models[0]", "models[0]: it may not be empty."),
        (
            '{"name": "x", "rate_limit": 0}',
            "rate_limit",
            "rate_limit: expected a whole number of at least 1.",
        ),
        (
            '{"name": "x", "customer_id": "a b"}',
            "customer_id",
            "customer_id: expected letters, digits and . _ ~ : @ + = | -, and neither . nor .. alone.",
        ),
        (
            '{"name": "x", "budgets": {"monthly": "1,5"}}',
            "budgets.monthly",
            (
                "budgets.monthly: expected an amount of at most 1000000000 with a point before decimals, "
                "such as 12.50."
            ),
        ),
        (
            '{"name": "x", "budgets": {"monthly": 1.5}}',
            "budgets.monthly",
            (
                "budgets.monthly: expected a whole number or text or null, not a number; "
                'write decimals as text, such as "12.50".'
            ),
        ),
        (
            '{"name": "x", "expires_at": "tomorrow"}',
            "expires_at",
            "expires_at: expected an instant; write one with its offset, such as 2026-11-24T22:07:02Z.",
        ),
    ],
)
def test_a_refusal_names_the_member_and_says_what_to_write(body: str, param: str, message: str) -> None:
    refused = refusal_of(body)
    assert (refused.details.get("param"), refused.message) == (param, message)


@pytest.mark.parametrize("customer_id", [".", ".."])
def test_a_customer_id_is_none_that_a_path_loses(customer_id: str) -> None:
    assert refusal_of(f'{{"name": "x", "customer_id": "{customer_id}"}}').details["param"] == "customer_id"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "The body is empty. Send a JSON object."),
        ("[]", "The body is not what this route takes: expected an object, not a list."),
        (
            '{"allowed_ips": ["203.0.113.0/24",  // Your office\n]}',
            "The body is not valid JSON: it has a comment at byte 36, and JSON has none. Leave it out.",
        ),
        (
            '{"name": "\\ud83d"}',
            (
                "The body is not valid JSON (it ends too early, or has half of a surrogate pair). "
                "Send a JSON object."
            ),
        ),
    ],
)
def test_what_is_no_json_object_is_told_apart(body: str, message: str) -> None:
    refused = refusal_of(body)
    assert refused.message == message
    assert "param" not in refused.details


def refusal_of(body: str):
    with pytest.raises(InnoError) as raised:
        decode_json(body.encode(), CreateKey)
    assert raised.value.refusal.code == "invalid_request"
    return raised.value.refusal
