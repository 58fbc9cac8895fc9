"""`innoai tokens …`: create, refresh, revoke and inspect access tokens."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from innoai.cli import arguments, output
from innoai.cli.failures import with_hint
from innoai.cli.flags import App
from innoai.cli.session import Session, remote

app = App(help="Create, refresh, revoke and inspect access tokens.")


@app.command()
@remote
def create(
    session: Session,
    customer: Annotated[
        str | None,
        typer.Option(
            metavar="CUSTOMER_ID", help="Whom the token is for; it sees this customer's data alone."
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="Narrow the token to this; several with commas, or given again."),
    ] = None,
    expires_in: Annotated[
        int | None,
        typer.Option(
            parser=arguments.duration, metavar="DURATION", help="Lifetime, from 60s to 24h. Default: 1h."
        ),
    ] = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Each refresh replaces the refresh token too.")
    ] = False,
) -> None:
    """Create an access token and a refresh token from the API key."""
    token = session.client().auth.token(
        customer_id=customer,
        scopes=arguments.listed(scope, "--scope"),
        expires_in=expires_in,
        rotate=rotate or None,
    )
    session.answer(token, _show_token)


@app.command()
@remote
def refresh(
    session: Session,
    refresh_token: Annotated[
        str,
        typer.Argument(
            parser=arguments.secret, metavar="REFRESH_TOKEN", help="From `tokens create`; - reads stdin."
        ),
    ],
) -> None:
    """Get a new access token. Needs no API key: the refresh token is the credential."""
    import openai

    try:
        token = session.client_for(refresh_token).auth.refresh(refresh_token)
    except (openai.AuthenticationError, openai.BadRequestError) as problem:
        raise with_hint(
            problem, "`innoai tokens create` makes an access token and a refresh token from an API key"
        ) from None
    session.answer(token, _show_token)


@app.command()
@remote
def revoke(
    session: Session,
    token: Annotated[
        str,
        typer.Argument(
            parser=arguments.token,
            metavar="TOKEN",
            help="An access token or a refresh token; - reads stdin.",
        ),
    ],
) -> None:
    """End a token before its time; a refresh token takes its access tokens with it. Needs no API key."""
    session.client_for(token).auth.revoke(token)
    # The server says yes to a token that it never gave, too (RFC 7009 §2.2).
    session.done("the server refuses this very token from now on")


@app.command()
@remote
def inspect(
    session: Session,
    token: Annotated[
        str,
        typer.Argument(parser=arguments.secret, metavar="TOKEN", help="The token to look at; - reads stdin."),
    ],
) -> None:
    """Show whether a token is active, and what it says."""
    session.answer(session.client().auth.introspect(token), output.write_fields)


def _show_token(token: dict[str, Any]) -> None:
    output.write_fields(token)
    output.note("Whoever holds these tokens acts with them; keep them like a password.")
