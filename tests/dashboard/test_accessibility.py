"""What axe finds on each page, on a phone and dark on a desk: nothing serious."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.dashboard.conftest import signed_in_page
from tests.support.tour import furnish

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

AXE = Path(__file__).parents[1] / "contract/node/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")
LOOKS = {"light": 360, "dark": 1280}
"""Each scheme with the width at which pages are looked at: a phone's, and a desk's."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def tour(house: Server, owner: Person) -> dict[str, str]:
    """Every page, with something on it."""
    assert owner.session is not None
    return furnish(house)


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (make install-node)")
    return AXE.read_text("utf-8")


def findings(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run({ runOnly: { type: 'tag', values: rules }, resultTypes: ['violations'] })", RULES
    )
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("scheme", "width"), LOOKS.items())
def test_axe_finds_nothing_serious_and_no_page_scrolls_sideways(
    scheme: Any,
    width: int,
    context: BrowserContext,
    owner: Person,
    house: Server,
    tour: dict[str, str],
    axe: str,
) -> None:
    page = signed_in_page(context, owner, house)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    wrong: list[str] = []
    for name, path in tour.items():
        answer = page.goto(path)
        assert answer is not None
        if answer.status != 200:
            wrong.append(f"{name}: {answer.status}")
            continue
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if too_wide > 0:
            wrong.append(f"{name}: {too_wide} px too wide")
        wrong += [f"{name}: {finding}" for finding in findings(page, axe)]
    assert wrong == []


def test_pages_before_signing_in_are_fine_too(page: Page, axe: str) -> None:
    for path in ("/login", "/setup?invite=none"):
        page.goto(path)
        assert findings(page, axe) == []


def test_the_first_page_is_small(house: Server, owner: Person) -> None:
    """All that a browser has to fetch for it, as it comes over the wire."""
    client = owner.client
    first = client.get("/", headers={"accept-encoding": "gzip"})
    sizes = {"/": int(first.headers["content-length"])}
    for path in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', first.text)):
        sizes[path] = int(client.get(path, headers={"accept-encoding": "gzip"}).headers["content-length"])
    assert len(sizes) > 3, sizes
    assert sum(sizes.values()) < 100_000, sizes
