"""`innoai import litellm` at a real server, from a LiteLLM that answers as LiteLLM does."""

from __future__ import annotations

import itertools
import json
import stat
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai import tenants
from innoai.config import load
from tests.contract.clients import bearer
from tests.support.envelope import refused
from tests.support.litellm import MASTER_KEY, LiteLLM, digest
from tests.support.server import MODEL, clean_environment
from tests.support.warm import run as run_warm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.server import Server


@pytest.fixture
def litellm() -> Iterator[LiteLLM]:
    with LiteLLM().running() as running:
        yield running


class Importer:
    """Somebody with an account of their own here, who comes from there."""

    def __init__(self, server: Server, litellm: LiteLLM, directory: Path) -> None:
        environment = {
            "INNOAI_STORE_URL": f"sqlite:///{server.store}",
            "INNOAI_STORE_SECRET_FILE": str(server.directory / "innoai.secret"),
        }
        settings = load(str(server.directory / "innoai.toml"), environment)
        _, self.admin_key = tenants.create(settings, "Comes from LiteLLM", "enterprise")
        self.client = httpx.Client(base_url=server.base_url, headers=bearer(self.admin_key), timeout=30)
        self.map = directory / "litellm-map.jsonl"
        self._directory = directory
        self._environment = clean_environment(
            INNOAI_BASE_URL=server.base_url,
            INNOAI_API_KEY=self.admin_key,
            LITELLM_BASE_URL=litellm.url,
            LITELLM_MASTER_KEY=MASTER_KEY,
        )

    def run(self, *options: str, stdin: str = "", **environment: str) -> Any:
        return run_warm(
            ("import", "litellm", *options),
            self._directory,
            {**self._environment, **environment},
            stdin=stdin,
        )

    def told(self, *options: str, stdin: str = "", status: int = 0) -> dict[str, Any]:
        ended = self.run("--json", *options, stdin=stdin)
        assert ended.returncode == status, ended.stderr
        told: dict[str, Any] = json.loads(ended.stdout)
        return told

    def mapped(self) -> dict[str, dict[str, str]]:
        """The lines of the map by the old digests."""
        lines = map(json.loads, self.map.read_text("utf-8").splitlines())
        return {line["litellm_token"]: line for line in lines}

    def keys(self) -> list[dict[str, Any]]:
        """The account's keys but its first."""
        page = self.client.get("/keys", params={"limit": 100}).json()
        listed: list[dict[str, Any]] = page["data"][:-1]
        return listed


@pytest.fixture
def importer(server: Server, litellm: LiteLLM, tmp_path: Path) -> Iterator[Importer]:
    made = Importer(server, litellm, tmp_path)
    with made.client:
        yield made


def statuses(told: Sequence[dict[str, Any]]) -> list[str]:
    return [each["status"] for each in told]


def test_a_key_comes_over_with_its_bounds_and_works(importer: Importer, litellm: LiteLLM) -> None:
    old = litellm.add_key(
        "sk-litellm-1",
        key_alias="production-backend",
        models=[MODEL],
        max_budget=100.0,
        budget_duration="30d",
        rpm_limit=600,
        expires="2099-01-31T12:00:00Z",
    )
    told = importer.told()
    (made,) = told["keys"]
    assert (made["status"], made["litellm_token"], made["lost"]) == ("created", old, [])
    line = importer.mapped()[old]
    assert line["id"] == made["id"]
    key = importer.client.get(f"/keys/{made['id']}").json()
    assert key["name"] == "production-backend"
    assert key["scopes"] == ["inference:read", "inference:write"]
    assert (key["models"], key["rate_limit"]) == ([MODEL], 600)
    assert key["budgets"] == {"monthly": "100", "total": None}
    assert key["expires_at"] == "2099-01-31T12:00:00Z"
    assert importer.client.get("/auth/validate", headers=bearer(line["key"])).json()["valid"] is True


def test_the_map_is_its_owners_alone_and_no_key_is_printed(importer: Importer, litellm: LiteLLM) -> None:
    old = litellm.add_key("sk-litellm-1", key_alias="one")
    ended = importer.run()
    assert ended.returncode == 0, ended.stderr
    assert stat.S_IMODE(importer.map.stat().st_mode) == 0o600
    secret = importer.mapped()[old]["key"]
    assert secret not in ended.stdout + ended.stderr
    assert MASTER_KEY not in ended.stdout + ended.stderr


def test_a_second_run_makes_nothing(importer: Importer, litellm: LiteLLM) -> None:
    for number in range(3):
        litellm.add_key(f"sk-litellm-{number}", key_alias=f"key {number}")
    importer.told()
    before = importer.map.read_text("utf-8")
    litellm.keys[0]["spend"] = 5.0
    assert statuses(importer.told()["keys"]) == ["known"] * 3
    assert importer.map.read_text("utf-8") == before
    assert len(importer.keys()) == 3


def test_a_run_that_lost_its_map_gets_the_same_keys_again(importer: Importer, litellm: LiteLLM) -> None:
    old = litellm.add_key("sk-litellm-1", key_alias="one")
    importer.told()
    line = importer.mapped()[old]
    importer.map.unlink()
    importer.told()
    assert importer.mapped()[old] == line
    assert len(importer.keys()) == 1


def test_a_dry_run_makes_nothing_and_says_what_is_lost(importer: Importer, litellm: LiteLLM) -> None:
    litellm.add_key("sk-litellm-1", key_alias="one", tpm_limit=1000)
    litellm.add_key("sk-litellm-2", key_alias="two", expires="2020-01-01T00:00:00Z")
    ended = importer.run("--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert "one: without tokens a minute (tpm_limit)" in ended.stderr
    assert "two: left out: it has expired" in ended.stderr
    assert "Nothing was made" in ended.stderr
    assert importer.keys() == []
    assert not importer.map.exists()


def test_a_blocked_key_is_refused_until_it_gets_another_end(importer: Importer, litellm: LiteLLM) -> None:
    old = litellm.add_key("sk-litellm-1", blocked=True)
    (told,) = importer.told()["keys"]
    assert told["closed"] is True
    secret = importer.mapped()[old]["key"]
    refused(importer.client.get("/models", headers=bearer(secret)), "invalid_api_key")
    assert importer.client.patch(f"/keys/{told['id']}", json={"expires_at": None}).status_code == 200
    assert importer.client.get("/models", headers=bearer(secret)).status_code == 200


def test_all_pages_come(importer: Importer, litellm: LiteLLM) -> None:
    for number in range(101):
        litellm.add_key(f"sk-litellm-{number}")
    told = importer.told("--dry-run")
    assert len({each["litellm_token"] for each in told["keys"]}) == 101


def test_a_litellm_that_lists_digests_alone_is_asked_for_each(importer: Importer, litellm: LiteLLM) -> None:
    litellm.old = litellm.free = True
    litellm.add_key("sk-litellm-1", key_alias="one", rpm_limit=7)
    (told,) = importer.told()["keys"]
    assert told["as"]["rate_limit"] == 7
    assert "/key/info" in litellm.asked


def test_customers_and_teams_come_over(importer: Importer, litellm: LiteLLM) -> None:
    litellm.customers.append({"user_id": "acme-1", "alias": "Acme", "blocked": False, "spend": 0.0})
    litellm.customers.append({"user_id": "gone", "alias": None, "blocked": True, "spend": 0.0})
    litellm.teams.append(
        {"team_id": "team-1", "team_alias": "Sales", "max_budget": 50.0, "budget_duration": "30d"}
    )
    old = litellm.add_key("sk-litellm-1", team_id="team-1", models=["all-team-models"])
    told = importer.told("--customer-by", "team")
    assert statuses(told["customers"]) == ["created"] * 3
    customers = {each["customer_id"]: each for each in importer.client.get("/customers").json()["data"]}
    assert customers["acme-1"]["name"] == "Acme"
    assert customers["gone"]["disabled"] is True
    assert customers["team-1"]["budgets"]["monthly"] == "50"
    key = importer.client.get(f"/keys/{importer.mapped()[old]['id']}").json()
    assert key["customer_id"] == "team-1"
    assert statuses(importer.told("--customer-by", "team")["customers"]) == ["known"] * 3


def test_a_blocked_customer_is_disabled_though_an_earlier_run_broke_off_before_that(
    importer: Importer, litellm: LiteLLM
) -> None:
    litellm.customers.append({"user_id": "gone", "alias": None, "blocked": True, "spend": 0.0})
    importer.client.post("/customers", json={"customer_id": "gone"}).raise_for_status()
    (told,) = importer.told()["customers"]
    assert (told["status"], told["why"]) == ("known", "blocked there, and made unusable here")
    assert importer.client.get("/customers/gone").json()["disabled"] is True


def test_a_customer_that_somebody_has_enabled_since_stays_so(importer: Importer, litellm: LiteLLM) -> None:
    litellm.customers.append({"user_id": "gone", "alias": None, "blocked": True, "spend": 0.0})
    importer.told()
    enabled: dict[str, Any] = {"updated_at": None, "created_at": None}
    for number in itertools.count():
        # Instants are of whole seconds.
        if enabled["updated_at"] != enabled["created_at"]:
            break
        change = {"disabled": False, "name": f"Enabled {number}"}
        enabled = importer.client.patch("/customers/gone", json=change).raise_for_status().json()
    assert statuses(importer.told()["customers"]) == ["known"]
    assert importer.client.get("/customers/gone").json()["disabled"] is False


def test_an_export_is_imported_without_a_litellm(importer: Importer, litellm: LiteLLM) -> None:
    litellm.add_key("sk-litellm-1", key_alias="from a file")
    export = json.dumps({"keys": litellm.keys, "total_pages": 1})
    told = importer.told("-", stdin=export)
    assert [each["name"] for each in told["keys"]] == ["from a file"]
    assert litellm.asked == []


def test_one_key_that_cannot_be_made_does_not_stop_the_others(importer: Importer, litellm: LiteLLM) -> None:
    litellm.add_key("sk-litellm-1", rpm_limit=10**12)
    litellm.add_key("sk-litellm-2")
    told = importer.told(status=1)
    assert statuses(told["keys"]) == ["failed", "created"]
    assert told["keys"][0]["why"]
    assert set(importer.mapped()) == {digest("sk-litellm-2")}


def test_an_export_without_a_key_says_so(importer: Importer) -> None:
    assert "There is no key in it." in importer.run("-", stdin="[]").stderr


def test_a_map_that_others_may_read_is_refused(importer: Importer, litellm: LiteLLM) -> None:
    litellm.add_key("sk-litellm-1")
    importer.map.touch(0o644)
    importer.map.chmod(0o644)
    ended = importer.run()
    assert ended.returncode == 2
    assert "chmod 600" in ended.stderr
    assert importer.keys() == []


def test_a_map_of_something_else_is_refused(importer: Importer) -> None:
    importer.map.touch(0o600)
    importer.map.write_text("who?\n", "utf-8")
    ended = importer.run()
    assert ended.returncode == 2
    assert "not a file that this command wrote" in ended.stderr


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({"LITELLM_MASTER_KEY": "sk-wrong"}, 3, "refuses its admin key"),
        ({"LITELLM_MASTER_KEY": ""}, 3, "no admin key"),
        ({"LITELLM_BASE_URL": ""}, 2, "give LiteLLM's address"),
        ({"LITELLM_BASE_URL": "http://127.0.0.1:9"}, 8, "does not answer"),
    ],
)
def test_a_litellm_that_cannot_be_asked_is_told(
    importer: Importer, environment: dict[str, str], status: int, said: str
) -> None:
    ended = importer.run(**environment)
    assert ended.returncode == status
    assert said in ended.stderr


def test_a_server_that_is_no_litellm_is_told(importer: Importer, server: Server) -> None:
    ended = importer.run(LITELLM_BASE_URL=server.origin)
    assert ended.returncode == 8
    assert "/key/list" in ended.stderr


def test_a_customer_whose_id_cannot_be_one_here_fails_alone(importer: Importer, litellm: LiteLLM) -> None:
    litellm.customers += [{"user_id": "acme/1\n", "alias": None}, {"user_id": "acme-2", "alias": None}]
    told = importer.told(status=1)
    assert statuses(told["customers"]) == ["failed", "created"]
    assert told["customers"][0]["why"]
