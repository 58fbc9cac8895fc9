"""`innoai validate`, `explain`, `tiers`: what a credential may do, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from innoai.cli import arguments, output
from innoai.cli.failures import foreign_answer
from innoai.cli.session import Session, remote

_PASSED = {"passed": True, "refused": False}


@remote
def validate(session: Session) -> None:
    """Check the credential in use, and show what it may do."""
    answer = session.client().auth.validate()
    # Any server can answer with JSON, and the SDK takes members that are not there for None.
    if answer.model_dump(warnings=False).get("valid") is not True:
        raise foreign_answer("it does not say that the credential is valid")
    session.answer(answer, output.write_fields)


@remote
def explain(
    session: Session,
    key: Annotated[
        str,
        typer.Option(
            parser=arguments.secret, metavar="KEY_OR_ID", help="A key's id, a key or a token; - reads stdin."
        ),
    ],
    route: Annotated[
        arguments.Route,
        typer.Option(
            parser=arguments.route, metavar="'METHOD PATH'", help="Like 'POST /v1/chat/completions'."
        ),
    ],
    ip: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where the request would come from.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="The model it would name.")] = None,
) -> None:
    """Show how the server would decide about a request, check by check. Needs admin:full."""
    explanation = session.client().auth.explain(
        key=key, method=route.method, path=route.path, ip=ip, model=model
    )
    session.answer(explanation, _show_explanation)


@remote
def tiers(session: Session) -> None:
    """Show the access-control matrix: tiers, levels, scopes, and the scope that each route needs."""
    session.answer(session.client().tiers(), _show_matrix)


def _show_explanation(explanation: dict[str, Any]) -> None:
    if explanation.get("allowed"):
        output.write_line("allowed", "bold green")
    else:
        output.write_line(
            f"refused: {output.cell(explanation.get('message'))} ({output.cell(explanation.get('code'))})",
            "bold red",
        )
    output.write_checks(
        [
            output.Check(
                name=output.cell(check.get("name")),
                passed=_PASSED.get(check.get("outcome", "")),
                detail=output.cell(check.get("detail")),
            )
            for check in output.members(explanation, "checks")
        ]
    )


def _show_matrix(matrix: dict[str, Any]) -> None:
    _show_part(
        matrix,
        "data",
        "Tiers",
        (
            "name",
            "default_rate_limit",
            "max_rate_limit",
            "max_keys",
            "max_customers",
            "max_endpoints",
            "models",
            "max_token_lifetime",
            "features",
        ),
    )
    _show_part(matrix, "levels", "Levels", ("name", "scopes"))
    _show_part(matrix, "scopes", "Scopes", ("name", "description"))
    _show_part(matrix, "routes", "Routes", ("method", "path", "scope"))


def _show_part(matrix: dict[str, Any], member: str, title: str, columns: tuple[str, ...]) -> None:
    rows = [[row.get(column) for column in columns] for row in output.members(matrix, member)]
    output.write_table(columns, rows, title=title)
    output.write_line("")
