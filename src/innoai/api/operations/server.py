"""The access-control matrix, and the routes outside /v1 that programs call."""

from __future__ import annotations

from typing import Any

from innoai.api import health, tiers
from innoai.api.operations.operation import Body, Operation, json

TEXT = "text/plain"

SERVER: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/tiers",
        "show_matrix",
        "access",
        "Show the tiers, scopes, levels and routes",
        json(
            tiers.Matrix,
            {
                "object": "list",
                "data": [
                    {
                        "name": "startup",
                        "default_rate_limit": 1000,
                        "max_rate_limit": 10000,
                        "max_keys": 50,
                        "max_customers": 1000,
                        "max_endpoints": 10,
                        "max_token_lifetime": 86400,
                        "models": None,
                        "features": ["webhooks", "statements", "audit"],
                    }
                ],
                "scopes": [{"name": "inference:read", "description": "Access inference endpoints"}],
                "levels": [{"name": "admin", "scopes": ["admin:full"]}],
                "routes": [{"method": "GET", "path": "/v1/models", "scope": "inference:read"}],
            },
        ),
    ),
    Operation(
        "GET",
        "/healthz",
        "check_alive",
        "server",
        "Answer whenever the process can",
        json(health.Health, {"status": "ok"}),
    ),
    Operation(
        "GET",
        "/readyz",
        "check_ready",
        "server",
        "Say whether the store answers",
        json(health.Health, {"status": "ready"}),
        also={503: json(health.Health, {"status": "the store does not answer"})},
    ),
    Operation(
        "GET",
        "/metrics",
        "show_metrics",
        "server",
        "Show counters in the Prometheus text format",
        Body({TEXT: str}, 'innoai_decisions_total{code="allowed"} 1.0\n'),
    ),
    Operation(
        "GET",
        "/.well-known/jwks.json",
        "show_public_keys",
        "server",
        "Show the public keys of the tokens (RFC 7517); with HS256 there are none",
        json(health.PublicKeys, {"keys": []}),
    ),
    Operation(
        "GET",
        "/openapi.json",
        "show_document",
        "server",
        "Show this document",
        json(dict[str, Any], {"openapi": "3.1.0"}),
    ),
)
