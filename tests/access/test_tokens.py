from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

import jwt
import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from innoai.access.tokens import (
    MAX_TOKEN_BYTES,
    Claims,
    SigningKey,
    SigningKeys,
    is_token_shaped,
    mint,
)
from innoai.errors import InnoError, refusal
from tests.access.facts import AUDIENCE, CLAIMS, ISSUER, NOW

if TYPE_CHECKING:
    from jwt.types import Options

SECRET = bytes(range(32))
HS256 = SigningKey("2026-11", "HS256", SECRET)
EDDSA = SigningKey("2026-11-ed", "EdDSA", bytes(range(32, 64)))
RETIRING = SigningKey("2026-10", "HS256", bytes(range(64, 96)))
KEYS = SigningKeys(HS256, (RETIRING, EDDSA))
HEADER = {"alg": "HS256", "typ": "JWT", "kid": "2026-11"}
TOKEN = mint(CLAIMS, HS256)
NOT_TAKEN = refusal("invalid_api_key", "The provided token is invalid or has been revoked.")

BOTH = pytest.mark.parametrize("key", [HS256, EDDSA], ids=lambda key: key.algorithm)

UNTIMED: Options = {"verify_exp": False, "verify_iat": False}
"""For PyJWT, which asks the machine's clock."""

TEXTS = st.text(max_size=20)
SECONDS = st.integers(0, 2**40)
CLAIM_SETS = st.builds(
    Claims,
    iss=st.just(ISSUER),
    aud=st.just(AUDIENCE),
    sub=TEXTS,
    client_id=TEXTS,
    scope=TEXTS,
    jti=TEXTS,
    iat=st.integers(0, NOW),
    exp=SECONDS,
    token_use=st.just("access"),
    sid=TEXTS,
    customer_id=st.none() | TEXTS,
    lifetime=st.none() | SECONDS,
    generation=st.none() | st.integers(0, 2**31),
)


def segment(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unsegment(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def seal(header: str, payload: str, key: SigningKey = HS256) -> str:
    """A token of these segments with a true signature: whatever is wrong with it, that is not."""
    return f"{header}.{payload}.{key.sign(f'{header}.{payload}')}"


def with_header(header: object) -> str:
    raw = header if isinstance(header, bytes) else compact(header)
    return seal(segment(raw), TOKEN.split(".")[1])


def with_payload(payload: object, key: SigningKey = HS256) -> str:
    raw = payload if isinstance(payload, bytes) else compact(payload)
    return seal(key.header, segment(raw), key)


def payload_with(**changes: object) -> bytes:
    """The payload of TOKEN with some claims changed, in the order in which we write them."""
    return compact({**json.loads(unsegment(TOKEN.split(".")[1])), **changes})


def without(claim: str) -> bytes:
    return compact({k: v for k, v in json.loads(payload_with()).items() if k != claim})


def verify(token: str, **changes: object) -> Claims:
    asked = {"issuer": ISSUER, "audience": AUDIENCE, "use": "access", "now": NOW, **changes}
    return KEYS.verify(token, **asked)  # type: ignore[arg-type]


def refuses(token: str, **changes: object) -> bool:
    """Whether the token is refused, and in the one way that says nothing of the reason."""
    try:
        verify(token, **changes)
    except InnoError as error:
        return error.refusal == NOT_TAKEN
    return False


# What we mint


@BOTH
@given(claims=CLAIM_SETS)
def test_a_minted_token_gives_back_its_claims(key, claims):
    token = mint(claims, key)
    assert verify(token) == claims
    assert is_token_shaped(token)


@BOTH
def test_the_header_is_exactly_algorithm_type_and_key_id(key):
    header = mint(CLAIMS, key).split(".")[0]
    assert unsegment(header) == compact({"alg": key.algorithm, "typ": "JWT", "kid": key.kid})


def test_the_first_claims_are_those_of_the_documentation():
    assert list(json.loads(payload_with())) == [
        *("iss", "aud", "sub", "client_id", "scope", "jti", "iat", "exp", "token_use", "sid", "customer_id")
    ]


def test_the_documented_token_begins_as_ours_would_without_a_key_id():
    assert segment(compact({"alg": "HS256", "typ": "JWT"})) == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"


def test_the_scopes_of_a_token_are_its_scope_taken_apart():
    assert CLAIMS.scopes == {"inference:read", "inference:write"}
    assert msgspec.structs.replace(CLAIMS, scope="").scopes == frozenset()


@given(claims=CLAIM_SETS)
def test_pyjwt_reads_what_we_mint_with_hs256(claims):
    read = jwt.decode(
        mint(claims, HS256), SECRET, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE, options=UNTIMED
    )
    assert read == {name: value for name, value in msgspec.to_builtins(claims).items() if value is not None}


def test_pyjwt_reads_our_header():
    assert jwt.get_unverified_header(TOKEN) == HEADER


@given(claims=CLAIM_SETS)
def test_pyjwt_verifies_what_we_mint_with_eddsa_by_our_public_keys(claims):
    public = jwt.PyJWKSet.from_dict(KEYS.jwks())
    token = mint(claims, EDDSA)
    read = jwt.decode(
        token,
        public[jwt.get_unverified_header(token)["kid"]],
        algorithms=["EdDSA"],
        issuer=ISSUER,
        audience=AUDIENCE,
        options=UNTIMED,
    )
    assert read["jti"] == claims.jti


def test_the_public_keys_never_hold_a_secret():
    assert KEYS.jwks() == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "EdDSA",
                "use": "sig",
                "kid": "2026-11-ed",
                "x": EDDSA.public_jwk()["x"],  # type: ignore[index]
            }
        ]
    }
    assert HS256.public_jwk() is None
    published = json.dumps(KEYS.jwks())
    assert not any(segment(key.secret) in published for key in (HS256, EDDSA, RETIRING))


def test_hmac_keys_alone_publish_nothing():
    assert SigningKeys(HS256, (RETIRING,)).jwks() == {"keys": []}


# Signing keys


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_a_secret_under_32_bytes_stops_the_start(algorithm, length):
    with pytest.raises(ValueError, match=rf"signing key k: {length} secret bytes, 32 are needed"):
        SigningKey("k", algorithm, bytes(length))


def test_an_hmac_secret_may_be_longer_and_an_ed25519_key_may_not():
    assert SigningKey("k", "HS256", bytes(64)).sign("text")
    with pytest.raises(ValueError, match="signing key k: 33 secret bytes, Ed25519 takes 32"):
        SigningKey("k", "EdDSA", bytes(33))


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_a_key_id_stands_for_one_key(algorithm):
    with pytest.raises(ValueError, match="share a key id"):
        SigningKeys(HS256, (SigningKey(HS256.kid, algorithm, bytes(32)),))


def test_a_signing_key_never_shows_its_secret():
    assert "secret" not in repr(HS256)
    assert not any(shown in repr(HS256) for shown in (repr(SECRET), SECRET.hex(), segment(SECRET)))


def test_a_retiring_key_still_verifies_and_a_retired_one_does_not():
    token = mint(CLAIMS, RETIRING)
    assert verify(token) == CLAIMS
    with pytest.raises(InnoError):
        SigningKeys(HS256).verify_signature(token)


def test_the_current_key_is_the_one_that_signs():
    assert KEYS.current is HS256


# What we refuse: the header


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", "", None, "hs256", "HS256 ", ["HS256"]])
def test_no_spelling_of_no_algorithm_is_taken(alg):
    header = segment(compact({**HEADER, "alg": alg}))
    payload = TOKEN.split(".")[1]
    assert refuses(f"{header}.{payload}.")
    assert refuses(f"{header}.{payload}")
    assert refuses(f"{header}.{payload}.{TOKEN.split('.')[2]}")
    assert refuses(seal(header, payload))


@pytest.mark.parametrize("digest", ["sha1", "sha384", "sha512"])
def test_no_other_hmac_is_taken(digest):
    payload = TOKEN.split(".")[1]
    for alg in ("HS256", "HS384", "HS512", "HS1"):
        signed = f"{segment(compact({**HEADER, 'alg': alg}))}.{payload}"
        assert refuses(f"{signed}.{segment(hmac.digest(SECRET, signed.encode(), digest))}")


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"])
def test_no_other_algorithm_under_an_hmac_keys_id_is_taken(alg):
    header = segment(compact({**HEADER, "alg": alg}))
    payload = TOKEN.split(".")[1]
    assert refuses(seal(header, payload))
    assert refuses(seal(header, payload, EDDSA))


def test_a_public_key_is_no_hmac_secret():
    jwk = EDDSA.public_jwk()
    assert jwk is not None
    payload = TOKEN.split(".")[1]
    for secret in (unsegment(jwk["x"]), jwk["x"].encode(), compact(jwk)):
        signed = f"{segment(compact({**HEADER, 'kid': EDDSA.kid}))}.{payload}"
        assert refuses(f"{signed}.{segment(hmac.digest(secret, signed.encode(), 'sha256'))}")
        signed = f"{EDDSA.header}.{payload}"
        assert refuses(f"{signed}.{segment(hmac.digest(secret, signed.encode(), 'sha256'))}")


def test_the_signature_of_one_key_is_none_of_another():
    payload = TOKEN.split(".")[1]
    for signer in (HS256, EDDSA, RETIRING):
        for named in (HS256, EDDSA, RETIRING):
            assert refuses(seal(named.header, payload, signer)) == (signer is not named)


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "jwk": {"kty": "oct", "k": segment(SECRET)}},
        {**HEADER, "jku": "https://attacker.example/jwks.json"},
        {**HEADER, "x5u": "https://attacker.example/cert.pem"},
        {**HEADER, "x5c": ["MIIB"]},
        {**HEADER, "crit": ["exp"], "exp": 1},
        {**HEADER, "crit": []},
        {**HEADER, "crit": ["b64"], "b64": False},
        {**HEADER, "zip": "DEF"},
        {**HEADER, "cty": "JWT"},
        {**HEADER, "typ": "at+jwt"},
        {**HEADER, "kid": "2026-09"},
        {**HEADER, "kid": "../../../../dev/null"},
        {**HEADER, "kid": "' OR 1=1 --"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256", "kid": "2026-11"},
        {"typ": "JWT", "alg": "HS256", "kid": "2026-11"},
        {},
        [],
        b"null",
        b"",
        b'{"alg":"none","alg":"HS256","typ":"JWT","kid":"2026-11"}',
        b'{"alg":"HS256","typ":"JWT","kid":"2026-11","kid":"2026-11"}',
        b'{"alg": "HS256", "typ": "JWT", "kid": "2026-11"}',
        b'{"alg":"HS256","typ":"JWT","kid":"2026-11"}\n',
        b'{"alg":"HS256","typ":"JWT","kid":"2026-1\\u0031"}',
        b"\xef\xbb\xbf" + compact(HEADER),
        b"\xff\xfe",
        b"\0",
    ],
    ids=str,
)
def test_no_other_header_is_taken_though_truly_signed(header):
    assert refuses(with_header(header))


def test_the_exact_header_is_taken():
    assert verify(with_header(HEADER)) == CLAIMS


# What we refuse: the segments


@BOTH
def test_no_other_spelling_of_a_segment_is_taken(key):
    """A last character may hold bits that decoding drops; many decoders skip padding and line ends."""
    token = mint(CLAIMS, key)
    header, payload, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [
        signature[:-1] + other
        for other in alphabet
        if unsegment(signature[:-1] + other) == unsegment(signature) and other != signature[-1]
    ]
    assert twins
    assert all(refuses(f"{header}.{payload}.{twin}") for twin in twins)
    for odd in ("=", "==", "\n", " ", "?", "+", "/", "\0", "é", "\u2028"):
        assert refuses(token + odd)
        assert refuses(f"{header}{odd}.{payload}.{signature}")
        assert refuses(f"{header}.{payload}{odd}.{signature}")
        assert refuses(f"{header}.{odd}{payload}.{signature}")
        assert refuses(f"{header}.{payload}.{odd}{signature}")


@pytest.mark.parametrize("payload", ["A", "AB", "AAB", "AAAAA"])
def test_a_payload_that_is_not_canonical_base64url_is_not_taken_though_truly_signed(payload):
    assert refuses(seal(HS256.header, payload))


@BOTH
@given(data=st.data())
def test_a_token_with_one_changed_character_is_not_taken(key, data):
    token = mint(CLAIMS, key)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.one_of(st.sampled_from("ABCZabcz0189-_.=+/"), st.characters()))
    assume(other != token[at])
    assert refuses(token[:at] + other + token[at + 1 :])


@BOTH
def test_a_truncated_token_is_not_taken(key):
    token = mint(CLAIMS, key)
    assert all(refuses(token[:length]) for length in range(len(token)))
    header, payload, signature = token.split(".")
    for length in (0, 1, 16, 31):
        assert refuses(f"{header}.{payload}.{segment(unsegment(signature)[:length])}")


@BOTH
def test_a_lengthened_signature_is_not_taken(key):
    header, payload, signature = mint(CLAIMS, key).split(".")
    assert refuses(f"{header}.{payload}.{segment(unsegment(signature) + bytes(1))}")
    assert refuses(f"{header}.{payload}.{segment(unsegment(signature) * 2)}")


def test_an_ed25519_signature_has_no_second_form():
    """s and s + L verify alike where a verifier does not check the range of s (RFC 8032 §5.1.7)."""
    order = 2**252 + 27742317777372353535851937790883648493
    header, payload, signature = mint(CLAIMS, EDDSA).split(".")
    point, scalar = unsegment(signature)[:32], int.from_bytes(unsegment(signature)[32:], "little")
    second = point + (scalar + order).to_bytes(32, "little")
    assert refuses(f"{header}.{payload}.{segment(second)}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b.c.d",
        "sk-inno-" + "0" * 49,
        f"{TOKEN}.{TOKEN.split('.')[2]}",
        "." + TOKEN,
        f"Bearer {TOKEN}",
        TOKEN.replace(".", "\n."),
        TOKEN[:-1] + "\0",
        "\0" * 40,
        "é.é.é",
        "e\u0301.\U0001f511.\ud800",
        "٣.٣.٣",
        json.dumps({"protected": TOKEN.split(".")[0], "payload": "e30", "signature": "AA"}),
    ],
    ids=ascii,
)
def test_what_is_no_token_is_not_taken(text):
    assert refuses(text)


@given(st.text())
def test_any_text_can_be_verified(text):
    assert refuses(text)


@pytest.mark.parametrize("size", [MAX_TOKEN_BYTES + 1, 1_000_000])
def test_a_token_over_the_greatest_length_is_not_taken_though_truly_signed(size):
    longer = msgspec.structs.replace(CLAIMS, sub="x" * (size * 3 // 4))
    token = mint(longer, HS256)
    assert len(token) > size
    assert refuses(token)
    assert not is_token_shaped(token)


def test_a_token_of_the_greatest_length_is_taken():
    room = MAX_TOKEN_BYTES - len(TOKEN)
    longest = max(
        (mint(msgspec.structs.replace(CLAIMS, sub="x" * n), HS256) for n in range(room * 3 // 4 - 4, room)),
        key=lambda token: len(token) if len(token) <= MAX_TOKEN_BYTES else 0,
    )
    assert MAX_TOKEN_BYTES - 2 <= len(longest) <= MAX_TOKEN_BYTES
    assert len(verify(longest).sub) > 5000


@pytest.mark.parametrize("text", ["a.b.c", TOKEN, "A-_9.A-_9.A-_9"])
def test_three_segments_are_read_as_a_token(text):
    assert is_token_shaped(text)


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.", ".b.c", "a..c", "a.b.c.d", "a.b.c=", "a.b.c\n", "a.b.é", "sk-inno-abc"]
)
def test_anything_else_is_not_read_as_a_token(text):
    assert not is_token_shaped(text)


# What we refuse: the claims


def test_the_payload_helpers_reproduce_what_we_mint():
    assert with_payload(payload_with()) == TOKEN


@BOTH
@pytest.mark.parametrize(
    "claim", ["iss", "aud", "sub", "client_id", "scope", "jti", "iat", "exp", "token_use", "sid"]
)
def test_a_token_that_lacks_a_claim_is_not_taken(key, claim):
    assert refuses(with_payload(without(claim), key))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": str(NOW + 60)},
        {"exp": NOW + 60.5},
        {"exp": float(NOW + 60)},
        {"exp": None},
        {"exp": True},
        {"exp": [NOW + 60]},
        {"iat": str(NOW)},
        {"iat": float(NOW)},
        {"iss": "https://attacker.example"},
        {"iss": [ISSUER]},
        {"iss": ISSUER + "\0"},
        {"iss": ISSUER.upper()},
        {"aud": "https://other.example/v1"},
        {"aud": [AUDIENCE]},
        {"token_use": "refresh"},
        {"token_use": "id"},
        {"token_use": ""},
        {"sub": 1},
        {"scope": ["inference:read"]},
        {"customer_id": None},
        {"lifetime": None},
        {"lifetime": "60"},
        {"nbf": NOW},
        {"admin": True},
        {"": ""},
    ],
    ids=str,
)
def test_a_claim_of_another_value_or_type_is_not_taken_though_truly_signed(changes):
    assert refuses(with_payload(payload_with(**changes)))


@pytest.mark.parametrize(
    "payload",
    [
        payload_with().replace(b'{"iss"', b'{"iss":"x","iss"'),
        payload_with()[:-1] + b',"scope":"admin:full"}',
        payload_with()[:-1] + b',"customer_id":"customer-123"}',
        payload_with().replace(b'"exp":17', b'"exp": 17'),
        payload_with().replace(str(NOW + 3600).encode(), str(NOW + 3600).encode() + b".0"),
        payload_with().replace(str(NOW + 3600).encode(), b"1.7950036e9"),
        payload_with().replace(b"fam_1", b"fam\\u005f1"),
        payload_with().replace(b"fam_1", b"fam_\xff"),
        payload_with().replace(b"fam_1", b"fam_\0"),
        payload_with().replace(b"fam_1", b"fam_\\ud800"),
        payload_with() + b"\n",
        b" " + payload_with(),
        b"\xef\xbb\xbf" + payload_with(),
        payload_with()[:-1],
        payload_with() * 2,
        json.dumps(json.loads(payload_with())).encode(),
        compact(dict(sorted(json.loads(payload_with()).items()))),
        b"null",
        b"{}",
        b"[]",
        b'"' + payload_with().replace(b'"', b'\\"') + b'"',
        b"[" * 5000,
        b'{"sub":' * 800,
        b"\0",
        b"\xff",
    ],
    ids=lambda payload: repr(payload[:40]) + repr(payload[-12:]),
)
def test_a_payload_that_we_would_not_write_is_not_taken_though_truly_signed(payload):
    assert payload != payload_with()
    assert refuses(with_payload(payload))


def test_a_refresh_token_is_no_access_token_and_the_other_way_round():
    refresh = mint(msgspec.structs.replace(CLAIMS, token_use="refresh", lifetime=3600), HS256)
    assert refuses(refresh)
    assert verify(refresh, use="refresh").lifetime == 3600
    assert refuses(TOKEN, use="refresh")


def test_a_token_is_for_one_issuer_and_one_audience():
    assert refuses(TOKEN, issuer="https://other.example")
    assert refuses(TOKEN, audience="https://other.example/v1")


def test_a_token_from_the_future_is_taken_only_within_the_skew_of_clocks():
    assert verify(TOKEN, now=CLAIMS.iat - 60) == CLAIMS
    assert refuses(TOKEN, now=CLAIMS.iat - 60.001)


def test_an_expired_token_is_still_read_since_the_decision_says_so():
    assert verify(TOKEN, now=CLAIMS.exp + 1) == CLAIMS


def test_a_signature_is_checked_over_the_exact_bytes():
    header, payload, signature = TOKEN.split(".")
    expected = hmac.new(SECRET, f"{header}.{payload}".encode(), hashlib.sha256).digest()
    assert unsegment(signature) == expected
    assert KEYS.verify_signature(TOKEN) == unsegment(payload)
    assert re.fullmatch(r"[\w-]+", signature, re.ASCII)
