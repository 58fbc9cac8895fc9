from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from msgspec import Meta

from innoai import config
from innoai.access.tiers import DEFAULT_TIERS
from innoai.config import (
    ECHO_MODELS,
    SECTIONS,
    ConfigError,
    Model,
    Settings,
    Upstream,
    load,
    split_bind,
    without_password,
)

SECRET = "the secret of this installation, in a test"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "innoai.toml"


def loaded(file: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file.write_text(text, "utf-8")
    return load(str(file), environ or {})


def refused(file: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        loaded(file, text, environ)
    said = str(error.value)
    assert "\n" not in said
    return said


def model(upstream: str) -> str:
    return f'[models."a-model"]\nupstreams = [{{ {upstream} }}]\n'


# What is refused.


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("[server]\nbind = 8080", "server.bind", "host:port to listen on"),
        ('[server]\nbind = "nowhere"', "server.bind", 'like "127.0.0.1:8080"'),
        ('[server]\nbind = ":8080"', "server.bind", 'like "127.0.0.1:8080"'),
        ('[server]\nbind = "127.0.0.1:99999"', "server.bind", 'like "127.0.0.1:8080"'),
        ('[server]\nbind = "127.0.0.1:http"', "server.bind", 'like "127.0.0.1:8080"'),
        ('[server]\ntrusted_proxies = ["everyone"]', "server.trusted_proxies", "like 203.0.113.0/24"),
        ('[server]\ntrusted_proxies = "10.0.0.0/8"', "server.trusted_proxies", "CIDRs of proxies"),
        ("[server]\npublic_url = 1", "server.public_url", "the address that people use"),
        ("[server]\nmax_body_bytes = 10", "server.max_body_bytes", "largest request body"),
        ("[server]\nmax_body_bytes = true", "server.max_body_bytes", "largest request body"),
        ("[server]\nmax_header_bytes = 10", "server.max_header_bytes", "largest request head"),
        ('[server]\nbnid = "127.0.0.1:1"', "server.bnid", "the settings are bind, trusted_proxies"),
        ('[store]\nurl = "mysql://somewhere"', "store.url", "sqlite:///FILE or postgresql://"),
        ('[store]\nurl = "sqlite:///"', "store.url", "sqlite:///FILE or postgresql://"),
        ('[store]\nurl = "sqlite:///:memory:"', "store.url", "sqlite:///FILE or postgresql://"),
        ('[store]\nurl = "sqlite://innoai.db"', "store.url", "sqlite:///FILE or postgresql://"),
        ('[store]\nurl = "postgresql://db:port/x"', "store.url", "sqlite:///FILE or postgresql://"),
        ("[store]\nsecret_file = []", "store.secret_file", "file of the installation's secret"),
        ("[store]\nmax_stale = 0", "store.max_stale", "seconds without word from the store"),
        ("[store]\nmax_stale = nan", "store.max_stale", "seconds without word from the store"),
        ("[store]\nsecret = 1", "store.secret", "the settings are url, secret_file, max_stale"),
        ('[limits]\nurl = "memcached://somewhere"', "limits.url", "memory:, redis://HOST:PORT/0"),
        ('[limits]\nurl = "redis://cache:port"', "limits.url", "memory:, redis://HOST:PORT/0"),
        ("[limits]\nfailed_auth = 0", "limits.failed_auth", "failed authentications a minute"),
        ("[limits]\nrate = 1", "limits.rate", "the settings are url, failed_auth"),
        ('[tokens]\nalgorithm = "none"', "tokens.algorithm", "HS256, or EdDSA"),
        ('[tokens]\nissuer = ""', "tokens.issuer", "the iss claim"),
        ("[tokens]\naudience = []", "tokens.audience", "the aud claim"),
        ("[tokens]\nlifetime = 1", "tokens.lifetime", "the settings are algorithm, issuer, audience"),
        ('[customers]\nauto_create = "yes"', "customers.auto_create", "creates the customer"),
        ("[customers]\nmake = true", "customers.make", "the settings are auto_create"),
        ("[metering]\nspool = 1", "metering.spool", "directory of the local spool"),
        ('[metering]\ndir = "x"', "metering.dir", "the settings are spool"),
        ("[srever]\n", "[srever]", "the sections are server, store, limits"),
        ("debug = true", "[debug]", "the sections are server, store, limits"),
        ("server = 1", "server", "write [server] on a line of its own"),
        ("models = 1", "models", "write [models] on a line of its own"),
        ("[models]\n", "models", "name at least one model"),
        ('[models]\n"a-model" = 1', 'models."a-model"', "expected `object`"),
        ('[models."a-model"]\n', 'models."a-model"', "upstreams: it is required; set it"),
        ('[models."a-model"]\nupstreams = []', 'models."a-model".upstreams', "length >= 1"),
        ('[models."a-model"]\nupstream = []', 'models."a-model".upstream', "the settings are upstreams"),
        (
            model('model = "x"'),
            'models."a-model".upstreams[0]',
            "base_url: it is required; set it (an OpenAI-",
        ),
        (model("base_url = 1"), 'models."a-model".upstreams[0].base_url', "an OpenAI-compatible base URL"),
        (model('base_url = "ftp://x"'), "upstreams[0].base_url", '"https://models.example/v1"'),
        (model('base_url = "http://"'), "upstreams[0].base_url", '"https://models.example/v1"'),
        (model('base_url = "http://x:port"'), "upstreams[0].base_url", '"https://models.example/v1"'),
        (model('base_url = "http://[x"'), "upstreams[0].base_url", '"https://models.example/v1"'),
        (model(f'base_url = "http://{"x" * 300}"'), "upstreams[0].base_url", "an OpenAI-compatible base URL"),
        (model('base_url = "echo:", modle = "x"'), "upstreams[0].modle", "the settings are base_url, model"),
        (model('base_url = "echo:", model = 1'), "upstreams[0].model", "the model's name there"),
        (model('base_url = "echo:", include_usage = 1'), "upstreams[0].include_usage", "asked for usage"),
        (model('base_url = "echo:", connect_timeout = 0'), "upstreams[0].connect_timeout", "to connect"),
        (model('base_url = "echo:", head_timeout = -1'), "upstreams[0].head_timeout", "until the answer"),
        (model('base_url = "echo:", idle_timeout = "1"'), "upstreams[0].idle_timeout", "between two pieces"),
        (model('base_url = "echo:", api_key = 1'), "upstreams[0].api_key", "env:NAME, file:PATH"),
        (model('base_url = "http://x", headers = { Host = "x" }'), "upstreams[0]", "in lower case"),
        (
            model('base_url = "http://x", headers = { host = "x" }'),
            "upstreams[0]",
            "is written by the gateway",
        ),
        (
            model('base_url = "http://x", api_key = "k", headers = { authorization = "x" }'),
            "upstreams[0]",
            "authorization is api_key's",
        ),
        (model('base_url = "http://x", headers = { api-key = "env:NOT_SET" }'), "headers.api-key", "NOT_SET"),
        (model('base_url = "http://x", query = "a#b"'), "upstreams[0].query", "behind ?"),
        (model('base_url = "echo:", api_key = "env:NONE"'), "api_key", "environment has no NONE; set it"),
        (model('base_url = "echo:", api_key = "file:/nowhere"'), "api_key", "name a readable file"),
        (model('base_url = "echo:", api_key = "two words"'), "api_key", "printable ASCII without spaces"),
        (model('base_url = "echo:", api_key = ""'), "api_key", "printable ASCII without spaces"),
        (model('base_url = "http://h/v1?x=1"'), "upstreams[0].base_url", "what stands behind ? as query"),
        (model('base_url = "http://h/v1#x"'), "upstreams[0].base_url", "ends with its path"),
        (model('base_url = "http://u:p@h/v1"'), "upstreams[0].base_url", "write the key as api_key"),
        (model('base_url = "http://h/v1", query = "?a=b"'), "upstreams[0].query", "without the ? in front"),
        ('[models.""]\nupstreams = [{ base_url = "echo:" }]', 'models.""', "1 to 200 characters"),
        (f'[models.{"x" * 201}]\nupstreams = [{{ base_url = "echo:" }}]', "models.", "1 to 200 characters"),
        ("[server\n", "not valid TOML", "correct the syntax there"),
        ('[server]\npublic_url = "foo"', "server.public_url", "without a path"),
        ('[server]\npublic_url = "ai.example.com"', "server.public_url", 'like "https://ai.example.com"'),
        ('[server]\npublic_url = "https://ai.example.com/v1"', "server.public_url", "without a path"),
        ('[server]\npublic_url = "https://u:p@ai.example.com"', "server.public_url", "without a path"),
        ('[server]\npublic_url = "ftp://ai.example.com"', "server.public_url", "http(s)://host[:port]"),
        ("[store]\nmax_stale = inf", "store.max_stale", "<= 86400"),
        ("[webhooks]\ntimeout = inf", "webhooks.timeout", "<= 86400"),
        ('[metering]\nspool = ""', "metering.spool", "directory of the local spool"),
        ('bind = "127.0.0.1:1"', "bind stands in no section", "write [server] on the line above it"),
        ("[models.gpt-4.1]\nupstreams = []", "models.gpt-4.1:", 'write [models."gpt-4.1"]'),
        ("[models.a]\nupstreams = []\n[models.a.1.2]\nupstreams = []", "models.a.1.2:", '[models."a.1.2"]'),
        (
            model('base_url = "echo:" }, { base_url = "echo:", api_key = "env:NONE"'),
            'models."a-model".upstreams[1].api_key: ',
            "set it before the start",
        ),
        ('[billing]\ncurrency = "dollars"', "billing.currency", "three capital letters"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_file_key_and_remedy(
    file: Path, text: str, key: str, remedy: str
) -> None:
    said = refused(file, text)
    assert said.startswith(f"{file}: ")
    assert key in said
    assert remedy in said


def test_a_named_file_that_is_not_there_is_told_with_its_remedy(file: Path) -> None:
    with pytest.raises(ConfigError, match="create it, or leave --config out") as error:
        load(str(file), {})
    assert str(file) in str(error.value)


def test_a_file_that_is_not_text_is_told(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as UTF-8 text"):
        load(str(file), {})


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path))):
        load(str(tmp_path), {})


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("INNOAI_SERVER_BIND", "nowhere", 'like "127.0.0.1:8080"'),
        ("INNOAI_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, everyone", "like 203.0.113.0/24"),
        ("INNOAI_SERVER_MAX_BODY_BYTES", "much", "largest request body"),
        ("INNOAI_SERVER_MAX_HEADER_BYTES", "1", "largest request head"),
        ("INNOAI_STORE_URL", "mysql://x", "sqlite:///FILE"),
        ("INNOAI_STORE_MAX_STALE", "0", "seconds without word"),
        ("INNOAI_LIMITS_URL", "x", "memory:"),
        ("INNOAI_LIMITS_FAILED_AUTH", "0", "failed authentications"),
        ("INNOAI_TOKENS_ALGORITHM", "none", "HS256, or EdDSA"),
        ("INNOAI_TOKENS_ISSUER", "", "the iss claim"),
        ("INNOAI_CUSTOMERS_AUTO_CREATE", "perhaps", "creates the customer"),
        ("INNOAI_METERING_SPOOL", "", "directory of the local spool"),
        ("INNOAI_STORE_MAX_STALE", "inf", "<= 86400"),
        ("INNOAI_BILLING_CURRENCY", "dollars", "three capital letters"),
        ("INNOAI_BILLING_RATES", '{"EUR": 1}', "a table has no variable; write [billing.rates] in the file"),
        ("INNOAI_DASHBOARD_OIDC", "{}", "write [dashboard.oidc] in the file"),
        ("INNOAI_SERVER_BND", "127.0.0.1:1", "there are INNOAI_SERVER_BIND, INNOAI_SERVER_TRUSTED_PROXIES"),
        ("INNOAI_MODELS_X", "y", "models and tiers come from the file"),
        ("INNOAI_SECRET_FILE", "/run/secret", "INNOAI_STORE_SECRET_FILE"),
    ],
)
def test_a_wrong_variable_is_named_as_it_is_written(
    file: Path, variable: str, value: str, remedy: str
) -> None:
    said = refused(file, "", {variable: value})
    assert said.startswith(f"environment: {variable}: ")
    assert remedy in said


@pytest.mark.parametrize("variable", ["INNOAI_SECRET", "INNOAI_SECRET_PREVIOUS"])
@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_a_short_secret_stops_the_start_without_showing_it(file: Path, variable: str, secret: str) -> None:
    said = refused(file, "", {variable: secret})
    assert said.startswith(f"environment: {variable} has {len(secret)} bytes; give it at least 32")
    assert "openssl rand" in said
    assert "xxx" not in said


def test_no_error_shows_a_key(file: Path) -> None:
    text = model('base_url = "ftp://x", api_key = "sk-of-the-operator"')
    assert "sk-of-the-operator" not in refused(file, text)
    assert "sk-of-the-operator x" not in refused(
        file, model('base_url = "echo:", api_key = "sk-of-the-operator x"')
    )


# What is taken.


def test_variables_of_others_and_of_the_clients_are_nothing_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes names a service's address INNOAI_PORT; and INNOAI_API_KEY is the command line's."""
    monkeypatch.chdir(tmp_path)
    environ = dict.fromkeys(("INNOAI_API_KEY", "INNOAI_BASE_URL", "INNOAI_SERVICE_HOST", "INNOAI_PORT"), "x")
    assert load(None, environ) == Settings()


def test_without_a_file_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Settings()
    assert load(None, {}).models == ECHO_MODELS


def test_the_file_beside_is_read_without_being_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("innoai.toml").write_text('[server]\nbind = "127.0.0.1:9"')
    assert load(None, {}).server.bind == "127.0.0.1:9"


def test_a_named_file_goes_before_the_environments(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f'[tokens]\nissuer = "{name}"')
    environ = {"INNOAI_CONFIG": str(tmp_path / "one")}
    assert load(None, environ).tokens.issuer == "one"
    assert load(str(tmp_path / "two"), environ).tokens.issuer == "two"


def test_the_designs_own_example_is_taken(file: Path) -> None:
    text = """
[server]
bind = "127.0.0.1:8080"
trusted_proxies = []
[store]
url = "sqlite:///innoai.db"
[limits]
url = "memory:"
[models."inno-ai-boyong-4.5"]
upstreams = [{ base_url = "http://127.0.0.1:9000/v1", model = "upstream-model", api_key = "env:UP_KEY" }]
"""
    settings = loaded(file, text, {"UP_KEY": "sk-of-the-operator"})
    upstream = Upstream("http://127.0.0.1:9000/v1", "upstream-model", "sk-of-the-operator")
    assert settings == Settings(models={"inno-ai-boyong-4.5": Model((upstream,))}, file=str(file))


@pytest.mark.parametrize(
    ("variable", "value", "section", "setting", "expected"),
    [
        ("INNOAI_SERVER_BIND", "[::1]:1", "server", "bind", "[::1]:1"),
        (
            "INNOAI_SERVER_TRUSTED_PROXIES",
            "10.0.0.0/8, ::1,",
            "server",
            "trusted_proxies",
            ("10.0.0.0/8", "::1"),
        ),
        ("INNOAI_SERVER_TRUSTED_PROXIES", "", "server", "trusted_proxies", ()),
        ("INNOAI_SERVER_PUBLIC_URL", "https://x.example", "server", "public_url", "https://x.example"),
        ("INNOAI_SERVER_MAX_BODY_BYTES", "4096", "server", "max_body_bytes", 4096),
        ("INNOAI_STORE_URL", "postgresql://u:p@db:5432/x", "store", "url", "postgresql://u:p@db:5432/x"),
        ("INNOAI_STORE_SECRET_FILE", "/run/secret", "store", "secret_file", "/run/secret"),
        ("INNOAI_STORE_MAX_STALE", "1.5", "store", "max_stale", 1.5),
        ("INNOAI_LIMITS_URL", "valkeys://c:1/0", "limits", "url", "valkeys://c:1/0"),
        ("INNOAI_LIMITS_FAILED_AUTH", "7", "limits", "failed_auth", 7),
        ("INNOAI_TOKENS_ALGORITHM", "EdDSA", "tokens", "algorithm", "EdDSA"),
        ("INNOAI_CUSTOMERS_AUTO_CREATE", "false", "customers", "auto_create", False),
        ("INNOAI_CUSTOMERS_AUTO_CREATE", "1", "customers", "auto_create", True),
        ("INNOAI_METERING_SPOOL", "/var/spool", "metering", "spool", "/var/spool"),
    ],
)
def test_a_variable_wins_over_the_file(
    file: Path, variable: str, value: str, section: str, setting: str, expected: object
) -> None:
    text = '[server]\nbind = "127.0.0.1:9"\n[store]\nmax_stale = 9\n[limits]\nfailed_auth = 9\n'
    settings = loaded(file, text, {variable: value})
    assert getattr(getattr(settings, section), setting) == expected


def test_a_variable_leaves_the_rest_of_its_section_as_the_file_says(file: Path) -> None:
    text = '[tokens]\nissuer = "here"\naudience = "there"'
    settings = loaded(file, text, {"INNOAI_TOKENS_ISSUER": "elsewhere"})
    assert (settings.tokens.issuer, settings.tokens.audience) == ("elsewhere", "there")


def test_secrets_come_from_the_environment_alone(file: Path) -> None:
    settings = loaded(file, "", {"INNOAI_SECRET": SECRET, "INNOAI_SECRET_PREVIOUS": SECRET[::-1]})
    assert (settings.secret, settings.previous_secret) == (SECRET, SECRET[::-1])
    assert "[secret]" in refused(file, f'secret = "{SECRET}"')


def test_an_upstreams_key_comes_from_where_it_is_said_to_be(file: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-in-a-file\n")
    for api_key, expected in (
        (f"file:{tmp_path / 'key'}", "sk-in-a-file"),
        ("env:UPSTREAM_KEY", "sk-in-the-environment"),
        ("sk-itself", "sk-itself"),
    ):
        text = model(f'base_url = "echo:", api_key = "{api_key}"')
        settings = loaded(file, text, {"UPSTREAM_KEY": "sk-in-the-environment\n"})
        assert settings.models["a-model"].upstreams[0].api_key == expected


def test_models_in_a_file_take_the_place_of_the_echo(file: Path) -> None:
    assert list(loaded(file, model('base_url = "echo:"')).models) == ["a-model"]


def test_no_repr_shows_a_secret(file: Path) -> None:
    text = model('base_url = "echo:", api_key = "sk-of-the-operator"')
    settings = loaded(file, text, {"INNOAI_SECRET": SECRET})
    shown = repr(settings) + repr(settings.models)
    assert SECRET not in shown
    assert "sk-of-the-operator" not in shown


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:", ("localhost", -1)),
        ("8080", ("", 8080)),
    ],
)
def test_a_bind_is_a_host_and_a_port(bind: str, expected: tuple[str, int]) -> None:
    assert split_bind(bind) == expected


def test_people_are_sent_to_the_public_address_where_there_is_one(file: Path) -> None:
    assert loaded(file, "").server.url == "http://127.0.0.1:8080"
    assert loaded(file, '[server]\npublic_url = "https://x.example/"').server.url == "https://x.example"


@pytest.mark.parametrize(("bind", "here"), [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:8080", "[::1]:8080")])
def test_who_listens_everywhere_is_found_on_this_machine(file: Path, bind: str, here: str) -> None:
    assert loaded(file, f'[server]\nbind = "{bind}"').server.url == f"http://{here}"


def test_only_sqlite_has_a_file(file: Path) -> None:
    assert loaded(file, '[store]\nurl = "sqlite:///a/b.db"').store.sqlite_file == Path("a/b.db")
    assert loaded(file, '[store]\nurl = "sqlite:////a/b.db"').store.sqlite_file == Path("/a/b.db")
    assert loaded(file, '[store]\nurl = "postgresql:///x"').store.sqlite_file is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:pass@db.example/x", "postgresql://db.example/x"),
        ("postgresql://user:p@ss@db.example/x", "postgresql://db.example/x"),
        ("redis://:pass@cache:6379/0", "redis://cache:6379/0"),
        ("sqlite:///innoai.db", "sqlite:///innoai.db"),
        ("memory:", "memory:"),
        ("postgresql://h/db?user=u&password=secret", "postgresql://h/db?user=…&password=…"),
        ("postgresql://u:p@h/db?sslmode=require&secret", "postgresql://h/db?sslmode=…"),
        ("postgresql://u:p@h/db?password=s@cret", "postgresql://…"),
        ("postgresql://user:p?ss@h/db", "postgresql://…"),
        ("redis://cache:6379/0?password=a=b", "redis://cache:6379/0?password=…"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_what_is_found_out_later_is_told_with_the_place_of_its_setting(file: Path) -> None:
    settings = loaded(file, '[metering]\nspool = "x"', {"INNOAI_SERVER_BIND": "127.0.0.1:1"})
    assert settings.where("metering.spool") == f"{file}: metering.spool"
    assert settings.where("server.bind") == "environment: INNOAI_SERVER_BIND"
    assert Settings().where("server.bind") == "server.bind"


@pytest.mark.parametrize("struct", [*SECTIONS.values(), Upstream, Model, config.TierSettings])
def test_every_setting_says_what_it_is_for(struct: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(struct):
        assert any(isinstance(meta, Meta) and meta.description for meta in field.type.__metadata__), (
            field.name
        )


def test_every_section_is_a_setting_of_the_whole() -> None:
    names = {field.name for field in msgspec.structs.fields(Settings)}
    sources = {"secret", "previous_secret", "file", "variables"}
    assert names == {*SECTIONS, *config.NAMED_SECTIONS, *sources}
    assert config.DEFAULT_FILE == "innoai.toml"


def test_a_built_in_tier_takes_what_is_set_and_keeps_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "innoai.toml"
    file.write_text('[tiers.free]\nmax_keys = "unlimited"\ndefault_rate_limit = 90\nmodels = ["small"]\n')
    free, built_in = config.load(str(file), {}).tiers["free"], DEFAULT_TIERS["free"]
    assert (free.max_keys, free.default_rate_limit, free.models) == (None, 90, ("small",))
    assert (free.max_customers, free.max_rate_limit) == (built_in.max_customers, built_in.max_rate_limit)


def test_a_tier_of_ones_own_stands_beside_the_built_in_ones(tmp_path: Path) -> None:
    file = tmp_path / "innoai.toml"
    file.write_text("[tiers.gold]\ndefault_rate_limit = 5\nmax_rate_limit = 10\nmax_keys = 2\n")
    tiers = config.load(str(file), {}).tiers
    assert list(tiers) == [*DEFAULT_TIERS, "gold"]
    assert tiers["gold"].max_keys == 2
    assert tiers["gold"].max_customers is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tiers.gold]\nmax_rate_limit = 10", "needs default_rate_limit and max_rate_limit"),
        ("[tiers.free]\ndefault_rate_limit = 1000", "default_rate_limit is above max_rate_limit"),
        ("[tiers.free]\nmax_rate_limit = 0", "max_rate_limit: choose from 1"),
        ("[tiers.free]\nmax_token_lifetime = 5", "max_token_lifetime: choose from 60"),
        ("[tiers.free]\nmax_keys = 0", "max_keys"),
        ("[tiers.free]\nmax_kyes = 1", "max_kyes: there is no such setting"),
        ("tiers = 1", "tiers is a section"),
    ],
)
def test_a_tier_that_makes_no_sense_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "innoai.toml"
    file.write_text(text)
    with pytest.raises(config.ConfigError) as error:
        config.load(str(file), {})
    assert str(error.value).startswith(f"{file}: tiers")
    assert problem in str(error.value)
    assert "\n" not in str(error.value)
