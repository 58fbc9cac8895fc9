"""`make screenshots`: the dashboard's pages, light and dark, wide and narrow, into docs/images/dashboard."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from tests.support.dashboard import SESSION, owner_of
from tests.support.server import MODEL, Server
from tests.support.settings import settings
from tests.support.tour import furnish

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "docs/images/dashboard"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")
SIGNED_OUT = {"login": "/login"}
SETTINGS = (
    settings({MODEL: [{"base_url": "echo:"}]})
    + f'[models."{MODEL}".price]\nprompt = "900"\ncompletion = "2700"\n'
)
"""With prices of which a few short requests make a sum that can be seen."""


def main() -> int:
    """Take them all; those of pages that are no more are removed."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not installed; on Debian: apt-get install chromium", file=sys.stderr)
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with _furnished() as (server, session, pages), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in SCHEMES:
            for size, (width, height) in SIZES.items():
                look: dict[str, Any] = {
                    "base_url": server.origin,
                    "viewport": {"width": width, "height": height},
                    "color_scheme": scheme,
                    "locale": "en-GB",
                    "timezone_id": "UTC",
                }
                with browser.new_context(**look) as context:
                    page = context.new_page()
                    for name, path in SIGNED_OUT.items():
                        page.goto(path)
                        page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png", full_page=True)
                    context.add_cookies([{"name": SESSION, "value": session, "url": server.origin}])
                    for name, path in pages.items():
                        answer = page.goto(path)
                        if answer is None or answer.status != 200:
                            print(f"{path}: no page", file=sys.stderr)
                            return 1
                        page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png", full_page=True)
        browser.close()
    print(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER}")
    return 0


@contextmanager
def _furnished() -> Iterator[tuple[Server, str, dict[str, str]]]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server.initialise(Path(folder), SETTINGS)
        with closing(server):
            server.start()
            owner = owner_of(server)
            session = owner.session
            if session is None:
                raise SystemExit("the owner could not be signed in")
            yield server, session, furnish(server)


if __name__ == "__main__":
    sys.exit(main())
