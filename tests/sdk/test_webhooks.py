from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai import webhooks

PAYLOAD = '{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SENT_AT = 1614265330
# The example of the Standard Webhooks specification.
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(SENT_AT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def standard(payload: bytes | str = PAYLOAD, now: float = float(SENT_AT), **headers: str) -> bool:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return webhooks.verify_standard(payload, {**HEADERS, **changed}, SECRET, now=now)


def test_rfc_4231s_second_vector_verifies() -> None:
    signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert webhooks.verify("what do ya want for nothing?", signature, "Jefe")
    assert webhooks.verify(b"what do ya want for nothing?", signature, "Jefe")


def test_a_payload_of_any_bytes_verifies() -> None:
    payload = b"\x00\xff{}"
    assert webhooks.verify(payload, hmac.new(b"s", payload, hashlib.sha256).hexdigest(), "s")


def test_another_payload_another_secret_and_another_signature_do_not_verify() -> None:
    signature = hmac.new(b"secret", b"payload", hashlib.sha256).hexdigest()
    assert webhooks.verify(b"payload", signature, "secret")
    assert not webhooks.verify(b"payload ", signature, "secret")
    assert not webhooks.verify(b"payload", signature, "secret2")
    assert not webhooks.verify(b"payload", signature[:-1] + ("0" if signature[-1] != "0" else "1"), "secret")


def test_a_request_without_a_signature_is_answered_and_not_raised() -> None:
    headers: dict[str, str] = {}
    assert not webhooks.verify(b"payload", headers.get("x-innoai-signature"), "secret")


@pytest.mark.parametrize("signature", ["", "zz", "é" * 64, "\udcff", "0" * 63, "0" * 65, "\x00"])
def test_a_signature_of_any_shape_is_answered_and_not_raised(signature: str) -> None:
    assert not webhooks.verify(b"payload", signature, "secret")
    assert not standard(webhook_signature=signature)


def test_an_empty_secret_is_an_error_and_not_an_answer() -> None:
    signature = hmac.new(b"", b"payload", hashlib.sha256).hexdigest()
    with pytest.raises(ValueError, match="empty"):
        webhooks.verify(b"payload", signature, "")
    for secret in ("", "whsec_"):
        with pytest.raises(ValueError, match="empty"):
            webhooks.verify_standard(b"payload", HEADERS, secret)


def test_a_secret_that_is_not_base64_is_an_error_that_does_not_show_it() -> None:
    with pytest.raises(ValueError, match="not base64") as caught:
        webhooks.verify_standard(b"payload", HEADERS, "whsec_no!base64")
    assert "no!" not in str(caught.value)


def test_the_specifications_example_verifies() -> None:
    assert standard()
    assert webhooks.verify_standard(PAYLOAD, HEADERS, SECRET.removeprefix("whsec_"), now=SENT_AT)


def test_header_names_are_read_in_any_case() -> None:
    headers = {name.title(): value for name, value in HEADERS.items()}
    assert webhooks.verify_standard(PAYLOAD, headers, SECRET, now=SENT_AT)


def test_one_good_signature_of_several_is_enough() -> None:
    good = HEADERS["webhook-signature"]
    assert standard(webhook_signature=f"v1,AAAA v1a,whatever {good}")
    assert not standard(webhook_signature=good.replace("v1,", "v2,"))


def test_id_timestamp_and_payload_are_all_signed() -> None:
    assert not standard(webhook_id="msg_other")
    assert not standard(webhook_timestamp=str(SENT_AT + 1))
    assert not standard(payload=PAYLOAD + " ")


@pytest.mark.parametrize(("off", "accepted"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_a_delivery_outside_the_tolerance_is_a_replay(off: int, accepted: bool) -> None:
    assert standard(now=SENT_AT + off) is accepted


def test_the_clock_is_asked_when_no_time_is_given() -> None:
    assert not webhooks.verify_standard(PAYLOAD, HEADERS, SECRET)
    assert webhooks.verify_standard(PAYLOAD, HEADERS, SECRET, float("inf"))


@pytest.mark.parametrize("missing", sorted(HEADERS))
def test_a_missing_header_does_not_verify(missing: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing}
    assert not webhooks.verify_standard(PAYLOAD, headers, SECRET, now=SENT_AT)


@pytest.mark.parametrize("timestamp", ["", "soon", "1614265330.0", "1e9", "9" * 400, "9" * 5000])
def test_a_timestamp_that_is_no_number_does_not_verify(timestamp: str) -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{HEADERS['webhook-id']}.{timestamp}.{PAYLOAD}".encode()
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert not standard(webhook_timestamp=timestamp, webhook_signature=f"v1,{signature}")


@given(payload=st.binary(), name=st.text(), moment=st.integers(0, 2**40))
def test_what_is_signed_is_verified(payload: bytes, name: str, moment: int) -> None:
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(moment),
        "webhook-signature": webhooks.sign_standard(payload, name, str(moment), secret),
    }
    assert webhooks.verify_standard(payload, headers, secret, now=moment)
    assert webhooks.verify(payload, webhooks.sign(payload, secret), secret)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64"])
def test_a_secret_that_is_none_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="secret is"):
        webhooks.sign_standard(b"", "evt_1", "1", secret)
