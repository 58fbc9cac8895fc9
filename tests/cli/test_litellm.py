"""What a virtual key of LiteLLM becomes here; tests/contract/test_importing.py makes real ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from innoai.cli import litellm
from innoai.cli.failures import CommandError
from innoai.cli.litellm import Export, Rules, plan_customers, plan_key, read

NOW = datetime(2026, 11, 24, 22, 7, 2, tzinfo=UTC)
RULES = Rules(NOW, served=("inno-ai-boyong-4.5", "inno-ai-small"))
DIGEST = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2


def key(**members: Any) -> dict[str, Any]:
    """A row as /key/list gives it with return_full_object, with LiteLLM's defaults."""
    row: dict[str, Any] = {
        "token": DIGEST,
        "key_name": "sk-...aB3d",
        "key_alias": None,
        "spend": 0.0,
        "max_budget": None,
        "expires": None,
        "models": [],
        "aliases": {},
        "config": {},
        "user_id": None,
        "team_id": None,
        "max_parallel_requests": None,
        "metadata": {},
        "tpm_limit": None,
        "rpm_limit": None,
        "budget_duration": None,
        "allowed_routes": [],
        "permissions": {},
        "blocked": None,
        "litellm_budget_table": None,
    }
    return {**row, **members}


def body(**members: Any) -> dict[str, Any]:
    planned = plan_key(key(**members), RULES)
    assert planned.body is not None, planned.why
    return dict(planned.body)


def test_a_plain_key_may_use_inference_and_nothing_else() -> None:
    planned = plan_key(key(), RULES)
    assert planned.body == {"name": "LiteLLM sk-...aB3d", "scopes": ["inference:read", "inference:write"]}
    assert (planned.old, planned.lost, planned.closed) == (DIGEST, (), False)


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"key_alias": "backend"}, "backend"),
        ({"metadata": {"alias": "from metadata"}}, "from metadata"),
        ({"key_alias": "a\nb\x07 c"}, "a b c"),
        ({"key_alias": "x" * 300}, "x" * 200),
        ({"key_alias": None, "key_name": None}, f"LiteLLM {DIGEST[:12]}"),
    ],
)
def test_a_key_is_called_by_its_alias(members: dict[str, Any], name: str) -> None:
    assert body(**members)["name"] == name


@pytest.mark.parametrize(
    ("members", "budgets"),
    [
        ({"max_budget": 100.0}, {"total": "100"}),
        ({"max_budget": 100.0, "spend": 12.5}, {"total": "87.5"}),
        ({"max_budget": 1.0, "spend": 3.0}, {"total": "0"}),
        ({"max_budget": 100.0, "spend": 12.5, "budget_duration": "30d"}, {"monthly": "100"}),
        ({"max_budget": 7, "budget_duration": "1mo"}, {"monthly": "7"}),
        ({"max_budget": 10, "budget_duration": "1d"}, {"monthly": "300"}),
        ({"max_budget": 10, "budget_duration": "24h"}, {"monthly": "300"}),
        ({"max_budget": 7, "budget_duration": "7d"}, {"monthly": "30"}),
        ({"max_budget": 0.1, "budget_duration": "90d"}, {"monthly": "0.033333333"}),
        ({"max_budget": 10, "budget_duration": "once in a blue moon"}, {"monthly": "10"}),
        ({"litellm_budget_table": {"max_budget": 5.0, "budget_duration": "30d"}}, {"monthly": "5"}),
        ({"max_budget": 2.0, "litellm_budget_table": {"max_budget": 5.0}}, {"total": "2"}),
    ],
)
def test_a_budget_is_a_months_or_a_total_less_what_is_spent(
    members: dict[str, Any], budgets: dict[str, str]
) -> None:
    assert body(**members)["budgets"] == budgets


@pytest.mark.parametrize("period", ["1d", "7d", "1y", "once in a blue moon"])
def test_a_budget_of_another_period_is_told_as_lost(period: str) -> None:
    (lost,) = plan_key(key(max_budget=10, budget_duration=period), RULES).lost
    assert period in lost


@pytest.mark.parametrize(
    ("routes", "scopes"),
    [
        ([], ["inference:read", "inference:write"]),
        (["llm_api_routes"], ["inference:read", "inference:write"]),
        (["info_routes"], ["inference:read"]),
        (["/v1/models"], ["inference:read"]),
        (["/chat/completions", "/v1/embeddings"], ["inference:write"]),
    ],
)
def test_routes_become_scopes(routes: list[str], scopes: list[str]) -> None:
    assert body(allowed_routes=routes)["scopes"] == scopes


def test_a_key_that_manages_litellm_gets_no_successor() -> None:
    planned = plan_key(key(allowed_routes=["management_routes"]), RULES)
    assert planned.body is None
    assert "--level admin" in planned.why


@pytest.mark.parametrize(
    ("models", "allowed"),
    [
        (["gpt-4o"], ["gpt-4o"]),
        (["gpt-4o", "no-default-models"], ["gpt-4o"]),
        (["inno-ai-*"], ["inno-ai-boyong-4.5", "inno-ai-small"]),
        (["inno-ai-s*", "gpt-4o"], ["inno-ai-small", "gpt-4o"]),
    ],
)
def test_models_are_the_only_ones_here_too(models: list[str], allowed: list[str]) -> None:
    assert body(models=models)["models"] == allowed


def test_all_models_are_no_bound() -> None:
    assert "models" not in body(models=["all-proxy-models"])


@pytest.mark.parametrize("models", [["no-default-models"], ["anthropic/claude*"], ["all-team-models"]])
def test_a_key_without_a_model_that_is_served_gets_no_successor_that_may_use_all(models: list[str]) -> None:
    rules = Rules(NOW, served=("inno-ai-small",))
    planned = plan_key(key(models=[model.replace("claude*", "claude-*") for model in models]), rules)
    assert planned.body is None


def test_a_key_with_the_models_of_an_unknown_team_says_so() -> None:
    planned = plan_key(key(models=["all-team-models"], team_id="team-1"), RULES)
    assert planned.body is None
    assert "import from the server itself" in planned.why


@pytest.mark.parametrize(
    ("pattern", "models"),
    [
        ("openai/*", ["openai/gpt-4o"]),
        ("openai/gpt-*", ["openai/gpt-4o", "gpt-4o-mini"]),
        ("*", ["openai/gpt-4o", "gpt-4o-mini", "inno-ai-small"]),
    ],
)
def test_a_pattern_stands_for_the_models_here_that_fit_it(pattern: str, models: list[str]) -> None:
    rules = Rules(NOW, served=("openai/gpt-4o", "gpt-4o-mini", "inno-ai-small"))
    planned = plan_key(key(models=[pattern]), rules)
    assert planned.body is not None
    assert planned.body["models"] == models


@pytest.mark.parametrize("pattern", ["openai/*", "nope/*", "a/b/*"])
def test_a_providers_pattern_that_nothing_here_fits_is_not_every_model(pattern: str) -> None:
    alone = plan_key(key(models=[pattern]), RULES)
    assert (alone.body, alone.why) == (None, "none of its models is served here; see --rename-model")
    beside = plan_key(key(models=[pattern, "inno-ai-small"]), RULES)
    assert beside.body is not None
    assert beside.body["models"] == ["inno-ai-small"]
    assert f"the pattern {pattern}; it may use nothing by it" in beside.lost


def test_a_model_that_is_not_served_by_its_name_is_told() -> None:
    planned = plan_key(key(models=["gpt-4o", "inno-ai-small"]), RULES)
    assert "use of gpt-4o: the key names it, but it is not served here so; see --rename-model" in planned.lost


def test_a_teams_models_are_its_keys_models() -> None:
    rules = Rules(NOW, teams={"team-1": {"team_id": "team-1", "models": ["gpt-4o"]}})
    planned = plan_key(key(models=["all-team-models"], team_id="team-1"), rules)
    assert planned.body is not None
    assert planned.body["models"] == ["gpt-4o"]


def test_models_are_called_as_they_are_called_here() -> None:
    rules = Rules(NOW, renamed={"gpt-4o": "inno-ai-boyong-4.5"})
    planned = plan_key(key(models=["gpt-4o", "other"]), rules)
    assert planned.body is not None
    assert planned.body["models"] == ["inno-ai-boyong-4.5", "other"]


@pytest.mark.parametrize(
    ("expires", "shown"),
    [
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
        ("2027-01-31T12:00:00.123456+00:00", "2027-01-31T12:00:00Z"),
        ("2027-01-31 12:00:00", "2027-01-31T12:00:00Z"),
        ("2027-01-31T20:00:00+08:00", "2027-01-31T12:00:00Z"),
    ],
)
def test_a_key_ends_when_it_would_have_ended(expires: str, shown: str) -> None:
    assert body(expires=expires)["expires_at"] == shown


def test_an_expired_key_gets_no_successor() -> None:
    assert plan_key(key(expires="2026-11-24T22:07:02Z"), RULES).body is None


@pytest.mark.parametrize("members", [{"blocked": True}, {"rpm_limit": 0}])
def test_a_blocked_key_is_made_unusable(members: dict[str, Any]) -> None:
    assert plan_key(key(**members), RULES).closed


@pytest.mark.parametrize(
    "members",
    [
        {"tpm_limit": 1000},
        {"max_parallel_requests": 3},
        {"aliases": {"gpt-4": "mine"}},
        {"model_max_budget": {"gpt-4": {"budget_limit": 1}}},
        {"metadata": {"guardrails": ["pii"]}},
        {"metadata": {"department": "sales"}},
        {"team_id": "team-1"},
        {"user_id": "ada"},
        {"litellm_budget_table": {"soft_budget": 5}},
        {"allowed_routes": ["/chat/completions"]},
        {"allowed_routes": ["llm_api_routes", "/mcp/tools"]},
    ],
)
def test_what_does_not_come_along_is_told(members: dict[str, Any]) -> None:
    (lost,) = plan_key(key(**members), RULES).lost
    assert lost


def test_a_key_is_bound_to_a_customer_where_that_was_asked_for() -> None:
    rules = Rules(NOW, customer_by="team_id")
    planned = plan_key(key(team_id="team-1"), rules)
    assert planned.body is not None
    assert planned.body["customer_id"] == "team-1"
    assert planned.lost == ()


def test_customers_are_litellms_own_and_the_keys_teams() -> None:
    team = {"team_id": "team-1", "team_alias": "Sales", "max_budget": 50, "budget_duration": "30d"}
    export = Export(
        keys=(key(team_id="team-1"), key(token="1" * 64, team_id="team-1"), key(token="2" * 64)),
        customers=(
            {"user_id": "c-1", "alias": "Acme", "blocked": True, "litellm_budget_table": {"rpm_limit": 9}},
        ),
    )
    rules = Rules(NOW, customer_by="team_id", teams={"team-1": team})
    acme, sales = plan_customers(export, rules)
    assert acme.closed
    assert acme.body == {
        "customer_id": "c-1",
        "name": "Acme",
        "rate_limit": 9,
        "metadata": {"imported_from": "litellm"},
    }
    assert sales.body is not None
    assert (sales.body["name"], sales.body["budgets"]) == ("Sales", {"monthly": "50"})


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"keys": [key()], "total_count": 1, "current_page": 1, "total_pages": 1}),
        json.dumps([key()]),
        json.dumps([{"keys": [key()]}, {"keys": []}]),
        json.dumps({"key": DIGEST, "info": {name: said for name, said in key().items() if name != "token"}}),
    ],
)
def test_an_export_is_any_of_litellms_answers(text: str) -> None:
    (found,) = read(text).keys
    assert plan_key(found, RULES).body is not None


def test_an_export_is_the_table_of_keys_as_csv() -> None:
    text = (
        "token,key_name,key_alias,spend,max_budget,expires,models,metadata,blocked,rpm_limit,budget_duration\n"
        f'{DIGEST},sk-...aB3d,csv,1.5,10,2027-01-31 12:00:00,"{{gpt-4o,""a,b""}}","{{""k"": 1}}",f,60,\n'
        f"{'1' * 64},,,,,,{{}},{{}},t,,\n"
    )
    first, second = read(text).keys
    planned = plan_key(first, RULES)
    assert planned.body == {
        "name": "csv",
        "scopes": ["inference:read", "inference:write"],
        "models": ["gpt-4o", "a,b"],
        "rate_limit": 60,
        "expires_at": "2027-01-31T12:00:00Z",
        "budgets": {"total": "8.5"},
    }
    assert not planned.closed
    assert plan_key(second, RULES).closed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "true",
        '["0f1e2d"]',
        '{"keys": {}}',
        '{"keys": [{"token": "short"}]}',
        '{"detail": "Not Found"}',
        "token,models\nabc,{}\n",
        f"token,models\n{DIGEST},{{}}\nabc,{{}}\n",
    ],
)
def test_what_is_no_export_is_told_apart(text: str) -> None:
    with pytest.raises(CommandError, match="no export of LiteLLM"):
        read(text)


@pytest.mark.parametrize("members", [{"max_budget": "much"}, {"expires": "soon"}, {"rpm_limit": "x"}])
def test_a_value_that_is_none_stops_the_import(members: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        plan_key(key(**members), RULES)


def test_every_loss_has_words() -> None:
    assert all(litellm.WITHOUT_COUNTERPART.values())
