"""Least privilege: what a key has used, what could be taken away, and what a change would have refused.

A proposed change is judged by `decide` itself, asked again about each request that is on record; there is
no second copy of the rules. What a record does not tell is not guessed: it counts as uncertain.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import UNSET, Struct, UnsetType, structs

from innoai.access.activity import EVERYWHERE, Seen, block_of
from innoai.access.decide import Request, decide
from innoai.access.networks import Network, Networks, is_v4, parse_networks, site_of, spanning
from innoai.access.principal import Customer, Principal
from innoai.access.scopes import ADMIN_FULL, grants, in_order, scope_set

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from innoai.access.decide import Decision
    from innoai.access.principal import ApiKey
    from innoai.errors import Refusal

MOST_NETWORKS = 8
"""Networks that people would still keep in a list by hand."""

V4_WIDEST_BITS = 24
V6_SITE_BITS = 64
V6_WIDEST_BITS = 96
"""No network wider than a /8 or a /32 is advised, and of IPv6 none narrower than a site's /64."""

HEADROOM = 1.5
LEAST_RATE_LIMIT = 10
"""Requests a minute below which no limit is advised: a person's next try should pass."""

MOST_EXAMPLES = 3
_AFTER_THE_RULES = frozenset(("insufficient_quota", "rate_limit_exceeded"))
"""Codes of requests that passed every rule, and were refused by what changes with each request."""
_NOT_THE_KEYS = frozenset(("token_expired",))
"""Codes that say something of the token alone, whatever the key may do."""
_ANY_CUSTOMER = Customer("", "", disabled=False)


class Change(Struct, frozen=True):
    """What is to be different about a key; what is unset stays."""

    scopes: frozenset[str] | UnsetType = UNSET
    networks: Networks | UnsetType = UNSET
    models: frozenset[str] | UnsetType | None = UNSET
    rate_limit: int | UnsetType = UNSET
    expires_at: float | UnsetType | None = UNSET

    def of(self, key: ApiKey) -> ApiKey:
        """The key with it."""
        wanted = {name: value for name, value in structs.asdict(self).items() if value is not UNSET}
        return structs.replace(key, **wanted)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be different."""
        return all(value is UNSET for value in structs.astuple(self))


# What would have been refused.


class Reason(Struct, frozen=True):
    """Requests to which the change makes one and the same difference, the most frequent first as examples.

    For those that would be refused: the check, the code and the sentence. For those that would be let in:
    the code that they were refused with.
    """

    code: str
    check: str | None
    message: str | None
    required_scope: str | None
    requests: int
    examples: tuple[Seen, ...]


class Replay(Struct, frozen=True):
    """What difference a change would have made to the requests on record.

    `requests`: those that were admitted. `refused`: those of them that would not have been; `admitted`:
    others that would. `uncertain`: admitted ones of which the record does not tell enough. `outdated`:
    admitted ones that the key as it is now would be refused, with or without the change.
    """

    requests: int
    refused: tuple[Reason, ...]
    admitted: tuple[Reason, ...]
    uncertain: int
    outdated: int

    @property
    def refusals(self) -> int:
        """How many admitted requests would have been refused."""
        return sum(reason.requests for reason in self.refused)


_Decisions = dict[tuple[Any, ...], "Decision"]
"""Decisions by what they rest on."""


class _Refused(NamedTuple):
    """An admitted row that a change would have refused: by which check, and how."""

    check: str
    refusal: Refusal
    row: Seen

    def why(self) -> tuple[str, str, str, str]:
        """What is the same for all of one reason."""
        scope = self.refusal.details.get("required_scope", "")
        return self.check, self.refusal.code, self.refusal.message, str(scope)


def replay(
    principal: Principal, change: Change, seen: Iterable[Seen], is_served: Callable[[str], bool]
) -> Replay:
    """Decide again about what the key of `principal` did, as if the change had been made before.

    Rates and budgets are left out, as they depend on what else is going on. `is_served`: whether this
    server has the model.
    """
    requests = uncertain = outdated = 0
    changed = change.of(principal.key)
    known: _Decisions = {}
    refused: list[_Refused] = []
    admitted: list[Seen] = []
    for row in seen:
        as_is, _ = _decide_again(principal, principal.key, row, is_served, known)
        decision, is_certain = _decide_again(principal, changed, row, is_served, known)
        if row.allowed:
            requests += row.requests
            if not as_is.allowed:
                outdated += row.requests
            elif decision.refusal is not None:
                refused.append(_Refused(decision.refused_by or "", decision.refusal, row))
            elif not is_certain:
                uncertain += row.requests
        elif not as_is.allowed and decision.allowed and is_certain and _could_be_let_in(row):
            admitted.append(row)
    return Replay(requests, _refusals(refused), _admissions(admitted), uncertain, outdated)


def _decide_again(
    principal: Principal, key: ApiKey, row: Seen, is_served: Callable[[str], bool], known: _Decisions
) -> tuple[Decision, bool]:
    """What the key would be told, and whether that holds for every address that the row may stand for.

    Of an address a decision knows only whether the networks admit it, and of an instant only whether the key
    had ended, so what was decided about rows that differ in no more than these is `known`.
    """
    before = principal.key.networks if row.allowed else Networks()
    address, is_certain = _address_in(row.place, before, key.networks)
    alike = (
        id(key),
        row.route.method,
        row.route.path,
        row.model,
        row.required_scope,
        row.bearer,
        row.allowed,
        key.networks.admit(address),
        key.expires_at is not None and key.expires_at <= row.last_at,
        key.revoked_at is not None and key.revoked_at <= row.last_at,
    )
    decision = known.get(alike)
    if decision is None:
        if key.revoked_at is not None and row.last_at < key.revoked_at:
            key = structs.replace(key, revoked_at=None)
        bound = principal.customer or (_ANY_CUSTOMER if row.bearer == "customer" else None)
        request = Request(
            row.route,
            address,
            row.model,
            row.model is None or row.allowed or is_served(row.model),
            key.id if _is_about_itself(row, principal.key) else None,
            required_scope=row.required_scope,
        )
        decision = decide(Principal(principal.account, key, bound), request, row.last_at)
        known[alike] = decision
    return decision, is_certain


def _address_in(place: Network | None, before: Networks, after: Networks) -> tuple[int | None, bool]:
    """An address for the place, and whether `after` treats all of the place alike, as far as `before` let in.

    Where it does not, the address is one that it admits: what refuses that refuses all.
    """
    if place is None:
        return None, True
    parts = _within(place, before) or [place]
    admitted = [_within(part, after) for part in parts]
    first = next(filter(None, admitted), parts)[0].first
    return first, not any(admitted) or all(
        part in within for part, within in zip(parts, admitted, strict=True)
    )


def _within(place: Network, networks: Networks) -> list[Network]:
    """What of the place lies in the networks."""
    if not networks.blocks:
        return [place]
    touched = (block for block in networks.blocks if block.first <= place.last and place.first <= block.last)
    return [place if place in block else block for block in touched]


def _could_be_let_in(row: Seen) -> bool:
    """Whether another key would have made a difference to what was refused, as far as one can tell."""
    if row.code in _AFTER_THE_RULES or row.code in _NOT_THE_KEYS:
        return False
    # A token may have been minted with fewer scopes than its key has.
    return row.code != "insufficient_permissions" or row.bearer == "key"


def _refusals(refused: Sequence[_Refused]) -> tuple[Reason, ...]:
    reasons = []
    for (check, code, message, scope), group in groupby(sorted(refused, key=_Refused.why), _Refused.why):
        rows = [one.row for one in group]
        reasons.append(Reason(code, check, message, scope or None, _total(rows), _examples(rows)))
    return _most_first(reasons)


def _admissions(admitted: Sequence[Seen]) -> tuple[Reason, ...]:
    def code_of(row: Seen) -> str:
        return row.code

    reasons = []
    for code, group in groupby(sorted(admitted, key=code_of), code_of):
        rows = list(group)
        reasons.append(Reason(code, None, None, None, _total(rows), _examples(rows)))
    return _most_first(reasons)


def _total(rows: Iterable[Seen]) -> int:
    return sum(row.requests for row in rows)


def _examples(rows: Iterable[Seen]) -> tuple[Seen, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.requests, -row.last_at))[:MOST_EXAMPLES])


def _most_first(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: -reason.requests))


# What could be taken away.

Verdict = Literal["keep", "narrow", "unused", "unknown"]


class Part(Struct, frozen=True):
    """One kind of bound: what of it was used, what of it was not, and what to have instead.

    `keep`: it fits; `narrow`: `advised` suffices; `unused`: nothing was done that it is about; `unknown`: it
    was used from too many places, or of too many kinds, to tell.
    """

    verdict: Verdict
    used: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    advised: tuple[str, ...] | None = None


class RatePart(Struct, frozen=True):
    """The rate: the busiest minute on record, None where there is none, and a limit that leaves it room."""

    verdict: Verdict
    peak_minute: int | None
    advised: int | None = None


class Advice(Struct, frozen=True):
    """What a key may do beyond what it did. `change` is all of it at once."""

    requests: int
    scopes: Part
    networks: Part
    models: Part
    rate: RatePart
    change: Change


def advise(key: ApiKey, seen: Sequence[Seen], peak_minute: int | None) -> Advice:
    """What could be taken away from the key without refusing anything that it was admitted to do.

    `peak_minute`: requests of its busiest minute.
    """
    used = [row for row in seen if row.allowed]
    scopes, networks, models = _scopes(key, used), _networks(key, used), _models(key, used)
    rate = _rate(key, peak_minute if used else None)
    wanted: dict[str, Any] = {}
    if scopes.advised is not None:
        wanted["scopes"] = scope_set(scopes.advised)
    if networks.advised is not None:
        wanted["networks"] = parse_networks(networks.advised)
    if models.advised is not None:
        wanted["models"] = frozenset(models.advised)
    if rate.advised is not None:
        wanted["rate_limit"] = rate.advised
    return Advice(_total(used), scopes, networks, models, rate, Change(**wanted))


def _scopes(key: ApiKey, used: Iterable[Seen]) -> Part:
    needed = {scope for row in used for scope in _asked_for(row, key)}
    held = in_order(key.scopes)
    if not needed:
        return Part("unused", (), held)
    unused = tuple(scope for scope in held if scope not in needed)
    # Scopes that the key has lost since are not for advice to give back.
    advised = in_order(scope for scope in needed if grants(key.scopes, scope))
    if not unused or not advised:
        return Part("keep", in_order(needed), unused)
    return Part("narrow", in_order(needed), unused, advised)


def _asked_for(row: Seen, key: ApiKey) -> Iterator[str]:
    """The scopes that it took to be admitted."""
    if row.required_scope is not None:
        yield row.required_scope
    if row.route.scope is not None and not _is_about_itself(row, key):
        yield row.route.scope


def _is_about_itself(row: Seen, key: ApiKey) -> bool:
    """Whether a key revoked itself, which it may always: without the scope, it was no other."""
    return row.route.own_key and row.bearer == "key" and not grants(key.scopes, ADMIN_FULL)


def _networks(key: ApiKey, used: Sequence[Seen]) -> Part:
    if not used:
        return Part("unused", (), key.networks.texts())
    places = [row.place for row in used]
    advised = cover(places)
    if advised is None:
        return Part("unknown")
    texts = tuple(map(str, advised))
    if not key.networks.blocks:
        return Part("narrow", texts, (), texts)
    known = [place for place in places if place is not None]
    unused = tuple(
        str(block)
        for block in key.networks.blocks
        if not any(block.first <= place.last and place.first <= block.last for place in known)
    )
    return Part("narrow" if unused else "keep", texts, unused, _without(key.networks, unused))


def _without(networks: Networks, unused: Collection[str]) -> tuple[str, ...] | None:
    kept = tuple(text for text in networks.texts() if text not in unused)
    return kept if unused and kept else None


def _models(key: ApiKey, used: Iterable[Seen]) -> Part:
    names = {row.model for row in used if row.model is not None}
    held = () if key.models is None else tuple(sorted(key.models))
    if not names:
        return Part("unused", (), held)
    unused = tuple(name for name in held if name not in names)
    if key.models is not None and not unused:
        return Part("keep", tuple(sorted(names)))
    advised = names if key.models is None else names & key.models
    return Part("narrow", tuple(sorted(names)), unused, tuple(sorted(advised)) or None)


def _rate(key: ApiKey, peak_minute: int | None) -> RatePart:
    if peak_minute is None:
        return RatePart("unused", None)
    advised = max(LEAST_RATE_LIMIT, _rounded_up(int(-(-peak_minute * HEADROOM // 1))))
    if advised >= key.rate_limit:
        return RatePart("keep", peak_minute)
    return RatePart("narrow", peak_minute, advised)


def _rounded_up(number: int) -> int:
    """To two digits, as people choose limits."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit


def cover(places: Iterable[Network | None], most: int = MOST_NETWORKS) -> tuple[Network, ...] | None:
    """At most so many networks that hold all places, as narrow as can be; None where no sensible ones do.

    All of them are widened alike, bit by bit, and each is then as narrow as what it holds: addresses that are
    few stay addresses, and a rack becomes its network.
    """
    blocks: set[Network] = set()
    for place in places:
        if place is None or place == EVERYWHERE:
            return None
        wide = is_v4(place.first) or place.last - place.first >= (1 << V6_SITE_BITS) - 1
        blocks.add(place if wide else block_of(site_of(place.first), V6_SITE_BITS))
    in_order = sorted(blocks, key=lambda block: (block.first, -block.last))
    narrowest, step = 0, V6_WIDEST_BITS - V6_SITE_BITS
    held = _gathered(in_order, step)
    if len(held) > most:
        return None
    # The wider, the fewer: half of what is left is ruled out by each look.
    while narrowest < step:
        between = (narrowest + step) // 2
        found = _gathered(in_order, between)
        if len(found) <= most:
            step, held = between, found
        else:
            narrowest = between + 1
    return held


def _gathered(in_order: Sequence[Network], step: int) -> tuple[Network, ...]:
    """The blocks, with all that lie in one network of so many open bits as the smallest that holds them."""
    v4_bits, v6_bits = min(step, V4_WIDEST_BITS), V6_SITE_BITS + step

    def network_of(block: Network) -> Network:
        wide = block_of(block.first, v4_bits if is_v4(block.first) else v6_bits)
        return wide if block in wide else block

    gathered: list[Network] = []
    for _, group in groupby(in_order, network_of):
        members = list(group)
        found = spanning(members[0].first, max(block.last for block in members))
        if gathered and found in gathered[-1]:
            continue
        while gathered and _are_halves(gathered[-1], found):
            found = Network(gathered.pop().first, found.last)
        gathered.append(found)
    return tuple(gathered)


def _are_halves(one: Network, other: Network) -> bool:
    """Whether the two are one network without a gap."""
    together = spanning(one.first, other.last)
    return together.last - together.first + 1 == (one.last - one.first + 1) + (other.last - other.first + 1)
