"""The HMAC-keyed vectors of Project Wycheproof (data/README.md) against our token signatures."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest

from innoai.access.tokens import SigningKey, SigningKeys
from innoai.errors import InnoError

SIGNATURES = "json_web_signature_test.json"
KEYS = "json_web_key_test.json"
GROUPS = json.loads(Path(__file__).with_name("data").joinpath("wycheproof_hmac.json").read_text())
VECTORS = [(file, group, vector) for file in GROUPS for group in GROUPS[file] for vector in group["tests"]]

OTHER_VERDICTS = {
    # The bytes of vector 357, which is valid: the padding that the comment speaks of is not in the file.
    (SIGNATURES, 367): True,
    (SIGNATURES, 370): True,
    # A question mark in a segment, called valid: RFC 7515 §2 knows no character outside the alphabet.
    (SIGNATURES, 372): False,
    (SIGNATURES, 373): False,
    # Sound, but HS384 and HS512 are algorithms that we do not offer.
    (KEYS, 14): False,
    (KEYS, 15): False,
}


def segment(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def kid_of(jws: str) -> str:
    return json.loads(urlsafe_b64decode(jws.partition(".")[0] + "=="))["kid"]


def header_of(group: dict, vector: dict, kid: str) -> str:
    """The one header that the key `kid` allows: the vector's own if it is valid, else a valid neighbour's."""
    for other in (vector, *group["tests"]):
        if other["result"] == "valid" and kid_of(other["jws"]) == kid:
            return other["jws"].partition(".")[0]
    return segment(json.dumps({"alg": "HS256", "kid": kid}, separators=(",", ":")).encode())


def accepts(group: dict, vector: dict) -> bool:
    """Whether an installation with the group's keys, so far as it can hold them, takes the vector's JWS."""
    jwks = group["private"].get("keys", [group["private"]])
    try:
        keys = tuple(
            SigningKey(
                jwk["kid"], "HS256", urlsafe_b64decode(jwk["k"] + "=="), header_of(group, vector, jwk["kid"])
            )
            for jwk in jwks
            if jwk["alg"] == "HS256"
        )
        SigningKeys(SigningKey("our-own", "HS256", bytes(32)), keys).verify_signature(vector["jws"])
    except (InnoError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    ("file", "group", "vector"),
    [pytest.param(*case, id=f"{case[1]['type']}-{case[2]['tcId']}-{case[2]['comment']}") for case in VECTORS],
)
def test_a_vector_gets_its_verdict(file, group, vector):
    wanted = OTHER_VERDICTS.get((file, vector["tcId"]), vector["result"] == "valid")
    assert accepts(group, vector) is wanted


def test_an_accepted_vector_gives_its_payload():
    group = GROUPS[SIGNATURES][0]
    secret = urlsafe_b64decode(group["private"]["k"] + "==")
    header, payload, _ = group["tests"][0]["jws"].split(".")
    keys = SigningKeys(SigningKey("kid-aes-sign", "HS256", secret, header))
    assert payload == "Zm9v"
    assert keys.verify_signature(group["tests"][0]["jws"]) == b"foo"


def test_the_padding_vectors_are_the_bytes_of_a_valid_one():
    jws = {vector["tcId"]: vector["jws"] for file, _, vector in VECTORS if file == SIGNATURES}
    assert jws[367] == jws[370] == jws[357]
