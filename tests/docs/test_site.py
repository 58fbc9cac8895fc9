"""The site as `make docs` builds it: strict, whole, and asking nothing of elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.server import clean_environment
from tests.support.tools import needs

ROOT = Path(__file__).resolve().parents[2]
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
PROMISED = (
    "getting-started/authentication",
    "getting-started/access-control",
    "guide/webhooks",
    "guide/best-practices",
    "reference/api/keys",
    "reference/commands",
    "reference/errors",
)
"""Paths that pages elsewhere, the Authentication page among them, link to."""
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?([^\"'\s>]+)[^>]*>", re.IGNORECASE
)
NOT_FETCHED = re.compile(r"rel=[\"']?(?:canonical|next|prev)", re.IGNORECASE)
IN_STYLES = re.compile(r"(?:url\(|@import\s+)[\"']?(https?:)?//")

pytestmark = [needs(MKDOCS), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    made, built = tmp_path_factory.mktemp("reference"), tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "scripts.reference", str(made)], cwd=ROOT, check=True)
    ended = subprocess.run(
        [str(MKDOCS), "build", "--quiet", "--strict", "--site-dir", str(built)],
        cwd=ROOT,
        env=clean_environment(INNOAI_REFERENCE=str(made), NO_MKDOCS_2_WARNING="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return built


@pytest.mark.parametrize("path", PROMISED)
def test_a_promised_path_is_there(site: Path, path: str) -> None:
    assert (site / path / "index.html").is_file()


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        for tag in FETCHED.finditer(page.read_text("utf-8")):
            if not NOT_FETCHED.search(tag[0]):
                assert not urlsplit(tag[1]).netloc, f"{page.relative_to(site)}: {tag[0]}"


def test_no_style_fetches_anything_from_elsewhere(site: Path) -> None:
    for style in site.rglob("*.css"):
        assert not IN_STYLES.search(style.read_text("utf-8")), style


def test_every_code_has_an_anchor_that_the_api_links_to(site: Path) -> None:
    errors = (site / "reference/errors/index.html").read_text("utf-8")
    linked = set(
        re.findall(r"errors/#([a-z_]+)", (site / "reference/api/keys/index.html").read_text("utf-8"))
    )
    assert {"invalid_api_key", "rate_limit_exceeded"} <= linked
    assert {code for code in linked if f'id="{code}"' not in errors} == set()
