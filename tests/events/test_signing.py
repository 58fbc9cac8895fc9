from __future__ import annotations

import json
import time

import pytest
import standardwebhooks

from innoai import webhooks
from innoai.events import signing

OLD, NEW = signing.mint(b"o" * 32), signing.mint(b"n" * 32)
BODY = json.dumps({"name": "Ünïcode"}, ensure_ascii=False).encode()


def signed(secrets: list[str]) -> dict[str, str]:
    return signing.signed_headers("evt_1", BODY, int(time.time()), secrets)


def test_a_secret_is_the_prefix_and_base64_of_its_bytes() -> None:
    assert signing.mint(bytes(32)) == "whsec_" + "A" * 43 + "="


@pytest.mark.parametrize("secrets", [[NEW], [NEW, OLD], [OLD, NEW]], ids=["one", "two", "old first"])
def test_both_ways_of_verifying_accept_each_secret_that_counts(secrets: list[str]) -> None:
    headers = signed(secrets)
    assert webhooks.verify(BODY, headers["x-innoai-signature"], secrets[0])
    for secret in secrets:
        assert webhooks.verify_standard(BODY, headers, secret)
        assert standardwebhooks.Webhook(secret).verify(BODY, headers) == {"name": "Ünïcode"}


def test_a_secret_that_no_longer_counts_is_refused() -> None:
    headers = signed([NEW])
    assert not webhooks.verify(BODY, headers["x-innoai-signature"], OLD)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OLD).verify(BODY, headers)
