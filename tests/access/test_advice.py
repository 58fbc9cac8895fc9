from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from innoai.access.activity import EVERYWHERE, Seen, network_of
from innoai.access.advice import MOST_NETWORKS, Change, advise, cover, replay
from innoai.access.decide import Request, decide
from innoai.access.networks import Network, Networks, is_v4, parse_address, parse_network, parse_networks
from innoai.access.principal import Principal
from innoai.access.routes import ROUTES, route_for
from innoai.access.scopes import ADMIN_FULL, SCOPES, scope_set
from tests.access.facts import ACCOUNT, CUSTOMER, KEY, NOW

CHAT = route_for("POST", "/v1/chat/completions")
MODELS = route_for("GET", "/v1/models")
KEYS = route_for("GET", "/v1/keys")
FORWARD = route_for("GET", "/v1/auth/forward")
REVOKE = route_for("DELETE", "/v1/keys/{key_id}")
MEMBERS = route_for("GET", "/v1/members")
HOME = "203.0.113.7"
SERVED = frozenset(("one", "two"))


def place(text):
    network = parse_network(text)
    return network if "/" in text else Network(network.first, network.first)


def seen(route=CHAT, at=HOME, code="allowed", requests=1, last_at=NOW, **more):
    return Seen(route, None if at is None else place(at), code, requests, last_at, **more)


def key(**changed):
    return structs.replace(KEY, **changed)


def owner(key=KEY, customer=None, account=ACCOUNT):
    return Principal(account, key, customer)


def replayed(change, *rows, by=None, served=SERVED):
    return replay(by or owner(), change, rows, served.__contains__)


def counts(found):
    return (
        found.requests,
        [(reason.code, reason.requests) for reason in found.refused],
        [(reason.code, reason.requests) for reason in found.admitted],
        found.uncertain,
        found.outdated,
    )


# What would have been refused.


def test_a_change_of_nothing_makes_no_difference():
    assert Change().is_empty
    assert not Change(models=None).is_empty
    found = replayed(Change(), seen(requests=7), seen(code="model_not_found", model="none"))
    assert counts(found) == (7, [], [], 0, 0)
    assert found.refusals == 0


def test_a_scope_that_is_taken_away_refuses_what_asked_for_it():
    found = replayed(
        Change(scopes=scope_set(["inference:read"])),
        seen(requests=5),
        seen(MODELS, requests=3),
        seen(FORWARD),
    )
    assert counts(found) == (9, [("insufficient_permissions", 5)], [], 0, 0)
    (reason,) = found.refused
    assert (reason.check, reason.required_scope) == ("scope", "inference:write")
    now_refused = decide(owner(key(scopes=scope_set(["inference:read"]))), Request(CHAT, None), NOW).refusal
    assert now_refused is not None
    assert reason.message == now_refused.message
    assert found.refusals == 5


def test_the_scope_that_another_service_asked_for_counts_too():
    rows = seen(FORWARD, required_scope="inference:write", requests=2), seen(FORWARD)
    found = replayed(Change(scopes=scope_set(["inference:read"])), *rows)
    assert counts(found) == (3, [("insufficient_permissions", 2)], [], 0, 0)


def test_networks_refuse_who_is_outside_of_them():
    wanted = Change(networks=parse_networks(["203.0.113.0/24", "2001:db8::/32"]))
    rows = [seen(), seen(at="198.51.100.1", requests=2), seen(at="2001:db8::1"), seen(at=None, requests=4)]
    found = replayed(wanted, *rows)
    assert counts(found) == (8, [("ip_not_allowed", 6)], [], 0, 0)
    assert [row.requests for row in found.refused[0].examples] == [4, 2]


def test_of_a_kept_network_only_what_holds_for_all_of_it_is_certain():
    rows = [seen(at="203.0.113.0/24", requests=10)]
    inside, outside, partly = (
        replayed(Change(networks=parse_networks([text])), *rows)
        for text in ("203.0.0.0/16", "198.51.100.0/24", "203.0.113.0/25")
    )
    assert counts(inside) == (10, [], [], 0, 0)
    assert counts(outside) == (10, [("ip_not_allowed", 10)], [], 0, 0)
    assert counts(partly) == (10, [], [], 10, 0)


def test_of_everywhere_nothing_is_certain_where_networks_are_asked():
    row = Seen(CHAT, EVERYWHERE, "allowed", 4, NOW)
    assert counts(replayed(Change(networks=parse_networks(["10.0.0.0/8"])), row)) == (4, [], [], 4, 0)
    assert counts(replayed(Change(scopes=scope_set(["billing:read"])), row))[1] == [
        ("insufficient_permissions", 4)
    ]
    both = Change(networks=parse_networks(["10.0.0.0/8"]), scopes=scope_set(["billing:read"]))
    assert counts(replayed(both, row))[1] == [("insufficient_permissions", 4)]


def test_models_that_are_not_named_are_refused():
    rows = seen(model="one", requests=3), seen(model="two"), seen(MODELS)
    found = replayed(Change(models=frozenset(("one",))), *rows)
    assert counts(found) == (5, [("model_not_allowed", 1)], [], 0, 0)


def test_a_model_that_was_served_then_is_not_held_against_the_change():
    assert counts(replayed(Change(rate_limit=5), seen(model="gone"))) == (1, [], [], 0, 0)


def test_an_expiry_refuses_what_came_after_it():
    rows = seen(last_at=NOW - 10), seen(last_at=NOW + 10, requests=2)
    found = replayed(Change(expires_at=float(NOW)), *rows)
    assert counts(found) == (3, [("invalid_api_key", 2)], [], 0, 0)
    assert found.refused[0].check == "standing"


def test_reasons_come_with_the_most_frequent_first():
    wanted = Change(networks=parse_networks([HOME]), scopes=scope_set(["inference:write"]))
    found = replayed(wanted, seen(MODELS, requests=2), seen(at="192.0.2.1", requests=9))
    assert [reason.code for reason in found.refused] == ["ip_not_allowed", "insufficient_permissions"]


def test_what_was_refused_and_would_be_let_in_is_told_of():
    bound = owner(key(networks=parse_networks(["192.0.2.0/24"]), scopes=scope_set(["inference:write"])))
    rows = [
        seen(code="ip_not_allowed", requests=3),
        seen(MODELS, at="192.0.2.1", code="insufficient_permissions", requests=2),
        seen(MODELS, at="192.0.2.1", code="insufficient_permissions", bearer="token"),
        seen(code="rate_limit_exceeded"),
        seen(code="token_expired", bearer="token"),
    ]
    wider = Change(networks=Networks(), scopes=scope_set(["inference:read", "inference:write"]))
    found = replayed(wider, *rows, by=bound)
    assert counts(found) == (0, [], [("ip_not_allowed", 3), ("insufficient_permissions", 2)], 0, 0)
    assert (found.admitted[0].check, found.admitted[0].message) == (None, None)


def test_a_model_that_is_not_served_is_not_let_in():
    bound = owner(key(models=frozenset(("one",))))
    rows = seen(code="model_not_allowed", model="two"), seen(code="model_not_allowed", model="none")
    assert counts(replayed(Change(models=None), *rows, by=bound))[2] == [("model_not_allowed", 1)]


def test_what_the_key_as_it_is_would_be_refused_is_not_blamed_on_the_change():
    bound = owner(key(networks=parse_networks(["192.0.2.0/24"])))
    found = replayed(Change(scopes=scope_set(["billing:read"])), seen(requests=5), by=bound)
    assert counts(found) == (5, [], [], 0, 5)


def test_a_revoked_key_is_judged_by_what_it_did_before():
    bound = owner(key(revoked_at=float(NOW)))
    rows = seen(last_at=NOW - 1.0), seen(last_at=NOW + 1.0, code="invalid_api_key")
    found = replayed(Change(scopes=scope_set(["billing:read"])), *rows, by=bound)
    assert counts(found) == (1, [("insufficient_permissions", 1)], [], 0, 0)


def test_a_key_without_the_scope_revoked_itself():
    found = replayed(Change(scopes=scope_set(["billing:read"])), seen(REVOKE))
    assert counts(found) == (1, [], [], 0, 0)
    admin = owner(key(scopes=scope_set([ADMIN_FULL])))
    found = replayed(Change(scopes=scope_set(["billing:read"])), seen(REVOKE), by=admin)
    assert counts(found) == (1, [("insufficient_permissions", 1)], [], 0, 0)


def test_a_customers_token_is_still_a_customers():
    admin = owner(key(scopes=scope_set([ADMIN_FULL])))
    assert counts(replayed(Change(), seen(MEMBERS, bearer="customer"), by=admin))[4] == 1
    assert counts(replayed(Change(), seen(MEMBERS), by=admin))[4] == 0
    assert counts(replayed(Change(), seen(MEMBERS), by=owner(admin.key, CUSTOMER)))[4] == 1


# What could be taken away.


def test_a_key_that_did_nothing_has_everything_unused():
    advice = advise(key(networks=parse_networks(["10.0.0.0/8"]), models=frozenset(("one",))), [], 99)
    assert (advice.requests, advice.change) == (0, Change())
    assert [part.verdict for part in (advice.scopes, advice.networks, advice.models, advice.rate)] == [
        "unused"
    ] * 4
    assert (advice.scopes.unused, advice.networks.unused, advice.models.unused) == (
        ("inference:read", "inference:write"),
        ("10.0.0.0/8",),
        ("one",),
    )


def test_refused_requests_are_no_use():
    assert advise(KEY, [seen(code="ip_not_allowed")], 5).change == Change()


def test_scopes_that_nothing_asked_for_could_go():
    advice = advise(KEY, [seen()], None)
    assert advice.scopes.verdict == "narrow"
    assert (advice.scopes.used, advice.scopes.unused) == (("inference:write",), ("inference:read",))
    assert advice.change.scopes == scope_set(["inference:write"])


def test_an_admin_key_that_only_infers_needs_no_admin():
    advice = advise(key(scopes=scope_set([ADMIN_FULL])), [seen(), seen(MODELS)], None)
    assert advice.scopes.advised == ("inference:read", "inference:write")
    kept = advise(key(scopes=scope_set([ADMIN_FULL])), [seen(KEYS)], None)
    assert (kept.scopes.verdict, kept.scopes.advised) == ("keep", None)


def test_scopes_that_are_all_used_stay():
    assert advise(KEY, [seen(), seen(MODELS)], None).scopes.verdict == "keep"


def test_advice_gives_back_no_scope_that_the_key_has_lost():
    assert advise(key(scopes=scope_set(["billing:read"])), [seen()], None).scopes == structs.replace(
        advise(KEY, [seen()], None).scopes, verdict="keep", unused=("billing:read",), advised=None
    )


def test_routes_without_a_scope_make_none_needed():
    advice = advise(KEY, [seen(FORWARD), seen(REVOKE)], None)
    assert (advice.scopes.verdict, advice.change.scopes) == ("unused", Change().scopes)


def test_a_key_without_networks_is_advised_those_that_it_was_used_from():
    advice = advise(KEY, [seen(), seen(at="203.0.113.6"), seen(at="2001:db8::7")], None)
    assert advice.networks.advised == ("203.0.113.6/31", "2001:db8::/64")
    assert advice.change.networks == parse_networks(["203.0.113.6/31", "2001:db8::/64"])


def test_a_key_with_networks_is_told_which_of_them_nobody_called_from():
    bound = key(networks=parse_networks(["203.0.113.0/24", "10.0.0.0/8"]))
    advice = advise(bound, [seen()], None)
    assert (advice.networks.verdict, advice.networks.unused) == ("narrow", ("10.0.0.0/8",))
    assert advice.change.networks == parse_networks(["203.0.113.0/24"])
    kept = advise(key(networks=parse_networks(["203.0.113.0/24"])), [seen()], None)
    assert (kept.networks.verdict, kept.networks.advised) == ("keep", None)
    elsewhere = advise(key(networks=parse_networks(["10.0.0.0/8"])), [seen()], None)
    assert (elsewhere.networks.unused, elsewhere.networks.advised) == (("10.0.0.0/8",), None)


@pytest.mark.parametrize("at", [None, "everywhere"])
def test_who_was_called_from_nobody_knows_where_gets_no_networks(at):
    row = seen(at=None) if at is None else Seen(CHAT, EVERYWHERE, "allowed", 1, NOW)
    advice = advise(KEY, [seen(), row], None)
    assert (advice.networks.verdict, advice.change.networks) == ("unknown", Change().networks)


def test_models_that_were_not_asked_for_could_go():
    advice = advise(key(models=frozenset(("one", "two"))), [seen(model="one")], None)
    assert (advice.models.verdict, advice.models.unused) == ("narrow", ("two",))
    assert advice.change.models == frozenset(("one",))
    assert advise(key(models=frozenset(("one",))), [seen(model="one")], None).models.verdict == "keep"
    assert advise(KEY, [seen(model="one")], None).models.advised == ("one",)
    lost = advise(key(models=frozenset(("two",))), [seen(model="one")], None)
    assert (lost.models.unused, lost.models.advised) == (("two",), None)


@pytest.mark.parametrize(
    ("peak", "advised"), [(0, 10), (1, 10), (10, 15), (67, 110), (100, 150), (455, 690), (667, None)]
)
def test_a_limit_leaves_the_busiest_minute_room(peak, advised):
    advice = advise(KEY, [seen()], peak)
    assert (advice.rate.peak_minute, advice.rate.advised) == (peak, advised)
    assert advice.rate.verdict == ("keep" if advised is None else "narrow")


V4 = st.integers(0, 2**32 - 1)
V6 = st.integers(2**128 + 2**64, 2**129 - 1)
NEAR = st.integers(parse_address("203.0.113.0"), parse_address("203.0.114.255"))
PLACES = st.one_of(NEAR, V4, V6).flatmap(
    lambda address: st.sampled_from([Network(address, address), network_of(address)])
)
SINGLE = NEAR.map(lambda address: Network(address, address))


def rows_from(places):
    return st.builds(
        Seen,
        route=st.sampled_from(ROUTES),
        place=places,
        code=st.sampled_from(["allowed", "allowed", "ip_not_allowed", "insufficient_permissions"]),
        requests=st.integers(1, 1000),
        last_at=st.just(float(NOW)),
        model=st.sampled_from([None, "one", "two"]),
        required_scope=st.sampled_from([None, *SCOPES]),
        bearer=st.sampled_from(["key", "token"]),
    )


ROWS = rows_from(st.one_of(SINGLE, PLACES, st.none(), st.just(EVERYWHERE)))
KEYS_OF_ANY_KIND = st.builds(
    key,
    scopes=st.lists(st.sampled_from(list(SCOPES)), min_size=1).map(scope_set),
    networks=st.sampled_from([Networks(), parse_networks(["203.0.0.0/16", "::/0"])]),
    models=st.sampled_from([None, frozenset(("one",)), frozenset(("one", "two"))]),
)


@settings(max_examples=40)
@given(KEYS_OF_ANY_KIND, st.lists(ROWS, max_size=8), st.integers(0, 10**6))
def test_advice_never_takes_away_what_was_used(any_key, rows, peak):
    principal = owner(any_key)
    admitted = [row for row in rows if counts(replayed(Change(), row, by=principal))[4] == 0]
    advice = advise(any_key, admitted, peak)
    found = replayed(advice.change, *admitted, by=principal)
    assert (found.refused, found.uncertain) == ((), 0)


@settings(max_examples=40)
@given(
    KEYS_OF_ANY_KIND,
    KEYS_OF_ANY_KIND,
    st.lists(rows_from(st.one_of(SINGLE, st.none())), max_size=6),
)
def test_a_replay_is_the_decision_about_each_request(before, after, rows):
    """Of single addresses, since those are what a request has."""
    change = Change(after.scopes, after.networks, after.models)
    found = replay(owner(before), change, rows, SERVED.__contains__)
    expected = 0
    for row in rows:
        address = None if row.place is None else row.place.first
        itself = (
            "key_1" if row.route.own_key and row.bearer == "key" and ADMIN_FULL not in before.scopes else None
        )
        asked = Request(row.route, address, row.model, True, itself, required_scope=row.required_scope)
        if row.allowed and decide(owner(before), asked, NOW).allowed:
            expected += 0 if decide(owner(after), asked, NOW).allowed else row.requests
    assert found.refusals == expected


@given(st.lists(PLACES, min_size=1, max_size=60), st.integers(1, MOST_NETWORKS))
def test_a_cover_holds_every_place_in_few_networks_of_one_family_each(places, most):
    held = cover(places, most)
    if held is None:
        return
    assert len(held) <= most
    assert all(any(one in network for network in held) for one in places)
    for network in held:
        assert str(network) == str(parse_network(str(network)))
        assert is_v4(network.first) == is_v4(network.last)
        assert network.last - network.first < 2 ** (24 if is_v4(network.first) else 96)
    for one, other in pairwise(held):
        assert one.last < other.first


def texts(networks):
    return [str(network) for network in networks]


@given(st.lists(V4, min_size=1, max_size=MOST_NETWORKS, unique=True))
def test_a_few_addresses_are_covered_exactly(addresses):
    held = cover(Network(address, address) for address in addresses)
    assert held is not None
    assert sum(network.last - network.first + 1 for network in held) == len(addresses)


def test_a_cover_is_as_narrow_as_the_number_of_networks_lets_it_be():
    rack = [place(f"10.0.0.{host}") for host in range(0, 256, 3)]
    assert texts(cover([*rack, place("192.0.2.1")], 2)) == ["10.0.0.0/24", "192.0.2.1/32"]
    assert cover([place(f"{first}.1.1.1") for first in range(1, 100)]) is None
    assert texts(cover([place("203.0.113.0/24"), place(HOME)])) == ["203.0.113.0/24"]
    assert cover([]) == ()
