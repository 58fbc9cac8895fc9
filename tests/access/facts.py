"""The facts that the heart's tests share: one account, one key, and how to change them."""

from __future__ import annotations

from innoai.access.networks import Networks
from innoai.access.principal import Account, ApiKey, Customer, Principal
from innoai.access.scopes import DEFAULT_SCOPES, scope_set
from innoai.access.tokens import Claims

NOW = 1_795_000_000
ISSUER = "https://gateway.example"
AUDIENCE = "https://gateway.example/v1"

ACCOUNT = Account(id="acc_1", tier="startup", disabled=False)
CUSTOMER = Customer(id="cus_1", customer_id="customer-123", disabled=False)
KEY = ApiKey(
    id="key_1",
    scopes=scope_set(DEFAULT_SCOPES),
    networks=Networks(),
    rate_limit=1000,
    models=None,
    expires_at=None,
    revoked_at=None,
)
CLAIMS = Claims(
    iss=ISSUER,
    aud=AUDIENCE,
    sub="cus_1",
    client_id="key_1",
    scope="inference:read inference:write",
    jti="tok_1",
    iat=NOW - 10,
    exp=NOW + 3600,
    token_use="access",
    sid="fam_1",
    customer_id="customer-123",
)
KEY_PRINCIPAL = Principal(ACCOUNT, KEY, CUSTOMER)
TOKEN_PRINCIPAL = Principal(ACCOUNT, KEY, CUSTOMER, CLAIMS)
