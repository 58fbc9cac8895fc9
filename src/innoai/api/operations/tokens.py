"""/v1/auth: tokens."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from innoai.api import auth, credentials
from innoai.api.operations.operation import CUSTOMER_ID, KEY_ID, TOKEN, Body, Operation, json
from innoai.api.wire import FORM, JSON
from innoai.auth import forwarded, minting, validation

_TOKENS = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, "refresh_token": TOKEN}

_TO_ENVOY = Annotated[
    str,
    Meta(max_length=0, description="The yes to Envoy, which asks at /v1/auth/forward/{path} by any method"),
]

TOKENS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/auth/token",
        "issue_token",
        "tokens",
        "Mint an access token and a refresh token from an API key",
        json(minting.TokenAnswer, _TOKENS),
        body=json(
            minting.TokenRequest,
            {"customer_id": CUSTOMER_ID, "scopes": ["inference:write"], "expires_in": 3600},
            required=False,
        ),
        errors=("insufficient_permissions", "not_found", "conflict"),
    ),
    Operation(
        "POST",
        "/v1/auth/refresh",
        "refresh_token",
        "tokens",
        "Get a new access token for a refresh token",
        json(minting.TokenAnswer, _TOKENS),
        body=json(auth.RefreshRequest, {"refresh_token": TOKEN}),
    ),
    Operation(
        "GET",
        "/v1/auth/validate",
        "validate_credential",
        "tokens",
        "Say what the presented credential stands for",
        json(
            validation.Validation,
            {
                "valid": True,
                "key_id": KEY_ID,
                "scopes": ["inference:read", "inference:write"],
                "rate_limit": 1000,
                "tier": "startup",
            },
        ),
    ),
    Operation(
        "GET",
        "/v1/auth/forward",
        "forward_auth",
        "tokens",
        "Decide about the request that a proxy asks about (nginx, Caddy, Traefik, Envoy)",
        None,
        status=204,
        also={200: Body({"text/plain": _TO_ENVOY}, "")},
        query=forwarded.ForwardQuery,
        query_example={"scope": "inference:write"},
        errors=("insufficient_permissions", "model_not_allowed", "model_not_found"),
        headers=(
            "x-innoai-account",
            "x-innoai-key",
            "x-innoai-customer",
            "x-innoai-scopes",
            "x-innoai-tier",
        ),
    ),
    Operation(
        "POST",
        "/v1/auth/revoke",
        "revoke_token",
        "tokens",
        "Revoke a token or an API key that one holds (RFC 7009)",
        json(credentials.Nothing, {}),
        body=Body({JSON: credentials.TokenBody, FORM: credentials.TokenBody}, {"token": TOKEN}),
    ),
    Operation(
        "POST",
        "/v1/auth/introspect",
        "introspect_token",
        "tokens",
        "Say what a token of the account stands for (RFC 7662)",
        json(
            credentials.Introspection,
            {
                "active": True,
                "scope": "inference:write",
                "client_id": KEY_ID,
                "sub": "cus_0UySTdUK9wD4TzX6GnRb2Y",
                "customer_id": CUSTOMER_ID,
                "token_type": "Bearer",
                "token_use": "access",
                "aud": "innoai",
                "iss": "innoai",
                "iat": 1795558022,
                "exp": 1795561622,
                "jti": "jti_0UySTdUKA1fM8QyJxWvC4Z",
            },
        ),
        body=Body({JSON: credentials.TokenBody, FORM: credentials.TokenBody}, {"token": TOKEN}),
    ),
    Operation(
        "POST",
        "/v1/auth/explain",
        "explain_decision",
        "tokens",
        "Decide about a request without making it, and say which check refuses",
        json(
            credentials.Explanation,
            {
                "allowed": False,
                "code": "ip_not_allowed",
                "message": "This credential may not be used from your address.",
                "checks": [
                    {
                        "name": "credential",
                        "outcome": "passed",
                        "detail": "the credential is well-formed",
                    },
                    {"name": "network", "outcome": "refused", "detail": "198.51.100.7 is in none"},
                    {"name": "scope", "outcome": "not_reached", "detail": ""},
                ],
            },
        ),
        body=json(
            credentials.ExplainRequest,
            {"key": KEY_ID, "method": "POST", "path": "/v1/chat/completions", "ip": "198.51.100.7"},
        ),
        errors=("not_found",),
    ),
)
