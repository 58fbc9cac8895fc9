from __future__ import annotations

import base64

import pytest

from innoai.dashboard.second_factor import address, digest_of, new_recovery_codes, picture, step_of

SECRET = b"12345678901234567890"
"""Of RFC 6238, appendix B, whose SHA-1 vectors have eight digits; the last six are what an app shows."""

VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
}


@pytest.mark.parametrize(("at", "code"), VECTORS.items())
def test_the_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    assert step_of(SECRET, code, float(at)) == at // 30
    assert step_of(SECRET, f" {code[:3]} {code[3:]} ", float(at)) == at // 30


@pytest.mark.parametrize(("late", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_off_by_half_a_minute(late: int, taken: bool) -> None:
    found = step_of(SECRET, VECTORS[1234567890], 1234567890.0 + late)
    assert (found == 1234567890 // 30) == taken
    assert taken or found is None


@pytest.mark.parametrize(
    "code",
    ["", "28708", "2870822", "28708x", "\uff12\uff18\uff17\uff10\uff18\uff12", "-28708", "0x1234"],
)
def test_what_is_no_code_is_refused(code: str) -> None:
    assert step_of(SECRET, code, 59.0) is None


def test_what_an_app_is_told() -> None:
    uri = address(SECRET, "ana@example.com")
    assert uri.startswith("otpauth://totp/innoai:ana%40example.com?")
    assert f"secret={base64.b32encode(SECRET).decode()}" in uri
    assert "issuer=innoai" in uri


def test_the_picture_needs_no_style_and_holds_no_text() -> None:
    svg = str(picture(SECRET, '"><script>@example.com'))
    assert svg.startswith("<svg")
    assert "style" not in svg
    assert "script" not in svg


def test_recovery_codes_are_known_however_they_are_typed() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    for code in codes:
        assert digest_of(code.lower().replace("-", " ")) == digest_of(code)
        assert digest_of(code.replace("0", "o").replace("1", "l")) == digest_of(code)
    assert len({digest_of(code) for code in codes}) == 10
