"""Options that several commands take."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from innoai.cli import arguments


class Level(Enum):
    """The presets over the scopes; each holds those before it."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"


def level_option(help_text: str) -> Any:
    """`--level`, as the documents write it: in lower case, or with a capital."""
    return typer.Option("--level", case_sensitive=False, metavar="read|write|delete|admin", help=help_text)


LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, max=100, metavar="N", help="At most this many.")
]
CursorOption = Annotated[
    str | None, typer.Option("--cursor", metavar="TEXT", help="Continue where the list before ended.")
]
SearchOption = Annotated[
    str | None,
    typer.Option("--search", metavar="TEXT", help="Only those whose name or id has this text in it."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
IdempotencyKeyOption = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key", metavar="TEXT", help="Repeating the command with the same text changes nothing."
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        parser=arguments.instant,
        metavar="TIME",
        help="From here on, like 2026-11-01 or 2026-11-01T12:00:00Z.",
    ),
]
ToOption = Annotated[
    str | None, typer.Option("--to", parser=arguments.instant, metavar="TIME", help="Before this.")
]
MonthOption = Annotated[
    str | None,
    typer.Option("--month", parser=arguments.month, metavar="MONTH", help="A calendar month, like 2026-11."),
]
CustomerOption = Annotated[
    str | None, typer.Option("--customer", metavar="CUSTOMER_ID", help="Only this customer's.")
]
BudgetMonthlyOption = Annotated[
    str | None,
    typer.Option(
        "--budget-monthly",
        parser=arguments.amount,
        metavar="AMOUNT",
        help="What a calendar month may cost, like 20 or 0.50; none removes the budget.",
    ),
]
BudgetTotalOption = Annotated[
    str | None,
    typer.Option(
        "--budget-total",
        parser=arguments.amount,
        metavar="AMOUNT",
        help="What all of it may cost; none removes the budget.",
    ),
]
CsvOption = Annotated[
    str | None,
    typer.Option("--csv", metavar="FILE", help="Write all of it as CSV to this file; - is stdout."),
]
