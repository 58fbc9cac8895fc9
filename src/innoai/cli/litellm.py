"""What LiteLLM knows of a virtual key, a customer or a team, and what of it an innoai key or customer can be.

Pure rules: JSON or CSV in, a plan out. LiteLLM keeps digests of keys alone, so every key gets a successor;
what the plan says under `lost` is what its successor does not have. Shapes: LiteLLM's `/key/list`,
`/key/info`, `/customer/list`, `/team/list`, and its tables as CSV.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from innoai.cli.failures import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INFERENCE = ("inference:read", "inference:write")
READ = ("inference:read",)
ROUTES = {"llm_api_routes": INFERENCE, "openai_routes": INFERENCE, "info_routes": READ}
"""LiteLLM's names for groups of routes, where scopes stand for them."""
MODEL_ROUTES = ("/models", "/v1/models", "/model/info", "/v1/model/info")
OTHER_INFERENCE = re.compile(
    r"(?:/v1)?/(?:chat/completions|completions|embeddings|responses|moderations|images|audio)\b"
)
ALL_MODELS, TEAM_MODELS, NO_MODELS = "all-proxy-models", "all-team-models", "no-default-models"

DAYS_A_MONTH = Decimal(30)
_MONTHS = ("30d", "31d", "28d", "1mo", "monthly")
_DURATION = re.compile(r"(\d+)(s|m|h|d|w|mo|y)")
_DAYS = {
    "s": Decimal(1) / 86_400,
    "m": Decimal(1) / 1_440,
    "h": Decimal(1) / 24,
    "d": Decimal(1),
    "w": Decimal(7),
    "mo": DAYS_A_MONTH,
    "y": Decimal(365),
}
_NAMED_DURATIONS = {"hourly": "1h", "daily": "1d", "weekly": "7d", "yearly": "365d"}
_BILLIONTH = Decimal("0.000000001")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
MAX_NAME = 200
_TOKEN = re.compile(r"[0-9a-f]{64}")
NO_DIGEST = "something in it has no `token` of 64 hexadecimal digits"

WITHOUT_COUNTERPART = {
    "tpm_limit": "tokens a minute",
    "max_parallel_requests": "requests at a time",
    "soft_budget": "the soft budget; innoai's billing.threshold_reached tells at 80 %",
    "model_max_budget": "budgets by model",
    "rpm_limit_per_model": "requests a minute by model",
    "aliases": "the key's own names for models",
    "config": "the key's own configuration",
    "guardrails": "guardrails",
    "access_group_ids": "access groups",
    "object_permission_id": "permissions for tools and vector stores",
    "auto_rotate": "rotation by itself",
}
"""Members that an innoai key does not have, each with what people call it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What whoever imports has decided, and what LiteLLM says of teams.

    `customer_by`: the member of a key that names its customer, if one does. `renamed`: models' names there to
    names here. `served`: the models that are served here, which patterns like `openai/*` stand for; none
    where they are not known.
    """

    now: datetime
    customer_by: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    served: Sequence[str] = ()
    teams: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be made of one thing of LiteLLM's.

    `old`: its id there, for a key the digest. `body`: what is created; None when nothing can be, and `why`.
    `lost`: what does not come along, in words. `closed`: it is not to be usable until somebody says so.
    """

    old: str
    name: str
    body: Mapping[str, Any] | None
    why: str = ""
    lost: tuple[str, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """What LiteLLM holds, as it wrote it."""

    keys: tuple[Mapping[str, Any], ...] = ()
    customers: tuple[Mapping[str, Any], ...] = ()
    teams: tuple[Mapping[str, Any], ...] = ()


def read(text: str) -> Export:
    """An export in JSON or CSV: pages of a list, answers of /key/info, arrays, or rows of the table of keys.

    Raises:
        CommandError: it is none of these.
    """
    try:
        return _export(json.loads(text))
    except ValueError:
        rows = tuple(_row(row) for row in csv.DictReader(io.StringIO(text)))
    if not rows or "token" not in rows[0]:
        raise _not_understood(
            "it is neither JSON nor CSV with a column `token` (a config.yaml has no keys in it)"
        )
    if not all(_TOKEN.fullmatch(str(row.get("token", ""))) for row in rows):
        raise _not_understood(NO_DIGEST)
    return Export(keys=rows)


def key_of(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """A key out of /key/info, which keeps the digest beside the rest."""
    inside = info.get("info")
    return {"token": info.get("key"), **inside} if isinstance(inside, dict) else info


def plan_key(key: Mapping[str, Any], rules: Rules) -> Planned:
    """The innoai key nearest to a key of LiteLLM's."""
    old, name = str(key["token"]), _name(key)
    lost = [f"{text} ({member})" for member, text in WITHOUT_COUNTERPART.items() if _said(key, member)]
    if metadata := sorted(set(_object(key, "metadata")) - {"guardrails"}):
        lost.append(f"metadata ({', '.join(map(str, metadata))}); keys have none, customers do")
    expires = _instant(key.get("expires"))
    if expires is not None and expires <= rules.now:
        return Planned(old, name, None, "it has expired")
    scopes = _scopes(key, lost)
    if scopes is None:
        why = "it manages LiteLLM; make such a key by hand: innoai keys create --level admin"
        return Planned(old, name, None, why)
    if _team_is_unknown(key, rules):
        why = "its team's models are not known; import from the server itself, or with its teams in the file"
        return Planned(old, name, None, why)
    models = _models(key, rules, lost)
    if models == []:
        return Planned(old, name, None, "none of its models is served here; see --rename-model")
    limit = _number(_limit(key, "rpm_limit"))
    customer = _customer_of(key, rules, lost)
    body = {
        "name": name,
        "scopes": list(scopes),
        "models": models,
        "rate_limit": None if limit is None else max(1, int(limit)),
        "expires_at": None if expires is None else expires.isoformat().replace("+00:00", "Z"),
        "customer_id": customer,
        "budgets": _budgets(key, lost),
    }
    closed = bool(key.get("blocked")) or limit == 0
    return Planned(old, name, {n: v for n, v in body.items() if v is not None}, "", tuple(lost), closed)


def plan_customers(export: Export, rules: Rules) -> list[Planned]:
    """The innoai customers: LiteLLM's own, and those that keys are bound to."""
    planned = {str(each["user_id"]): _plan_customer(each, "user_id", "alias") for each in export.customers}
    by = rules.customer_by
    for key in export.keys if by is not None else ():
        customer = key.get(str(by))
        if customer and str(customer) not in planned:
            team = rules.teams.get(str(customer), {}) if by == "team_id" else {}
            planned[str(customer)] = _plan_customer({**team, str(by): customer}, str(by), "team_alias")
    return list(planned.values())


def _plan_customer(there: Mapping[str, Any], member: str, alias: str) -> Planned:
    old = str(there[member])
    lost = [f"{text} ({name})" for name, text in WITHOUT_COUNTERPART.items() if _said(there, name)]
    if there.get("allowed_model_region"):
        lost.append("the region of its models (allowed_model_region)")
    limit = _number(_limit(there, "rpm_limit"))
    body = {
        "customer_id": old,
        "name": _clean(str(there.get(alias) or ""))[:MAX_NAME] or None,
        "rate_limit": None if limit is None else max(1, int(limit)),
        "budgets": _budgets(there, lost),
        "metadata": {"imported_from": "litellm"},
    }
    closed = bool(there.get("blocked")) or limit == 0
    return Planned(old, old, {n: v for n, v in body.items() if v is not None}, "", tuple(lost), closed)


def _name(key: Mapping[str, Any]) -> str:
    given = key.get("key_alias") or _object(key, "metadata").get("alias")
    said = _clean(str(given or "")) or f"LiteLLM {key.get('key_name') or str(key['token'])[:12]}"
    return said[:MAX_NAME]


def _scopes(key: Mapping[str, Any], lost: list[str]) -> tuple[str, ...] | None:
    """What its routes come to; None when they are LiteLLM's own management."""
    routes = [str(route) for route in _list(key, "allowed_routes")]
    if not routes:
        return INFERENCE
    scopes: set[str] = set()
    for route in routes:
        if route in ROUTES:
            scopes.update(ROUTES[route])
        elif route in MODEL_ROUTES:
            scopes.update(READ)
        elif OTHER_INFERENCE.match(route):
            scopes.add("inference:write")
            lost.append(f"that it may use {route} alone; it may use all inference")
        else:
            lost.append(f"the route {route}")
    return tuple(sorted(scopes)) or None


def _team_is_unknown(key: Mapping[str, Any], rules: Rules) -> bool:
    """Whether its models are those of a team of which nothing is said."""
    return TEAM_MODELS in _list(key, "models") and str(key.get("team_id")) not in rules.teams


def _models(key: Mapping[str, Any], rules: Rules, lost: list[str]) -> list[str] | None:
    """The names here of the only models that it may use; None for all."""
    named = [str(model) for model in _list(key, "models")]
    if TEAM_MODELS in named:
        named = [str(model) for model in _list(rules.teams[str(key.get("team_id"))], "models")]
    if not named or ALL_MODELS in named:
        return None
    found: list[str] = []
    for model in named:
        if model == NO_MODELS:
            continue
        if "*" in model:
            matching = [name for name in rules.served if _fits(name, model)]
            lost.append(f"the pattern {model}; it may use {', '.join(matching) or 'nothing by it'}")
            found += matching
        else:
            found.append(rules.renamed.get(model, model))
    unserved = [model for model in found if model not in rules.served]
    if rules.served and unserved:
        names = ", ".join(unserved)
        lost.append(f"use of {names}: the key names it, but it is not served here so; see --rename-model")
    return list(dict.fromkeys(found))


def _fits(name: str, pattern: str) -> bool:
    """Whether a model here is of the pattern, with its provider or, as names here have none, without.

    All of a provider's models, `openai/*`, are not all models: those have to name the provider here, too.
    """
    bare = pattern.rpartition("/")[2]
    return fnmatchcase(name, pattern) or (bare != "*" and fnmatchcase(name, bare))


def _customer_of(key: Mapping[str, Any], rules: Rules, lost: list[str]) -> str | None:
    customer = None
    if rules.customer_by is not None and key.get(rules.customer_by):
        customer = str(key[rules.customer_by])
    for member, what in (("team_id", "team"), ("user_id", "user"), ("org_id", "organisation")):
        if key.get(member) and member != rules.customer_by and key[member] != "default_user_id":
            lost.append(f"its {what} {key[member]}, with that one's budgets and limits")
    return customer


def _budgets(there: Mapping[str, Any], lost: list[str]) -> dict[str, str] | None:
    """A budget without a period is a total, less what is spent of it; one with a period becomes a month's."""
    most = _number(_limit(there, "max_budget"))
    if most is None:
        return None
    period = _limit(there, "budget_duration")
    if not period:
        rest = max(most - (_number(there.get("spend")) or Decimal(0)), Decimal(0))
        return {"total": _amount(rest)}
    period = str(period)
    if period in _MONTHS:
        return {"monthly": _amount(most)}
    match = _DURATION.fullmatch(_NAMED_DURATIONS.get(period, period))
    if match is None:
        lost.append(f"the budget's period {period}; {_amount(most)} becomes a month's")
        return {"monthly": _amount(most)}
    days = int(match[1]) * _DAYS[match[2]]
    monthly = _amount(most * DAYS_A_MONTH / days) if days else _amount(most)
    lost.append(f"the budget's period; {_amount(most)} each {period} becomes {monthly} a month")
    return {"monthly": monthly}


def _limit(there: Mapping[str, Any], member: str) -> Any:
    """A bound of its own, or of the budget that it shares with others."""
    own = there.get(member)
    shared = there.get("litellm_budget_table")
    return shared.get(member) if own is None and isinstance(shared, dict) else own


def _said(there: Mapping[str, Any], member: str) -> bool:
    return bool(_limit(there, member) or _object(there, "metadata").get(member))


def _amount(value: Decimal) -> str:
    text = format(value.quantize(_BILLIONTH, ROUND_DOWN), "f")
    return text.rstrip("0").rstrip(".")


def _number(value: Any) -> Decimal | None:
    """A number as LiteLLM writes one; floats by their shortest text."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise _not_understood(f"{value!r} is no number") from None


def _instant(value: Any) -> datetime | None:
    """LiteLLM's times are in UTC, with and without saying so."""
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise _not_understood(f"{value!r} is no time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _list(there: Mapping[str, Any], member: str) -> list[Any]:
    value = there.get(member)
    return value if isinstance(value, list) else []


def _object(there: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    value = there.get(member)
    return value if isinstance(value, dict) else {}


def _export(value: Any) -> Export:
    """Any of the answers that LiteLLM's API gives, or several of them in an array."""
    if isinstance(value, list):
        parts = [_export(each) for each in value]
        return Export(
            tuple(key for part in parts for key in part.keys),
            tuple(each for part in parts for each in part.customers),
            tuple(each for part in parts for each in part.teams),
        )
    if not isinstance(value, dict):
        raise _not_understood("keys are not told apart by digests alone; ask for return_full_object=true")
    if known := {name: value[name] for name in ("keys", "customers", "teams") if name in value}:
        if not all(isinstance(each, list) for each in known.values()):
            raise _not_understood("keys, customers and teams are arrays")
        keys = _export(known.get("keys", [])).keys
        return Export(keys, tuple(known.get("customers", ())), tuple(known.get("teams", ())))
    key = key_of(value)
    if _TOKEN.fullmatch(str(key.get("token", ""))):
        return Export(keys=(key,))
    if "user_id" in value and "token" not in value:
        return Export(customers=(value,))
    if "team_id" in value and "token" not in value:
        return Export(teams=(value,))
    raise _not_understood(NO_DIGEST)


def _row(row: Mapping[str, str | None]) -> dict[str, Any]:
    """A row of the table of keys: arrays as Postgres or JSON writes them, truth as t or true."""
    read: dict[str, Any] = {}
    for name, text in row.items():
        if not text:
            continue
        if name in ("models", "allowed_routes", "access_group_ids"):
            read[name] = (
                json.loads(text) if text.startswith("[") else next(csv.reader([text.strip("{}")]), [])
            )
        elif text.startswith("{"):
            read[name] = json.loads(text)
        elif name in ("blocked", "auto_rotate"):
            read[name] = text.lower() in ("t", "true", "1")
        else:
            read[name] = text
    return read


def _not_understood(what: str) -> CommandError:
    return CommandError(
        ExitCode.USAGE,
        f"that is no export of LiteLLM's keys: {what}",
        hint="save the answer of GET /key/list?return_full_object=true&size=100",
    )
