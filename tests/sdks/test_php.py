"""The PHP SDK by its own tools: its manifest, its style, and its tests with PHPUnit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from innoai.access.scopes import LEVELS, SCOPES
from innoai.errors import ERRORS
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.tools import needs, program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.server import Server

ROOT = Path(__file__).parents[2]
PHP = ROOT / "sdks/php"
SUITE = ROOT / "sdks/conformance"
SERVED = (
    settings({MODEL: [{"base_url": "echo:"}]}, {"webhooks": {"allowed_networks": ["127.0.0.0/8"]}})
    + f'[models."{MODEL}".price]\nprompt = "1000"\ncompletion = "2000"\n'
)
"""As InnoaiServer.php beside its tests has it, where they are run by themselves."""
LIMIT = 300.0
"""Seconds that a tool has; it needs a tenth of them when nothing else runs."""

pytestmark = needs("php", "php-curl")


def run(*command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A tool in the SDK's folder; what it says is shown where it fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INNOAI_")}
    ended = subprocess.run(
        [program(command[0]), *command[1:]],
        cwd=PHP,
        env={**inherited, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def evaluated(code: str) -> object:
    """What an expression of PHP is, with the SDK at hand."""
    answer: object = json.loads(run("php", "-r", f"require 'autoload.php'; echo json_encode({code});").stdout)
    return answer


def test_the_manifest_is_valid() -> None:
    root = {"COMPOSER_ALLOW_SUPERUSER": "1", "COMPOSER_DISABLE_NETWORK": "1"}
    run("composer", "validate", "--strict", "--no-interaction", environment=root)


def test_it_needs_nothing_but_php_and_curl() -> None:
    manifest = json.loads((PHP / "composer.json").read_text("utf-8"))
    assert set(manifest["require"]) == {"php", "ext-curl", "ext-json"}


def test_the_style_is_clean() -> None:
    run("phpcs", "-q", "--no-colors")


@needs("phpunit", "php-xml", "php-mbstring")
@pytest.mark.timeout(LIMIT)
def test_all_its_tests_pass_and_each_vector_is_among_them(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    out = Path(os.environ.get("INNOAI_CONFORMANCE_OUT", tmp_path / "php.json"))
    server = new_server(SERVED)
    run(
        "phpunit",
        "--colors=never",
        environment={
            "INNOAI_CONFORMANCE_OUT": str(out),
            "INNOAI_SERVER_URL": server.base_url,
            "INNOAI_SERVER_KEY": server.admin_key,
            "PYTHON": sys.executable,
        },
    )
    table = json.loads(out.read_text("utf-8"))
    assert (table["sdk"], table["version"]) == ("php", evaluated(r"InnoAI\Version::NUMBER"))
    assert all(result["passed"] for result in table["results"])
    assert {(result["suite"], result["case"]) for result in table["results"]} == _vectors()


def test_every_code_of_the_server_has_an_exception_named_after_it() -> None:
    codes = r"array_combine(array_column(InnoAI\Enum\ErrorCode::cases(), 'value'), array_map("
    codes += r"fn ($code) => $code->exception(), InnoAI\Enum\ErrorCode::cases()))"
    named = {code: "InnoAI\\Exception\\" + "".join(map(str.capitalize, code.split("_"))) for code in ERRORS}
    assert evaluated(codes) == named


def test_scopes_and_levels_are_the_servers() -> None:
    assert evaluated(r"array_column(InnoAI\Enum\Scope::cases(), 'value')") == list(SCOPES)
    assert evaluated(r"array_column(InnoAI\Enum\Level::cases(), 'value')") == list(LEVELS)


def test_nothing_needs_a_newer_php_than_the_manifest_says() -> None:
    """Of what 8.2 and later added: what is tempting, and no linter here would tell of."""
    newer = ("readonly class", "json_validate(", "#[\\Override]", "true|", "|true", "ini_parse_quantity(")
    texts = {file.name: file.read_text("utf-8") for file in (PHP / "src").rglob("*.php")}
    assert [(name, word) for name, text in texts.items() for word in newer if word in text] == []


def _vectors() -> set[tuple[str, str]]:
    """Every case of every file, whichever member lists it."""
    return {
        (path.stem, case["name"])
        for path in SUITE.glob("*.json")
        for cases in json.loads(path.read_text("utf-8")).values()
        for case in cases
    }
