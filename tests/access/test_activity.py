from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.access.activity import (
    EVERYWHERE,
    MOST_CHARACTERS,
    bearer_of,
    network_of,
    parse_place,
    place_text,
    storable,
)
from innoai.access.networks import Network, parse_address, parse_network
from innoai.access.principal import Principal
from tests.access.facts import CLAIMS, CUSTOMER, KEY_PRINCIPAL, TOKEN_PRINCIPAL

ADDRESSES = st.one_of(st.integers(0, 2**32 - 1), st.integers(2**128 + 2**64, 2**129 - 1))
"""The numbers of addresses of both families, the IPv4-mapped ones left out."""


@given(ADDRESSES)
def test_the_text_of_an_address_is_that_address_again(address):
    place = Network(address, address)
    assert parse_place(place_text(place)) == place
    assert "/" not in place_text(place)


@given(ADDRESSES)
def test_a_network_holds_its_address_and_survives_its_text(address):
    network = network_of(address)
    assert Network(address, address) in network
    assert parse_place(place_text(network)) == network


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.7", "203.0.113.0/24"), ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56")],
)
def test_too_many_addresses_are_kept_by_network(address, network):
    assert network_of(parse_address(address)) == parse_network(network)


def test_what_is_no_address_has_a_text_too():
    assert [place_text(place) for place in (None, EVERYWHERE)] == ["", "other"]
    assert [parse_place(text) for text in ("", "other")] == [None, EVERYWHERE]
    with pytest.raises(ValueError, match="not a network"):
        parse_place("somewhere")


def test_everywhere_holds_every_network():
    for text in ("0.0.0.0/0", "::/0", "255.255.255.255", "ffff::"):
        assert parse_network(text) in EVERYWHERE


def test_a_bearer_is_a_key_a_token_or_a_customers_token():
    own = msgspec.structs.replace(CLAIMS, customer_id=None)
    own_token = Principal(KEY_PRINCIPAL.account, KEY_PRINCIPAL.key, None, own)
    assert [bearer_of(principal) for principal in (KEY_PRINCIPAL, own_token, TOKEN_PRINCIPAL)] == [
        "key",
        "token",
        "customer",
    ]
    assert TOKEN_PRINCIPAL.customer == CUSTOMER


def test_a_models_name_is_kept_as_any_store_takes_it() -> None:
    assert storable("inno-ai-boyong-4.5") == "inno-ai-boyong-4.5"
    assert storable("a\0b\nc\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert storable("x" * (MOST_CHARACTERS + 1)) == "x" * MOST_CHARACTERS
