"""Settings: innoai.toml and the environment, read once into frozen values.

The Structs below are the one table of settings; each field's description is what the documentation
and the error messages say. Every setting that is no table can also be set by an environment variable
named `INNOAI_<SECTION>_<SETTING>`, such as INNOAI_SERVER_BIND, which wins over the file.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from innoai.access.budgets import DEFAULT_CURRENCY
from innoai.access.networks import parse_networks
from innoai.access.tiers import DEFAULT_TIERS, FEATURES, MAX_RATE_LIMIT, Tier
from innoai.access.tokens import MAX_LIFETIME, MIN_LIFETIME
from innoai.cors import Cors
from innoai.inference import MAX_MODEL_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 1024 * 1024
DEFAULT_FILE = "innoai.toml"
MIN_SECRET_BYTES = 32
MAX_PRICE = 1_000_000
MIN_RATE = Decimal("0.000001")
LONGEST_WAIT = 86_400
"""Seconds that a setting can have something waited for; more, or for ever, is a slip."""

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_ADDRESS = re.compile(r"https?://[^/?#]")


class ConfigError(Exception):
    """A setting that stops the start: one line that names the place, the key and the remedy."""


class NoSuchThing(ConfigError):
    """The operator named an account or a tier that is not there."""


class StoreUnreachable(ConfigError):
    """The server of the store does not answer, which may pass by itself."""


def split_bind(bind: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`; port -1 when it is not a number."""
    host, _, port = bind.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port) if port.isdecimal() else -1


_HERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what is bound is the operator's choice
"""Where a server that listens on every address of its machine is found from there."""


def _is_origin(url: str) -> bool:
    """Whether it is scheme, host and port of a web address, and nothing else but a slash at the end."""
    parts = urlsplit(url) if _ADDRESS.match(url) and _has_sound_port(url) else None
    return (
        parts is not None
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not (parts.path.strip("/") or parts.query or parts.fragment)
        and re.fullmatch(r"[!-~]+", url) is not None
    )


def _has_sound_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens and how much it reads of a request."""

    bind: Annotated[str, Meta(description="host:port to listen on")] = "127.0.0.1:8080"
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="CIDRs of proxies whose X-Forwarded-For counts, read right to left")
    ] = ()
    public_url: Annotated[
        str | None, Meta(description="the address that people use, where it is not http://bind")
    ] = None
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="origins of web pages that may call the API; * is every origin")
    ] = ("*",)
    max_body_bytes: Annotated[int, Meta(ge=1024, description="largest request body, bytes")] = 32 * MIB
    max_header_bytes: Annotated[int, Meta(ge=1024, description="largest request head, bytes")] = 32 * 1024
    shortcuts: Annotated[
        bool,
        Meta(description="whether what was parsed from an identical earlier request is reused"),
    ] = True

    def __post_init__(self) -> None:
        host, port = split_bind(self.bind)
        if not host or not 0 <= port <= 65535:
            raise ValueError('bind: write host:port, like "127.0.0.1:8080" or "[::1]:8080"')
        try:
            parse_networks(self.trusted_proxies)
        except ValueError as error:
            raise ValueError(f"trusted_proxies: {error}") from None
        try:
            Cors(self.cors_origins)
        except ValueError as error:
            raise ValueError(f"cors_origins: {error}") from None
        if self.public_url is not None and not _is_origin(self.public_url):
            raise ValueError(
                'public_url: write http(s)://host[:port] without a path, like "https://ai.example.com"'
            )

    @property
    def url(self) -> str:
        """The address for people, without a slash at the end."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host, port = split_bind(self.bind)
        # Nobody can visit "every address of this machine"; its own address is one of them.
        place = _HERE.get(host)
        return f"http://{self.bind if place is None else f'{place}:{port}'}"


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the durable truth lives."""

    url: Annotated[str, Meta(description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")] = (
        "sqlite:///innoai.db"
    )
    secret_file: Annotated[
        str,
        Meta(
            min_length=1, description="file of the installation's secret, used when INNOAI_SECRET is not set"
        ),
    ] = "innoai.secret"
    max_stale: Annotated[
        float,
        Meta(
            gt=0,
            le=LONGEST_WAIT,
            description="seconds without word from the store before cached keys stop counting",
        ),
    ] = 60.0

    def __post_init__(self) -> None:
        kind, _, place = self.url.partition("://")
        is_file = kind == "sqlite" and len(place) > 1 and place.startswith("/") and place != "/:memory:"
        if not is_file and not (kind == "postgresql" and _has_sound_port(self.url)):
            raise ValueError("url: write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")

    @property
    def sqlite_file(self) -> Path | None:
        """The database file, when the store is SQLite."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite:") else None


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where rate limits are counted."""

    url: Annotated[str, Meta(description="memory: for one process, redis://… or valkey://… for many")] = (
        "memory:"
    )
    failed_auth: Annotated[
        int, Meta(ge=1, description="failed authentications a minute that one address may have")
    ] = 300

    def __post_init__(self) -> None:
        shared = self.url.startswith(("redis://", "rediss://", "valkey://", "valkeys://"))
        if self.url != "memory:" and not (shared and _has_sound_port(self.url)):
            raise ValueError("url: write memory:, redis://HOST:PORT/0 or valkey://HOST:PORT/0")


class TokenSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How access and refresh tokens are made."""

    algorithm: Annotated[
        Literal["HS256", "EdDSA"],
        Meta(description="HS256, or EdDSA with public keys at /.well-known/jwks.json"),
    ] = "HS256"
    issuer: Annotated[str, Meta(min_length=1, description="the iss claim")] = "innoai"
    audience: Annotated[str, Meta(min_length=1, description="the aud claim")] = "innoai"


class CustomerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How customers come to be."""

    auto_create: Annotated[
        bool, Meta(description="whether the first token for an unknown customer_id creates the customer")
    ] = True


class BillingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which money usage is counted."""

    currency: Annotated[str, Meta(description="the currency of the prices, as ISO 4217 writes it")] = (
        DEFAULT_CURRENCY
    )
    rates: Annotated[
        dict[str, Decimal],
        Meta(description="what one unit of it is worth in other currencies, which an account may choose"),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for setting, name in [("currency", self.currency), *(("rates", name) for name in self.rates)]:
            if _CURRENCY.fullmatch(name) is None:
                raise ValueError(
                    f"{setting}: {name!r} is no currency; write three capital letters, such as EUR"
                )
        if any(
            not rate.is_finite() or not Decimal("1e-6") <= rate <= MAX_PRICE for rate in self.rates.values()
        ):
            raise ValueError(f"rates: choose rates from 0.000001 to {MAX_PRICE}")


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How events are delivered."""

    allowed_networks: Annotated[
        tuple[str, ...],
        Meta(description="CIDRs of private networks that endpoints may be in; public addresses always may"),
    ] = ()
    timeout: Annotated[
        float, Meta(gt=0, le=LONGEST_WAIT, description="seconds that an endpoint has for its answer")
    ] = 15.0

    def __post_init__(self) -> None:
        try:
            parse_networks(self.allowed_networks)
        except ValueError as error:
            raise ValueError(f"allowed_networks: {error}") from None


class OidcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An OpenID Connect provider that members may sign in with."""

    issuer: Annotated[str, Meta(description="the provider's issuer, whose configuration is found below it")]
    client_id: Annotated[str, Meta(min_length=1, description="what this server is called there")]
    client_secret: Annotated[
        str | None, Meta(description="env:NAME, file:PATH or the secret itself; none for a public client")
    ] = None
    name: Annotated[str, Meta(min_length=1, max_length=60, description="what the button calls it")] = (
        "single sign-on"
    )

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not _has_sound_port(self.issuer) or not parts.hostname or parts.query or parts.fragment:
            raise ValueError('issuer: write an address like "https://login.example.com"')
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("issuer: a provider is reached by https, or is on this machine")

    def __repr__(self) -> str:
        return f"OidcSettings(issuer={self.issuer!r}, client_id={self.client_id!r})"


class DashboardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How members sign in to the dashboard. Times in seconds."""

    session_idle: Annotated[int, Meta(ge=60, description="seconds after which an unused session ends")] = (
        12 * 3600
    )
    session_lifetime: Annotated[
        int, Meta(ge=60, description="maximum lifetime of a session, in seconds, even if it is used")
    ] = 7 * 86_400
    attempts_per_address: Annotated[
        int, Meta(ge=1, description="failed sign-ins a quarter of an hour that one address may have")
    ] = 50
    attempts_per_email: Annotated[
        int, Meta(ge=1, description="failed sign-ins a quarter of an hour that one email may have")
    ] = 10
    oidc: Annotated[OidcSettings | None, Meta(description="an OpenID Connect provider, as below")] = None


class MeteringSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where usage records wait until the store has them, and how long it keeps them."""

    spool: Annotated[str, Meta(min_length=1, description="directory of the local spool")] = "innoai-spool"
    keep_days: Annotated[
        Annotated[int, Meta(ge=7, le=36_500)] | None,
        Meta(description="how many days single usage records are kept, at least 7; for good without it"),
    ] = None


class ActivitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long it is known what each key did."""

    keep_days: Annotated[
        int, Meta(ge=0, le=400, description="how many days of what each key did are kept; 0 counts nothing")
    ] = 30


class TelemetrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent to an OpenTelemetry collector."""

    traces: Annotated[
        bool, Meta(description="whether each inference request is told to an OpenTelemetry collector")
    ] = False


_is_header_name = re.compile(r"[0-9a-z!#$%&'*+.^_`|~-]+").fullmatch
_OWN_HEADERS = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "content-type", "accept-encoding")
)


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model server that serves one model. Times in seconds."""

    base_url: Annotated[
        str, Meta(max_length=255, description="an OpenAI-compatible base URL with its /v1, or echo:")
    ]
    model: Annotated[str | None, Meta(description="the model's name there, where it differs")] = None
    api_key: Annotated[
        str | None, Meta(description="the key to present there: env:NAME, file:PATH or the key itself")
    ] = None
    headers: Annotated[
        dict[str, str],
        Meta(description="more headers for it, instead of the caller's; values as those of api_key"),
    ] = {}
    query: Annotated[
        str,
        Meta(pattern=r"^[!-\"$-~]*$", description="what it is asked with behind ?, if anything"),
    ] = ""
    include_usage: Annotated[
        bool, Meta(description="whether streams may be asked for usage by stream_options.include_usage")
    ] = True
    cap_member: Annotated[
        Literal["max_tokens", "max_completion_tokens"] | None,
        Meta(description="what bounds an answer of chat completions there, for budgets; by its address"),
    ] = None
    connect_timeout: Annotated[float, Meta(gt=0, le=LONGEST_WAIT, description="seconds to connect")] = 5.0
    head_timeout: Annotated[
        float, Meta(gt=0, le=LONGEST_WAIT, description="seconds until the answer begins")
    ] = 600.0
    idle_timeout: Annotated[
        float, Meta(gt=0, le=LONGEST_WAIT, description="seconds between two pieces of an answer")
    ] = 300.0

    def __post_init__(self) -> None:
        if self.base_url == "echo:":
            return
        if not _ADDRESS.match(self.base_url) or not _has_sound_port(self.base_url):
            raise ValueError('base_url: write an address like "https://models.example/v1", or "echo:"')
        if "?" in self.base_url or "#" in self.base_url:
            raise ValueError("base_url: it ends with its path; write what stands behind ? as query")
        if "@" in urlsplit(self.base_url).netloc:
            raise ValueError("base_url: it holds no user name or password; write the key as api_key")
        if self.query.startswith("?"):
            raise ValueError("query: write it without the ? in front, which the gateway puts there")
        if not all(map(_is_header_name, self.headers)):
            raise ValueError("headers: write their names in lower case, such as api-key")
        own = _OWN_HEADERS.intersection(self.headers)
        if own:
            raise ValueError(f"headers: {min(own)} is written by the gateway; leave it out")
        if self.api_key is not None and "authorization" in self.headers:
            raise ValueError("headers: authorization is api_key's; leave one of them out")

    def __repr__(self) -> str:
        return f"Upstream(base_url={self.base_url!r}, model={self.model!r})"


class PriceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model costs in the installation's currency, in decimals: 0.15 or "0.15"."""

    prompt: Annotated[Decimal, Meta(description="a million tokens of prompts")] = Decimal(0)
    cached: Annotated[
        Decimal | None,
        Meta(description="a million of those that the model server had cached; as prompt"),
    ] = None
    completion: Annotated[Decimal, Meta(description="a million tokens of answers")] = Decimal(0)
    request: Annotated[Decimal, Meta(description="a request, whatever its tokens, or a picture")] = Decimal(0)

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and (not value.is_finite() or not 0 <= value <= MAX_PRICE):
                raise ValueError(f"{name}: choose a price from 0 to {MAX_PRICE}")


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public model name and the upstreams that serve it, in order of preference."""

    upstreams: Annotated[tuple[Upstream, ...], Meta(min_length=1, description="in order of preference")]
    price: Annotated[
        PriceSettings | None, Meta(description="what it costs; a well-known model has a price without this")
    ] = None
    max_output_tokens: Annotated[
        int | None, Meta(description="the most tokens that an answer can have, which a budget has to cover")
    ] = None
    context_window: Annotated[
        int | None, Meta(description="the most tokens that a prompt can have, which a budget has to cover")
    ] = None

    def __post_init__(self) -> None:
        for name in ("max_output_tokens", "context_window"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: choose a positive number of tokens")


Bound = Annotated[int, Meta(ge=1)] | Literal["unlimited"]


class TierSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What accounts of a tier may have; what is not set stays as in the built-in tier of that name."""

    default_rate_limit: Annotated[
        int | None, Meta(description="requests a minute of a key that names no rate_limit")
    ] = None
    max_rate_limit: Annotated[int | None, Meta(description="the most that a key's rate_limit may be")] = None
    max_keys: Annotated[Bound | None, Meta(description="active keys, or unlimited")] = None
    max_customers: Annotated[Bound | None, Meta(description="customers, or unlimited")] = None
    max_endpoints: Annotated[Bound | None, Meta(description="webhook endpoints, or unlimited")] = None
    max_token_lifetime: Annotated[int | None, Meta(description="seconds that an access token may live")] = (
        None
    )
    models: Annotated[tuple[str, ...] | None, Meta(description="the only models, by public name")] = None
    features: Annotated[
        tuple[str, ...] | None, Meta(description=f"what it includes, of {', '.join(FEATURES)}; all of them")
    ] = None

    def __post_init__(self) -> None:
        for name in ("default_rate_limit", "max_rate_limit"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_RATE_LIMIT:
                raise ValueError(f"{name}: choose from 1 to {MAX_RATE_LIMIT} requests a minute")
        unknown = next((name for name in self.features or () if name not in FEATURES), None)
        if unknown is not None:
            raise ValueError(f"features: {unknown!r} is none; the features are {', '.join(FEATURES)}")
        lifetime = self.max_token_lifetime
        if lifetime is not None and not MIN_LIFETIME <= lifetime <= MAX_LIFETIME:
            raise ValueError(f"max_token_lifetime: choose from {MIN_LIFETIME} to {MAX_LIFETIME} seconds")

    def over(self, tier: Tier) -> Tier:
        """The tier with these settings in place of its own."""
        return Tier(
            tier.name,
            self.default_rate_limit or tier.default_rate_limit,
            self.max_rate_limit or tier.max_rate_limit,
            _bound(self.max_keys, tier.max_keys),
            _bound(self.max_customers, tier.max_customers),
            self.max_token_lifetime or tier.max_token_lifetime,
            _bound(self.max_endpoints, tier.max_endpoints),
            tier.models if self.models is None else self.models,
            tier.features if self.features is None else self.features,
        )


def _bound(wanted: int | str | None, built_in: int | None) -> int | None:
    if wanted is None:
        return built_in
    return wanted if isinstance(wanted, int) else None


ECHO_MODELS = {"inno-ai-boyong-4.5": Model((Upstream("echo:"),))}


class Settings(msgspec.Struct, frozen=True):
    """Everything that an operator can set. Without a [models] section the built-in echo model is served.

    `secret` is INNOAI_SECRET and `previous_secret` INNOAI_SECRET_PREVIOUS, which come from the
    environment alone; without them the installation's secret is in `store.secret_file`. `file` was read,
    and `variables` set what it says otherwise.
    """

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    limits: LimitSettings = LimitSettings()
    tokens: TokenSettings = TokenSettings()
    customers: CustomerSettings = CustomerSettings()
    metering: MeteringSettings = MeteringSettings()
    activity: ActivitySettings = ActivitySettings()
    billing: BillingSettings = BillingSettings()
    webhooks: WebhookSettings = WebhookSettings()
    dashboard: DashboardSettings = DashboardSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    models: dict[str, Model] = msgspec.field(default_factory=lambda: dict(ECHO_MODELS))
    tiers: dict[str, Tier] = msgspec.field(default_factory=lambda: dict(DEFAULT_TIERS))
    secret: str | None = None
    previous_secret: str | None = None
    file: str | None = None
    variables: frozenset[str] = frozenset()

    def where(self, setting: str) -> str:
        """How an error names a setting such as `server.bind`: the variable, or the file and the key."""
        variable = f"INNOAI_{setting.replace('.', '_')}".upper()
        if variable in self.variables:
            return f"environment: {variable}"
        return setting if self.file is None else f"{self.file}: {setting}"

    def __repr__(self) -> str:
        return f"Settings(server={self.server!r}, models={list(self.models)!r})"


NAMED_SECTIONS = ("models", "tiers")
"""The sections whose settings stand below names of the operator's own, as in [tiers.startup]."""

TABLES = ("oidc", "rates")
"""Settings that are tables themselves, as in [dashboard.oidc], which no variable can hold."""

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "limits": LimitSettings,
    "tokens": TokenSettings,
    "customers": CustomerSettings,
    "metering": MeteringSettings,
    "activity": ActivitySettings,
    "billing": BillingSettings,
    "webhooks": WebhookSettings,
    "dashboard": DashboardSettings,
    "telemetry": TelemetrySettings,
}


OTHER_VARIABLES = (
    "INNOAI_CONFIG",
    "INNOAI_SECRET",
    "INNOAI_SECRET_PREVIOUS",
    "INNOAI_API_KEY",
    "INNOAI_BASE_URL",
)
"""Variables of the server, the command line and the SDKs that are no settings."""


def file_of(path: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file that `load` reads with these; None where there is none to read."""
    named = path or environ.get("INNOAI_CONFIG")
    file = Path(named or DEFAULT_FILE)
    return file if named or file.exists() else None


def load(path: str | None, environ: Mapping[str, str]) -> Settings:
    """The settings of `path`, else of INNOAI_CONFIG, else of ./innoai.toml if any, else the defaults.

    Raises:
        ConfigError: one line that names file, key and remedy.
    """
    there = file_of(path, environ)
    file = there or Path(DEFAULT_FILE)
    document = {} if there is None else _read(there)
    _check_sections(file, document)
    _check_variables(environ)
    sections = {
        name: _section(file, name, document.get(name, {}), struct, environ)
        for name, struct in SECTIONS.items()
    }
    sections["dashboard"] = _with_client_secret(file, sections["dashboard"], environ)
    models = _models(file, document["models"], environ) if "models" in document else dict(ECHO_MODELS)
    return Settings(
        **sections,
        models=models,
        tiers=_tiers(file, document.get("tiers", {})),
        secret=_secret("INNOAI_SECRET", environ),
        previous_secret=_secret("INNOAI_SECRET_PREVIOUS", environ),
        file=None if there is None else str(there),
        variables=frozenset(variable for variable in environ if variable.startswith(tuple(_PREFIXES))),
    )


def _check_sections(file: Path, document: dict[str, Any]) -> None:
    """Refuse what is no section, and a setting that stands in none."""
    known = (*SECTIONS, *NAMED_SECTIONS)
    unknown = next((name for name in document if name not in known), None)
    if unknown is None:
        return
    home = next((name for name, struct in SECTIONS.items() if unknown in struct.__struct_fields__), None)
    if home is not None and not isinstance(document[unknown], dict):
        raise ConfigError(f"{file}: {unknown} stands in no section; write [{home}] on the line above it")
    raise ConfigError(f"{file}: [{unknown}] is no section; the sections are {', '.join(known)}")


_PREFIXES = {f"INNOAI_{name.upper()}_": struct for name, struct in SECTIONS.items()}


def _check_variables(environ: Mapping[str, str]) -> None:
    """Refuse a variable that is named like a setting and is none; nobody would read it."""
    for variable in environ:
        if variable in OTHER_VARIABLES:
            continue
        prefix = next((each for each in _PREFIXES if variable.startswith(each)), None)
        if prefix is not None:
            _check_variable(variable, prefix, _PREFIXES[prefix].__struct_fields__)
        elif variable.startswith(("INNOAI_MODELS_", "INNOAI_TIERS_")):
            raise ConfigError(f"environment: {variable}: models and tiers come from the file; write it there")
        elif variable.startswith("INNOAI_SECRET_"):
            raise ConfigError(
                f"environment: {variable}: there is no such variable; there are INNOAI_SECRET, "
                "INNOAI_SECRET_PREVIOUS and, for a file, INNOAI_STORE_SECRET_FILE"
            )


def _check_variable(variable: str, prefix: str, settings: tuple[str, ...]) -> None:
    name = variable.removeprefix(prefix).lower()
    if name in settings and name in TABLES:
        section = prefix.split("_")[1].lower()
        raise ConfigError(
            f"environment: {variable}: a table has no variable; write [{section}.{name}] in the file"
        )
    if name not in settings or variable != variable.upper():
        known = ", ".join(prefix + each.upper() for each in settings if each not in TABLES)
        raise ConfigError(f"environment: {variable}: there is no such variable; there are {known}")


def without_password(url: str) -> str:
    """A store's or a limiter's URL as it may be shown and logged.

    A driver takes a password from the query, too, so of that the names alone are shown.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    place, mark, query = rest.partition("?")
    if "@" in query:
        # Either of the two signs stands in a password, and nobody knows which.
        return f"{scheme}{separator}…"
    names = [name for name, equals, _ in (pair.partition("=") for pair in query.split("&")) if equals]
    return f"{scheme}{separator}{place.rpartition('@')[2]}{mark}{'&'.join(f'{name}=…' for name in names)}"


def _secret(variable: str, environ: Mapping[str, str]) -> str | None:
    secret = environ.get(variable)
    if secret is not None and len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"environment: {variable} has {len(secret.encode())} bytes; give it at least {MIN_SECRET_BYTES}, "
            "such as the output of: openssl rand -base64 48"
        )
    return secret


def _read(file: Path) -> dict[str, Any]:
    try:
        # Prices are decimals, and 0.1 is no float.
        return tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file; create it, or leave --config out") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}; correct the syntax there") from None


def _section(
    file: Path, name: str, given: object, struct: type[msgspec.Struct], environ: Mapping[str, str]
) -> Any:
    values = dict(_table(file, name, given))
    settings = _convert(f"{file}: {name}", values, struct, strict=True)
    overrides = {
        field.name: _from_environment(environ[variable], field)
        for field in msgspec.structs.fields(struct)
        if (variable := f"INNOAI_{name}_{field.name}".upper()) in environ and field.name not in TABLES
    }
    if not overrides:
        return settings
    try:
        return _convert("", values | overrides, struct, strict=False)
    except ConfigError as error:
        # The file was sound without them, so one of them is to blame.
        setting, _, rest = str(error).removeprefix(".").partition(":")
        variable = f"INNOAI_{name}_{setting}".upper()
        raise ConfigError(f"environment: {variable}:{rest}") from None


def _from_environment(text: str, field: msgspec.structs.FieldInfo) -> object:
    if isinstance(field.default, tuple):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _models(file: Path, given: object, environ: Mapping[str, str]) -> dict[str, Model]:
    models = {}
    for name, model in _table(file, "models", given).items():
        where = f'{file}: models."{name}"'
        meant = _without_quotes(name, model)
        if meant != name:
            raise ConfigError(
                f'{file}: models.{meant}: a name with a dot stands in quotes; write [models."{meant}"]'
            )
        converted = _convert(where, model, Model, strict=True)
        upstreams = tuple(
            _with_key(f"{where}.upstreams[{at}]", upstream, environ)
            for at, upstream in enumerate(converted.upstreams)
        )
        if not 0 < len(name) <= MAX_MODEL_NAME:
            raise ConfigError(
                f"{where}: nobody can ask for that name; choose one of 1 to {MAX_MODEL_NAME} characters"
            )
        models[name] = msgspec.structs.replace(converted, upstreams=upstreams)
    if not models:
        raise ConfigError(f"{file}: models: name at least one model, or leave the section out")
    return models


def _without_quotes(name: str, model: object) -> str:
    """The name that was meant where its dots lack quotes: TOML reads [models.gpt-4.1] as two tables."""
    if isinstance(model, dict):
        for member, inner in model.items():
            if isinstance(inner, dict) and member not in Model.__struct_fields__:
                return _without_quotes(f"{name}.{member}", inner)
    return name


def _tiers(file: Path, given: object) -> dict[str, Tier]:
    tiers = dict(DEFAULT_TIERS)
    for name, wanted in _table(file, "tiers", given).items():
        where = f'{file}: tiers."{name}"'
        settings: TierSettings = _convert(where, wanted, TierSettings, strict=True)
        if name not in tiers and (settings.default_rate_limit is None or settings.max_rate_limit is None):
            raise ConfigError(f"{where}: a tier of your own needs default_rate_limit and max_rate_limit")
        tier = settings.over(tiers.get(name, Tier(name, 1, 1, None, None, MAX_LIFETIME)))
        if tier.default_rate_limit > tier.max_rate_limit:
            raise ConfigError(f"{where}: default_rate_limit is above max_rate_limit; lower it, or raise that")
        tiers[name] = tier
    return tiers


def _with_key(where: str, upstream: Upstream, environ: Mapping[str, str]) -> Upstream:
    """The upstream with `env:NAME` and `file:PATH` replaced by the key that they stand for."""
    key = upstream.api_key
    if key is not None:
        key = _credential(f"{where}.api_key", key, "a key", environ)
    headers = {
        name: _credential(f"{where}.headers.{name}", value, "a value", environ)
        for name, value in upstream.headers.items()
    }
    return msgspec.structs.replace(upstream, api_key=key, headers=headers)


def _with_client_secret(
    file: Path, dashboard: DashboardSettings, environ: Mapping[str, str]
) -> DashboardSettings:
    """The settings with the secret that the provider's client_secret stands for."""
    if dashboard.oidc is None or dashboard.oidc.client_secret is None:
        return dashboard
    where = f"{file}: dashboard.oidc.client_secret"
    secret = _credential(where, dashboard.oidc.client_secret, "a secret", environ)
    oidc = msgspec.structs.replace(dashboard.oidc, client_secret=secret)
    return msgspec.structs.replace(dashboard, oidc=oidc)


def _credential(where: str, stated: str, what: str, environ: Mapping[str, str]) -> str:
    """What `env:NAME` and `file:PATH` stand for; anything else stands for itself."""
    source, _, name = stated.partition(":")
    found = stated
    if source == "env":
        if name not in environ:
            raise ConfigError(f"{where}: the environment has no {name}; set it before the start")
        found = environ[name].strip()
    elif source == "file":
        try:
            found = Path(name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{where}: {name} cannot be read; name a readable file") from None
    if re.fullmatch(r"[\x21-\x7e]+", found) is None:
        raise ConfigError(f"{where}: {what} is printable ASCII without spaces; correct it")
    return found


def _table(file: Path, name: str, given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ConfigError(f"{file}: {name} is a section; write [{name}] on a line of its own")
    return given


def _convert(where: str, values: object, struct: type[msgspec.Struct], *, strict: bool) -> Any:
    try:
        return msgspec.convert(values, struct, strict=strict)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}{_explain(str(error), struct)}") from None


def _explain(error: str, struct: type[msgspec.Struct]) -> str:
    """msgspec's sentence with the key in front, and what the setting is for behind."""
    problem, _, path = error.partition(" - at `$")
    key = path.rstrip("`")
    unknown = re.search(r"unknown field `(.+)`", problem)
    if unknown is not None:
        known = ", ".join(field.name for field in msgspec.structs.fields(_struct_at(struct, key)))
        return f"{key}.{unknown[1]}: there is no such setting; the settings are {known}"
    missing = re.fullmatch(r"Object missing required field `(.+)`", problem)
    if missing is not None:
        purpose = _description(struct, f"{key}.{missing[1]}")
        return f"{key}.{missing[1]}: it is required; set it" + (f" ({purpose})" if purpose else "")
    named, colon, sentence = problem.partition(": ")
    if colon and named.isidentifier():
        return f"{key}.{named}: {sentence}"
    purpose = _description(struct, key)
    return f"{key}: {problem[0].lower()}{problem[1:]}" + (f" ({purpose})" if purpose else "")


def _struct_at(struct: type[msgspec.Struct], key: str) -> type[msgspec.Struct]:
    if struct is Model and key.startswith(".upstreams"):
        return Upstream
    if struct is DashboardSettings and key.startswith(".oidc"):
        return OidcSettings
    return PriceSettings if struct is Model and key.startswith(".price") else struct


def _description(struct: type[msgspec.Struct], key: str) -> str | None:
    name = key.rpartition(".")[2]
    for field in msgspec.structs.fields(_struct_at(struct, key)):
        if field.name == name:
            meta = getattr(field.type, "__metadata__", ())
            return next((m.description for m in meta if isinstance(m, Meta)), None)
    return None
