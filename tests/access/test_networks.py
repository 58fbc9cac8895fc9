from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from innoai.access.networks import (
    NETWORK_PATTERN,
    Network,
    Networks,
    caller_address,
    client_address,
    format_address,
    parse_address,
    parse_network,
    parse_networks,
    site_of,
)

V4 = st.ip_addresses(v=4)
PURE_V6: st.SearchStrategy[IPv6Address] = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv6Address),
    st.ip_addresses(v=6).map(lambda address: IPv6Address(int(address))),
).filter(lambda address: address.ipv4_mapped is None)
V6 = st.one_of(PURE_V6, V4.map(lambda address: IPv6Address(f"::ffff:{address}")))
ADDRESSES = st.one_of(V4, V6)


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return getattr(address, "ipv4_mapped", None) or address


def number(address: IPv4Address | IPv6Address) -> int:
    """The number that the standard library's address should have here."""
    address = unmapped(address)
    return int(address) + (2**128 if address.version == 6 else 0)


def dotted(address: IPv4Address) -> str:
    return f"::ffff:{address}"


def spellings(address: IPv4Address | IPv6Address) -> list[str]:
    return [str(address), address.exploded, str(address).upper()]


def edges(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> list[IPv4Address | IPv6Address]:
    """The addresses at both ends of a network, inside and outside."""
    first, last = int(network.network_address), int(network.broadcast_address)
    make = IPv4Address if network.version == 4 else IPv6Address
    return [make(at) for at in (first - 1, first, last, last + 1) if 0 <= at < 2**network.max_prefixlen]


@st.composite
def changed_addresses(draw):
    """The text of an address with one character changed, put in or taken out."""
    text = draw(ADDRESSES.map(str))
    at = draw(st.integers(0, len(text)))
    put = draw(st.sampled_from(["", *"0123456789abcdefgF:./ -x", "::", "00", "\0", "٣", "é"]))
    return text[:at] + put + text[at + draw(st.integers(0, 1)) :]


@st.composite
def cidrs(draw, addresses=ADDRESSES):
    address = draw(addresses)
    return f"{address}/{draw(st.integers(0, address.max_prefixlen))}"


def oracle(written: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The standard library's network, that of mapped addresses alone as the IPv4 network that it is."""
    network = ipaddress.ip_network(written, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")


@given(ADDRESSES)
def test_an_address_is_its_number(address):
    assert {parse_address(text) for text in spellings(address)} == {number(address)}


@given(V4)
def test_a_mapped_address_is_the_ipv4_address(address):
    assert parse_address(dotted(address)) == parse_address(str(address)) == int(address)


@pytest.mark.parametrize("text", ["::fffe:a01:203", "::1:ffff:a01:203", "::ffff:0:a01:203", "::a01:203"])
def test_an_address_that_only_looks_mapped_stays_ipv6(text):
    assert parse_address(text) == number(IPv6Address(text)) >= 2**128


@given(ADDRESSES, ADDRESSES)
def test_two_addresses_have_one_number_only_if_they_are_one(first, second):
    assert (parse_address(str(first)) == parse_address(str(second))) == (unmapped(first) == unmapped(second))


@given(ADDRESSES)
def test_an_address_is_formatted_as_text_that_means_the_same(address):
    text = format_address(number(address))
    assert ipaddress.ip_address(text) == unmapped(address)


@given(
    st.one_of(changed_addresses(), st.text(), st.text("0123456789abcdef:.")).filter(lambda t: "%" not in t)
)
def test_a_text_is_an_address_exactly_when_the_standard_library_says_so(text):
    try:
        expected = number(ipaddress.ip_address(text))
    except ValueError:
        with pytest.raises(ValueError, match="is not an IPv4 or IPv6 address"):
            parse_address(text)
    else:
        assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1.2.3.4",
        "1.2.3.4\n",
        "1.2.3.4\0",
        "1.2.3.4%eth0",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "0x1.2.3.4",
        "16909060",
        ":::",
        "::1\0",
        "[::1]",
        "1:2:3:4:5:6:7",
        "::ffff:1.2.3",
        "localhost",
    ],
)
def test_what_is_no_address_is_refused_by_name(text):
    with pytest.raises(ValueError, match="is not an IPv4 or IPv6 address") as caught:
        parse_address(text)
    assert repr(text) in str(caught.value)


def test_the_zone_of_an_address_is_ignored():
    assert parse_address("fe80::1%eth0") == parse_address("fe80::1")


@given(cidrs())
def test_a_network_is_the_standard_librarys_with_its_host_bits_cleared(written):
    network = parse_network(written)
    expected = oracle(written)
    family = 0 if expected.version == 4 else 2**128
    first, last = int(expected.network_address), int(expected.broadcast_address)
    assert network == Network(family + first, family + last)
    assert ipaddress.ip_network(str(network)) == expected
    assert parse_network(str(network)) == network


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("192.168.1.0/24", "192.168.1.0/24"),
        ("203.0.113.9", "203.0.113.9/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::1/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::/0", "::/0"),
        ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
        ("::ffff:10.1.2.3/95", "::fffe:0:0/95"),
        ("::ffff:10.1.2.3/64", "::/64"),
    ],
)
def test_a_network_is_written_in_one_way(written, text):
    assert str(parse_network(written)) == text


@given(V4, st.integers(0, 32))
def test_a_mapped_network_is_the_ipv4_network(address, prefix):
    assert parse_network(f"{dotted(address)}/{96 + prefix}") == parse_network(f"{address}/{prefix}")


@given(ADDRESSES)
def test_a_single_address_is_a_network_of_one(address):
    assert parse_network(str(address)) == Network(number(address), number(address))
    assert parse_network(str(address)) == parse_network(f"{address}/{address.max_prefixlen}")


@given(
    ADDRESSES,
    st.one_of(st.integers(-5, 1000).map(str), st.text(max_size=5).filter(lambda text: not text.isdecimal())),
)
@example(IPv4Address("10.0.0.0"), "33")
@example(IPv6Address("2001:db8::"), "129")
@example(IPv6Address("::ffff:10.0.0.0"), "129")
def test_a_prefix_length_that_the_family_does_not_have_is_refused(address, prefix):
    assume(prefix not in {str(length) for length in range(address.max_prefixlen + 1)})
    with pytest.raises(ValueError, match=rf"no prefix length from 0 to {address.max_prefixlen}"):
        parse_network(f"{address}/{prefix}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/8",
        "10.0.0/8",
        "office",
        "10.0.0.0/8/8x",
        "10.0.0.0\\8",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/",
        "10.0.0.0/٨",
    ],
)
def test_what_is_no_network_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"is not a network|has no prefix length") as caught:
        parse_network(text)
    assert repr(text) in str(caught.value)


@given(st.lists(cidrs(st.one_of(V4, PURE_V6)), max_size=4), st.lists(ADDRESSES, max_size=4))
def test_a_list_of_networks_admits_exactly_the_addresses_within_them(written, addresses):
    expected = [oracle(text) for text in written]
    networks = parse_networks(written)
    for address in [*addresses, *(edge for network in expected for edge in edges(network))]:
        within = any(unmapped(address) in network for network in expected)
        assert (number(address) in networks) == within
        assert networks.admit(number(address)) == (within or not written)


@given(ADDRESSES)
def test_the_widest_network_of_a_family_holds_no_address_of_the_other(address):
    assert (number(address) in parse_networks(["0.0.0.0/0"])) == (unmapped(address).version == 4)
    assert (number(address) in parse_networks(["::/0"])) == (unmapped(address).version == 6)


def test_no_networks_admit_everyone_and_some_admit_no_unknown_address():
    assert Networks().admit(None)
    assert Networks().admit(parse_address("203.0.113.9"))
    assert not parse_networks(["0.0.0.0/0", "::/0"]).admit(None)


@given(st.lists(cidrs(V4), max_size=6))
def test_networks_are_kept_in_order_and_without_repeats(written):
    expected = list(dict.fromkeys(str(ipaddress.ip_network(text, strict=False)) for text in written))
    assert parse_networks([*written, *written]).texts() == tuple(expected)


def test_equal_lists_of_networks_are_one_object():
    assert parse_networks(["10.1.2.3/8"]) is parse_networks(["10.0.0.0/8", "10.0.0.0/8"])


def test_one_bad_network_refuses_the_list():
    with pytest.raises(ValueError, match=r"'10\.0\.0\.300' is not a network"):
        parse_networks(["10.0.0.0/8", "10.0.0.300"])


# What schemas say of networks


@given(st.from_regex(NETWORK_PATTERN).filter(lambda text: not text.endswith("\n")))
def test_what_matches_the_schemas_pattern_is_a_network(text):
    assert ipaddress.ip_network(str(parse_network(text))) == oracle(text)


@given(st.one_of(V4, PURE_V6), st.data())
def test_the_usual_spellings_of_a_network_match_the_schemas_pattern(address, data):
    prefix = data.draw(st.integers(0, address.max_prefixlen))
    for text in spellings(address):
        assert re.fullmatch(NETWORK_PATTERN, text)
        assert re.fullmatch(NETWORK_PATTERN, f"{text}/{prefix}")
        assert not re.fullmatch(NETWORK_PATTERN, f"{text}/{address.max_prefixlen + 1}")


# The caller behind proxies

TRUSTED = ["10.0.0.0/8", "fd00::/8"]
PROXIES = st.one_of(
    st.integers(0, 3).map(lambda at: IPv4Address("10.0.0.0") + at),
    st.integers(0, 3).map(lambda at: IPv6Address("fd00::") + at),
)
HOPS = st.one_of(PROXIES, ADDRESSES)
NO_ADDRESS = st.sampled_from(["", " ", "unknown", "_hidden", "1.2.3.4.5", "10.0.0.300:80", "fd00::g", "\0"])


def with_port(address: IPv4Address | IPv6Address) -> str:
    return f"{address}:443" if address.version == 4 else f"[{address}]:443"


@st.composite
def entries(draw):
    """What a proxy or a client may have written; mostly trusted proxies, so that walks are long."""
    kind = draw(st.sampled_from(["proxy", "proxy", "proxy", "other", "no address"]))
    if kind == "no address":
        return draw(NO_ADDRESS)
    address = draw(PROXIES if kind == "proxy" else ADDRESSES)
    return draw(st.sampled_from([str(address), with_port(address), f"[{address}]"]))


ENTRIES = entries()
FORWARDED = st.lists(st.tuples(ENTRIES, st.sampled_from(["", " ", "\t", "  "])), max_size=6)


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::9]:4711", "2001:db8::9"),
        ("10.0.0.1", "[2001:db8::9]", "2001:db8::9"),
        ("10.0.0.1", "2001:db8::9", "2001:db8::9"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("fd00::1", "203.0.113.9, fd00::2", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("203.0.113.9", "10.0.0.1", "203.0.113.9"),
    ],
)
def test_the_client_behind_proxies(peer, header, client):
    assert client_address(parse_address(peer), header, parse_networks(TRUSTED)) == parse_address(client)


@pytest.mark.parametrize("header", ["unknown", "203.0.113.9, unknown, 10.0.0.2", "203.0.113.9,"])
def test_a_client_that_a_trusted_proxy_cannot_name_is_unknown(header):
    assert client_address(parse_address("10.0.0.1"), header, parse_networks(TRUSTED)) is None


def slow_client_address(
    peer: IPv4Address | IPv6Address, entries: list[str]
) -> IPv4Address | IPv6Address | None:
    """The nearest hop that is not trusted, among those that trusted hops vouch for; None if unreadable."""
    trusted = [ipaddress.ip_network(text) for text in TRUSTED]
    hops: list[IPv4Address | IPv6Address | None] = [unmapped(peer)]
    for entry in reversed(entries):
        bare = re.sub(r"^\[(.*)\](:443)?$|^([^:]*):\d+$", r"\1\3", entry)
        try:
            hops.append(unmapped(ipaddress.ip_address(bare)))
        except ValueError:
            hops.append(None)
            break
    untrusted = [hop for hop in hops if hop is None or not any(hop in network for network in trusted)]
    return untrusted[0] if untrusted else hops[-1]


@settings(max_examples=400)
@given(HOPS, FORWARDED)
def test_the_client_is_the_nearest_hop_that_is_not_trusted(peer, forwarded):
    header = ",".join(space + entry + space for entry, space in forwarded)
    # An empty header is none.
    entries = [entry for entry, _ in forwarded] if header else []
    expected = slow_client_address(peer, entries)
    found = client_address(number(peer), header, parse_networks(TRUSTED))
    assert found == (None if expected is None else number(expected))


@given(ADDRESSES, FORWARDED)
def test_without_trusted_proxies_the_header_says_nothing(peer, forwarded):
    header = ",".join(entry for entry, _ in forwarded)
    assert client_address(number(peer), header, Networks()) == number(peer)


@given(PROXIES, V4, st.lists(ENTRIES, max_size=4))
def test_what_a_client_writes_itself_never_counts(proxy, client, written):
    """A trusted proxy appends the address that it saw; all that stands left of it came from the client."""
    assume(client not in ipaddress.ip_network("10.0.0.0/8"))
    header = ",".join([*written, str(client)])
    assert client_address(number(proxy), header, parse_networks(TRUSTED)) == number(client)


def test_a_peer_without_an_address_stays_unknown():
    assert client_address(None, "203.0.113.9", parse_networks(TRUSTED)) is None


@given(ADDRESSES)
def test_a_site_is_an_ipv4_address_or_an_ipv6_64(address):
    address = unmapped(address)
    if address.version == 4:
        expected = address
    else:
        expected = ipaddress.ip_network(f"{address}/64", strict=False).network_address
    assert site_of(number(address)) == parse_network(str(expected)).first


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("203.0.113.9", 4711), "203.0.113.9"),
        (("10.0.0.1", 4711), "198.51.100.7"),
        (("", 0), None),
        (None, None),
    ],
)
def test_a_callers_address_is_the_sockets_unless_a_trusted_proxy_names_another(peer, address):
    expected = None if address is None else parse_address(address)
    assert caller_address(peer, "198.51.100.7", parse_networks(TRUSTED)) == expected
