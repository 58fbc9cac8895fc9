"""The tables of the documents that are made of tables of the code: `python -m scripts.tables` writes them.

Each stands between `<!-- NAME -->` and `<!-- /NAME -->`; scripts.facts sees that it is up to date.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from innoai.access.routes import ROUTES
from innoai.access.scopes import LEVELS, SCOPES
from innoai.access.tiers import DEFAULT_TIERS, FEATURES
from innoai.errors import ERRORS
from innoai.events import catalogue
from innoai.events.actions import ACTIONS
from innoai.events.retries import DELAYS
from innoai.events.types import EVENT_TYPES, PATTERNS, wants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from innoai.access.routes import Route

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write every table into its page."""
    for page in sorted({page for page, _ in TABLES}):
        path = ROOT / page
        path.write_text(_rendered(page, path.read_text()))


def stale() -> Iterator[str]:
    """A sentence for each page whose tables are not what the code says."""
    for page in sorted({page for page, _ in TABLES}):
        text = (ROOT / page).read_text()
        if _rendered(page, text) != text:
            yield f"{page}: its tables are not those of the code; run `python -m scripts.tables`"


def _rendered(page: str, text: str) -> str:
    for (of_page, name), render in TABLES.items():
        if of_page == page:
            text = _filled(page, text, name, "\n".join(render()).rstrip())
    return text


def _filled(page: str, text: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise SystemExit(f"{page}: there is no place for the table {name}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def tiers() -> Iterator[str]:
    """What the built-in tiers give and allow."""
    yield from _table(
        ("", *(f"`{name}`" for name in DEFAULT_TIERS)),
        (
            (title, *(_bound(getattr(tier, field)) for tier in DEFAULT_TIERS.values()))
            for title, field in (
                ("requests a minute of a key that names no limit", "default_rate_limit"),
                ("most requests a minute of a key or a customer", "max_rate_limit"),
                ("active keys", "max_keys"),
                ("customers", "max_customers"),
                ("webhook endpoints", "max_endpoints"),
                ("longest life of an access token, in seconds", "max_token_lifetime"),
                ("models", "models"),
            )
        ),
    )


def features() -> Iterator[str]:
    """What a tier may leave out, and which of the built-in ones include it."""
    yield from _table(
        ("feature", "", *(f"`{name}`" for name in DEFAULT_TIERS)),
        (
            (f"`{name}`", text, *(_mark(name in tier.features) for tier in DEFAULT_TIERS.values()))
            for name, text in FEATURES.items()
        ),
    )


def scopes() -> Iterator[str]:
    """The scopes, and the levels that stand for them."""
    yield from _table(
        ("scope", "", *LEVELS),
        (
            (f"`{name}`", text, *(_mark(name in level) for level in LEVELS.values()))
            for name, text in SCOPES.items()
        ),
    )


def routes() -> Iterator[str]:
    """The matrix."""
    yield from _table(
        ("method", "path", "scope", ""),
        (
            (route.method, f"`{route.path}`", f"`{route.scope}`" if route.scope else "any", _besides(route))
            for route in ROUTES
        ),
    )


def actions() -> Iterator[str]:
    """What the audit log records."""
    yield from _table(
        ("action", "", "event"),
        ((f"`{name}`", text, _mark(name in EVENT_TYPES)) for name, text in ACTIONS.items()),
    )


def event_types() -> Iterator[str]:
    """The event types, each with an example of a whole event."""
    for name, kind in EVENT_TYPES.items():
        yield from (f"### `{name}`", "", kind.description, "", "```json")
        yield json.dumps(catalogue.example(name), indent=2, ensure_ascii=False)
        yield from ("```", "")
    yield from _table(
        ("named", "means"),
        (
            (f"`{pattern}`", ", ".join(f"`{name}`" for name in EVENT_TYPES if wants([pattern], name)))
            for pattern in PATTERNS
            if pattern.endswith(".*")
        ),
    )


def errors() -> Iterator[str]:
    """Every code, under a heading that links can name."""
    for code, kind in ERRORS.items():
        yield from (f"### {code}", "", f"{kind.status} · `{kind.type}`", "", f"> {kind.message}", "")


def retries() -> Iterator[str]:
    """How long after an attempt the next one is made."""
    yield from _table(
        ("attempt", *(str(number) for number in range(2, len(DELAYS) + 2))),
        [("after", *(_duration(seconds) for seconds in DELAYS))],
    )


TABLES: dict[tuple[str, str], Callable[[], Iterator[str]]] = {
    ("docs/getting-started/access-control.md", "tiers"): tiers,
    ("docs/getting-started/access-control.md", "features"): features,
    ("docs/getting-started/access-control.md", "scopes"): scopes,
    ("docs/getting-started/access-control.md", "routes"): routes,
    ("docs/audit.md", "actions"): actions,
    ("docs/reference/errors.md", "errors"): errors,
    ("docs/reference/events.md", "event types"): event_types,
    ("docs/guide/webhooks.md", "retries"): retries,
}
"""Each table by its page and its name there."""


def _besides(route: Route) -> str:
    besides = []
    if route.own_key:
        besides.append("a key may always do it to itself")
    if route.account_only:
        besides.append("not with a customer's credential")
    if route.feature is not None:
        besides.append(f"feature `{route.feature}`")
    return "; ".join(besides)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(head)
    yield _row(("---",) * len(head)).replace(" ", "")
    for row in rows:
        yield _row(row)


def _row(cells: tuple[str, ...]) -> str:
    return re.sub(r" +", " ", f"| {' | '.join(cells)} |")


def _bound(value: int | tuple[str, ...] | None) -> str:
    if value is None:
        return "any"
    return f"{value:,}" if isinstance(value, int) else ", ".join(value)


def _duration(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def _mark(included: bool) -> str:
    return "yes" if included else ""


if __name__ == "__main__":
    main()
