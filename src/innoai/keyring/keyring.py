"""Principals by credential.

A request reads memory; the store is asked only for what is not there yet. Two things keep a stale
answer from living on: what was read while its subject changed is read again instead of kept, and
memory counts no longer than the change feed vouches for it (feed.py): the answer is 503, not a guess.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

import structlog
from msgspec.structs import replace

from innoai.access import keys as key_format
from innoai.access.budgets import DEFAULT_CURRENCY
from innoai.access.networks import parse_networks
from innoai.access.principal import Account, ApiKey, Customer, Member, Principal, Unauthenticated
from innoai.access.roles import member_principal
from innoai.access.scopes import scope_set
from innoai.access.tiers import effective_models, effective_rate_limit
from innoai.access.tokens import REFRESH_LIFETIME, is_token_shaped
from innoai.errors import InnoError, refusal
from innoai.keyring.bindings import Bindings
from innoai.store import accounts, api_keys, budgets, changes, customers, sessions, signing_keys, tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.budgets import Budget
    from innoai.access.tiers import Tier
    from innoai.access.tokens import Claims, SigningKeys, TokenUse
    from innoai.config import TokenSettings
    from innoai.keyring.feed import ChangeFeed
    from innoai.store.accounts import AccountRecord
    from innoai.store.api_keys import KeyRecord
    from innoai.store.changes import Change
    from innoai.store.customers import CustomerRecord
    from innoai.store.database import Database
    from innoai.store.secrets import Secrets

MAX_KEYS = 1_000_000
MAX_CUSTOMERS = 1_000_000
MAX_TOKENS = 100_000
MEMBER_PREFIX = "mem_"
USE_BATCH = 200
"""Keys whose last use is written in one transaction: many would hold up the requests meanwhile."""

_FILL_ATTEMPTS = 5
_SEEN_BYTES = 32

log = structlog.get_logger()

K = TypeVar("K")
T = TypeVar("T")


class Keyring:
    """Who a credential stands for."""

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        feed: ChangeFeed,
        *,
        tiers: Mapping[str, Tier],
        tokens: TokenSettings,
        currency: str = DEFAULT_CURRENCY,
        session_idle: float,
        clock: Callable[[], float],
    ) -> None:
        self.tiers = tiers
        self._database = database
        self._secrets = secrets
        self._feed = feed
        self._tokens = tokens
        self._currency = currency
        self._session_idle = session_idle
        self._clock = clock
        # What was presented, by a digest under a secret of this process: no key stays readable in memory,
        # and one that was seen before costs no checksum and no peppered digest.
        self._seen_secret = os.urandom(_SEEN_BYTES)
        # A digest names its key for ever, so only what is known about the id is ever forgotten.
        self._key_ids: dict[bytes, str] = {}
        self._principals: dict[str, Principal] = {}
        # The keys of an account share what is known of it.
        self._accounts: dict[str, Account] = {}
        # By account, and by the customer whom they are bound to.
        self._owned = Bindings()
        self._bindings = Bindings()
        self._customers: dict[str, Customer] = {}
        self._customer_pks: dict[tuple[str, str], str] = {}
        self._claims: dict[bytes, Claims] = {}
        self._revoked: dict[str, float] = {}
        self._signing: SigningKeys | None = None
        self._used: dict[str, float] = {}

    @property
    def signing(self) -> SigningKeys:
        """The signing keys in force."""
        if self._signing is None:
            raise InnoError("service_unavailable")
        return self._signing

    # What the change feed says.

    async def load(self, connection: AsyncConnection) -> None:
        """Forget everything; read the signing keys and the revocations that still matter."""
        now = self._clock()
        self._principals.clear()
        self._accounts.clear()
        self._bindings.clear()
        self._owned.clear()
        self._customers.clear()
        self._customer_pks.clear()
        self._revoked = await tokens.live_revocations(connection, now)
        await self._load_signing_keys(connection)

    async def hear(self, connection: AsyncConnection, news: list[Change]) -> None:
        """Forget what changed."""
        if any(change.kind == changes.SIGNING_KEY for change in news):
            await self._load_signing_keys(connection)
        for change in news:
            match change.kind:
                case changes.KEY:
                    self._forget(change.subject)
                case changes.CUSTOMER:
                    self._customers.pop(change.subject, None)
                    for key_id in self._bindings.of(change.subject):
                        self._forget(key_id)
                case changes.ACCOUNT:
                    self._accounts.pop(change.subject, None)
                    for key_id in self._owned.of(change.subject):
                        self._forget(key_id)
                case changes.REVOCATION:
                    self._note_revocation(change.subject)

    def _note_revocation(self, subject: str) -> None:
        """Remember it for as long as what it concerns could live; forget those that have outlived theirs."""
        now = self._clock()
        self._revoked[subject] = now + REFRESH_LIFETIME
        while self._revoked[oldest := next(iter(self._revoked))] <= now:
            del self._revoked[oldest]

    async def reload_signing_keys(self) -> None:
        """Let go of signing keys that have retired since they were read."""
        async with self._database.read() as connection:
            await self._load_signing_keys(connection)

    async def _load_signing_keys(self, connection: AsyncConnection) -> None:
        self._signing = await signing_keys.load(connection, self._secrets, self._clock())
        self._claims.clear()

    # Who is signed in.

    async def signed_in(
        self, connection: AsyncConnection, account_id: str, member: Member, expires_at: float
    ) -> Principal:
        """The principal of a member whose session, read from the store by the same connection, ends then.

        It is made anew for each visit, and never kept: a session that has ended or a role that was changed
        counts at once.
        """
        record = await accounts.get(connection, account_id)
        applying = await budgets.of_many(connection, (account_id,))
        tier = self._tier_of(record)
        account = self._account(record, tier, applying)
        return member_principal(account, member, expires_at, effective_models(None, tier))

    async def _bearing_member(self, claims: Claims) -> Principal | Unauthenticated:
        """Who a token of a member's session stands for, as long as that lasts; never kept, as above."""
        now, idle = self._clock(), self._session_idle
        async with self._database.read() as connection:
            session = await sessions.get(connection, claims.sid, now, seen_after=now - idle)
            if session is None or session.member_id != claims.client_id:
                return _unknown("The session has ended. Sign in again.")
            member = Member(session.member_id, session.role)
            signed_in = await self.signed_in(connection, session.account_id, member, session.ends_at(idle))
        # Memory has no members, but it knows whether the token was revoked meanwhile.
        return self._cached_bearer(claims) or replace(signed_in, token=claims)

    # What a request asks.

    def cached(self, credential: str, seen: bytes | None = None) -> Principal | Unauthenticated | None:
        """Who the credential stands for, from memory alone; None when the store has to be asked.

        `seen` is `digest(credential)`, for a caller who presents the same credential again and again.
        """
        return self._known(credential, seen) if self._feed.is_current else None

    def _known(self, credential: str, seen: bytes | None = None) -> Principal | Unauthenticated | None:
        digest = self.digest(credential) if seen is None else seen
        key_id = self._key_ids.get(digest)
        if key_id is not None:
            return self._principals.get(key_id)
        verified = self._claims.get(digest)
        if verified is not None and verified.token_use == "access":
            return self._cached_bearer(verified)
        if credential.startswith(key_format.PREFIX):
            return None if key_format.is_well_formed(credential) else _malformed()
        if not is_token_shaped(credential):
            return _malformed()
        try:
            claims = self._verified(credential, "access")
        except InnoError as error:
            return Unauthenticated("standing", error.refusal)
        return self._cached_bearer(claims)

    async def remembered(self, credential: str) -> Principal | Unauthenticated | None:
        """As `cached`, of a memory that is current; waits for the change feed, but asks for nothing else.

        Raises:
            InnoError: service_unavailable when memory is too old to be trusted.
        """
        await self._feed.settle(self)
        return self._known(credential)

    async def resolve(self, credential: str) -> Principal | Unauthenticated:
        """Who the credential stands for, asking the store where memory does not know.

        Raises:
            InnoError: service_unavailable when the store does not answer.
        """
        known = await self.remembered(credential)
        if known is not None:
            return known
        if credential.startswith(key_format.PREFIX):
            return await self._read_key(credential) or _unknown()
        return await self.bearer(self._verified(credential, "access"))

    async def bearer(self, claims: Claims) -> Principal | Unauthenticated:
        """Who the token of these verified claims stands for."""
        for _ in range(_FILL_ATTEMPTS):
            await self._feed.settle(self)
            # Asked again after what was read, since the token or its key may have been revoked meanwhile.
            known = self._cached_bearer(claims)
            if known is not None:
                return known
            if claims.client_id.startswith(MEMBER_PREFIX):
                return await self._bearing_member(claims)
            if await self.key(claims.client_id) is None:
                return _unknown()
            if claims.customer_id is not None and await self.customer(claims.sub) is None:
                return _unknown()
        raise InnoError("service_unavailable")

    async def refresh_claims(self, token: str) -> Claims:
        """The claims of a refresh token that is genuine and not revoked.

        Raises:
            InnoError: invalid_api_key; service_unavailable when memory is too old to be trusted.
        """
        await self._feed.settle(self)
        claims = self._verified(token, "refresh")
        if self.is_revoked(claims):
            raise InnoError("invalid_api_key", "The refresh token has been revoked. Mint a new token.")
        return claims

    def any_claims(self, token: str) -> Claims | None:
        """The claims of a genuine token of either use, revoked or not; None for anything else."""
        if not is_token_shaped(token):
            return None
        uses: tuple[TokenUse, ...] = ("access", "refresh")
        for use in uses:
            try:
                return self._verified(token, use)
            except InnoError:
                continue
        return None

    def is_revoked(self, claims: Claims) -> bool:
        """Whether the token or its family was revoked."""
        return claims.jti in self._revoked or claims.sid in self._revoked

    async def key(self, key_id: str) -> Principal | None:
        """The principal of a key by its id."""
        await self._feed.settle(self)
        known = self._principals.get(key_id)
        if known is not None:
            return known
        found = await self._fresh(lambda connection: self._key_by_id(connection, key_id), _subjects)
        return self._keep(found)

    async def customer(self, pk: str) -> Customer | None:
        """The customer of our own id."""
        await self._feed.settle(self)
        known = self._customers.get(pk)
        if known is not None:
            return known
        found = await self._fresh(
            lambda connection: _with_budgets(connection, customers.get(connection, pk)), _customer_subjects
        )
        return None if found is None else self._keep_customer(*found)

    def cached_customer(self, account_id: str, customer_id: str) -> Customer | None:
        """The account's customer, from memory alone; None when the store has to be asked."""
        pk = self._customer_pks.get((account_id, customer_id))
        return None if pk is None else self._customers.get(pk)

    async def customer_of(self, account_id: str, customer_id: str) -> Customer | None:
        """The account's customer by the account's own id."""
        pk = self._customer_pks.get((account_id, customer_id))
        known = None if pk is None else await self.customer(pk)
        if known is not None:
            return known
        found = await self._fresh(
            lambda connection: _with_budgets(connection, customers.find(connection, account_id, customer_id)),
            _customer_subjects,
        )
        return None if found is None else self._keep_customer(*found)

    # When keys were last used.

    def note_use(self, key_id: str, now: float) -> None:
        """Note that a key was used; `flush_use` writes it to the store now and then."""
        self._used[key_id] = now

    def used_at(self, key_id: str) -> float | None:
        """When a key was last used here, if the store does not have it yet."""
        return self._used.get(key_id)

    async def flush_use(self) -> None:
        """Write when keys were last used."""
        used, self._used = list(self._used.items()), {}
        try:
            while used:
                async with self._database.write() as connection:
                    await api_keys.note_use(connection, dict(used[-USE_BATCH:]))
                del used[-USE_BATCH:]
        finally:
            self._used = dict(used) | self._used

    # Memory.

    def digest(self, credential: str) -> bytes:
        """What memory knows a presented credential by, in this process alone."""
        return blake2b(credential.encode(), key=self._seen_secret, digest_size=_SEEN_BYTES).digest()

    def _cached_bearer(self, claims: Claims) -> Principal | Unauthenticated | None:
        if self.is_revoked(claims):
            return _unknown("The access token has been revoked. Get a new one from POST /v1/auth/token.")
        key = self._principals.get(claims.client_id)
        if key is None:
            return None
        if claims.customer_id is None:
            return Principal(key.account, key.key, None, claims)
        customer = self._customers.get(claims.sub)
        return None if customer is None else Principal(key.account, key.key, customer, claims)

    def _verified(self, token: str, use: TokenUse) -> Claims:
        seen = self.digest(token)
        claims = self._claims.get(seen)
        if claims is None or claims.token_use != use:
            claims = self.signing.verify(
                token, issuer=self._tokens.issuer, audience=self._tokens.audience, use=use, now=self._clock()
            )
            _put(self._claims, seen, claims, MAX_TOKENS)
        return claims

    def _keep(self, principal: Principal | None) -> Principal | None:
        if principal is not None:
            if len(self._principals) >= MAX_KEYS:
                self._forget(next(iter(self._principals)))
            self._principals[principal.key.id] = principal
            self._owned.add(principal.account.id, principal.key.id)
            if principal.customer is not None:
                self._bindings.add(principal.customer.id, principal.key.id)
        return principal

    def _forget(self, key_id: str) -> None:
        principal = self._principals.pop(key_id, None)
        if principal is None:
            return
        self._owned.remove(principal.account.id, key_id)
        if principal.customer is not None:
            self._bindings.remove(principal.customer.id, key_id)

    def _keep_customer(self, record: CustomerRecord, applying: tuple[Budget, ...]) -> Customer:
        customer = Customer(record.id, record.customer_id, record.disabled, record.rate_limit, applying)
        _put(self._customers, record.id, customer, MAX_CUSTOMERS)
        _put(self._customer_pks, (record.account_id, record.customer_id), record.id, MAX_CUSTOMERS)
        return customer

    # The store.

    async def _read_key(self, credential: str) -> Principal | None:
        digests = self._secrets.digests(credential)
        principal = await self._fresh(lambda connection: self._key_by_digest(connection, digests), _subjects)
        if principal is not None:
            _put(self._key_ids, self.digest(credential), principal.key.id, MAX_KEYS)
        return self._keep(principal)

    async def _fresh(
        self,
        read: Callable[[AsyncConnection], Awaitable[T | None]],
        subjects: Callable[[T], frozenset[str]],
    ) -> T | None:
        """What `read` finds, read again when a change about it was heard in between.

        There must be no await between this and the keeping of what it returns.
        """
        for _ in range(_FILL_ATTEMPTS):
            sequence = self._feed.sequence
            async with self._database.read() as connection:
                found = await read(connection)
            if found is None or self._feed.unchanged_since(sequence, subjects(found)):
                return found
        raise InnoError("service_unavailable")

    async def _key_by_id(self, connection: AsyncConnection, key_id: str) -> Principal | None:
        return await self._principal(connection, await api_keys.get(connection, key_id))

    async def _key_by_digest(self, connection: AsyncConnection, digests: list[bytes]) -> Principal | None:
        return await self._principal(connection, await api_keys.find_by_digest(connection, digests))

    async def _principal(self, connection: AsyncConnection, record: KeyRecord | None) -> Principal | None:
        if record is None:
            return None
        account = await accounts.get(connection, record.account_id)
        subjects = [record.account_id, record.id, *([record.customer_pk] if record.customer_pk else [])]
        applying = await budgets.of_many(connection, subjects)
        customer = None
        if record.customer_pk is not None:
            bound = await customers.get(connection, record.customer_pk)
            customer = Customer(
                record.customer_pk,
                record.customer_id or "",
                # A key that outlived its customer is revoked anyway.
                bound is None or bound.disabled,
                None if bound is None else bound.rate_limit,
                _of(applying, record.customer_pk),
            )
        tier = self._tier_of(account)
        return Principal(
            self._account(account, tier, applying),
            ApiKey(
                id=record.id,
                scopes=scope_set(record.scopes),
                networks=parse_networks(record.allowed_ips),
                rate_limit=effective_rate_limit(record.rate_limit, tier),
                models=effective_models(record.models, tier),
                expires_at=record.expires_at,
                revoked_at=record.revoked_at,
                budgets=_of(applying, record.id),
                by_owner=record.by_owner,
            ),
            customer,
        )

    def _account(self, record: AccountRecord, tier: Tier, applying: Iterable[Budget]) -> Account:
        account = Account(
            record.id,
            record.tier,
            record.disabled,
            frozenset(tier.features),
            record.currency or self._currency,
            _of(applying, record.id),
        )
        # All its keys hold the same one, until something else is known of it.
        known = self._accounts.get(account.id)
        if known == account:
            return known
        _put(self._accounts, account.id, account, MAX_KEYS)
        return account

    def _tier_of(self, record: AccountRecord) -> Tier:
        tier = self.tiers.get(record.tier)
        if tier is None:
            # Moved there by an operator whose settings have a tier that this server's do not have yet.
            log.error("an account is on a tier that the settings lack", account=record.id, tier=record.tier)
            raise InnoError("service_unavailable")
        return tier


def _of(applying: Iterable[Budget], subject: str) -> tuple[Budget, ...]:
    return tuple(budget for budget in applying if budget.subject == subject)


def _put(memory: dict[K, T], key: K, value: T, most: int) -> None:
    """Remember within bounds; what was remembered first goes first."""
    if len(memory) >= most and key not in memory:
        del memory[next(iter(memory))]
    memory[key] = value


def _subjects(principal: Principal) -> frozenset[str]:
    customer = () if principal.customer is None else (principal.customer.id,)
    return frozenset((principal.key.id, principal.account.id, *customer))


def _customer_subjects(found: tuple[CustomerRecord, tuple[Budget, ...]]) -> frozenset[str]:
    return frozenset((found[0].id,))


async def _with_budgets(
    connection: AsyncConnection, reading: Awaitable[CustomerRecord | None]
) -> tuple[CustomerRecord, tuple[Budget, ...]] | None:
    record = await reading
    return None if record is None else (record, tuple(await budgets.of_many(connection, (record.id,))))


def _malformed() -> Unauthenticated:
    return Unauthenticated("credential", refusal("invalid_api_key"))


def _unknown(message: str | None = None) -> Unauthenticated:
    return Unauthenticated("standing", refusal("invalid_api_key", message))
