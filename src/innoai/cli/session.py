"""How a command reaches the server: the options that every command takes, and the client made of them."""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from innoai.cli import arguments, output
from innoai.cli.failures import CommandError, ExitCode, foreign_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    from pydantic import BaseModel

    from innoai import InnoAI

DEFAULT_TIMEOUT = 30.0
"""Seconds that a command waits for an answer."""

_P = ParamSpec("_P")

BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="The server, with /v1. Default: INNOAI_BASE_URL, else this machine's port 8080.",
    ),
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        parser=arguments.secret,
        metavar="KEY",
        help="Key or token to act with; - reads stdin. Better: INNOAI_API_KEY, which no process list shows.",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0.001, help=f"Wait this long. Default: {DEFAULT_TIMEOUT:.0f}."
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the API's object as JSON, and nothing else, on stdout."),
]


@dataclass(frozen=True, slots=True)
class Options:
    """The options that stand before a command as well as after it. None: not given; timeout in seconds.

    `words` are the whole command line behind `innoai`.
    """

    base_url: str | None = None
    api_key: str | None = None
    timeout: float | None = None
    json: bool = False
    words: tuple[str, ...] = ()

    def over(self, outer: Options) -> Options:
        """These where given, else the outer ones."""
        return Options(
            base_url=outer.base_url if self.base_url is None else self.base_url,
            api_key=outer.api_key if self.api_key is None else self.api_key,
            timeout=outer.timeout if self.timeout is None else self.timeout,
            json=self.json or outer.json,
            words=outer.words,
        )


@dataclass(frozen=True, slots=True)
class Session:
    """One command's way to the server, and its way to answer; `closing` ends its connections."""

    options: Options
    closing: ExitStack

    def client(self) -> InnoAI:
        """A client with the caller's credential. Raises CommandError without one."""
        return self._connect(self.options.api_key or _key_of_environment())

    def client_for(self, credential: str) -> InnoAI:
        """A client for a call whose body carries `credential`, and which needs none beside it."""
        return self._connect(credential)

    def answer(self, result: BaseModel, show: Callable[[dict[str, Any]], None]) -> None:
        """The result: as the API's object with --json, else as `show` lays it out for people."""
        body = result.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
        if self.options.json:
            output.write_json(body)
        else:
            show(body)
            output.note_next(body, self.options.words)

    def done(self, sentence: str) -> None:
        """The result of what leaves nothing to show: an empty object with --json, else `sentence`."""
        if self.options.json:
            output.write_json({})
        else:
            output.write_line(sentence)

    @property
    def timeout(self) -> float:
        """Seconds that it waits for an answer."""
        return DEFAULT_TIMEOUT if self.options.timeout is None else self.options.timeout

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that cannot be undone; only on a terminal, and not with --yes."""
        if not yes and sys.stdin.isatty():
            typer.confirm(question, abort=True, err=True)

    def confirm_own(self, question: str, *, yes: bool) -> None:
        """Ask before a command ends what it acts with itself; without a terminal only --yes answers."""
        if not yes and not sys.stdin.isatty():
            raise CommandError(
                ExitCode.INTERRUPTED,
                f"{question.rpartition('. ')[0]}; nothing was changed",
                hint="--yes revokes it; act with another key to keep a way in",
            )
        self.confirm(question, yes=yes)

    def acts_with(self, credential: str) -> bool:
        """Whether that is the credential which the command's requests carry."""
        return credential == (self.options.api_key or os.environ.get("INNOAI_API_KEY", "").strip())

    def _connect(self, api_key: str) -> InnoAI:
        from openai import DefaultHttpxClient

        from innoai import InnoAI

        # A command that repeats itself could create twice; whoever typed it decides about a second try.
        client = InnoAI(
            api_key=api_key,
            base_url=_http_url(self.options.base_url or os.environ.get("INNOAI_BASE_URL") or None),
            timeout=self.timeout,
            max_retries=0,
            http_client=DefaultHttpxClient(event_hooks={"response": [_require_what_was_asked]}),
        )
        return self.closing.enter_context(client)


def remote(command: Callable[Concatenate[Session, _P], None]) -> Callable[..., None]:
    """A command that gets a Session, and on the command line the common options after its own."""

    def invoke(
        context: typer.Context,
        base_url: BaseUrlOption = None,
        api_key: ApiKeyOption = None,
        timeout: TimeoutOption = None,
        json: JsonOption = False,
        **own: Any,
    ) -> None:
        here = Options(base_url=base_url, api_key=api_key, timeout=timeout, json=json)
        call: Callable[..., None] = command
        with ExitStack() as closing:
            call(Session(here.over(context.obj), closing), **own)

    common = list(inspect.signature(invoke, eval_str=True).parameters.values())[:-1]
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    keyword_only = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *common[1:])
    ]
    merged = inspect.Signature([common[0], *keyword_only])
    invoke.__signature__ = merged  # type: ignore[attr-defined]  # what typer reads the options from
    invoke.__annotations__ = {name: parameter.annotation for name, parameter in merged.parameters.items()}
    invoke.__name__, invoke.__doc__ = command.__name__, command.__doc__
    return invoke


def _key_of_environment() -> str:
    key = os.environ.get("INNOAI_API_KEY", "").strip()
    if not key:
        raise CommandError(
            ExitCode.AUTHENTICATION,
            "no API key",
            hint="set INNOAI_API_KEY; `innoai init` prints the first key of a new store",
        )
    try:
        return arguments.sendable(key)
    except typer.BadParameter as problem:
        raise typer.BadParameter(problem.message, param_hint="INNOAI_API_KEY") from None


def _require_what_was_asked(response: httpx2.Response) -> None:
    """Raise CommandError on a success that only some other server gives, before it counts as ours.

    Without this any web page with status 200 would pass for the word that a key is revoked.
    """
    if not response.is_success or response.status_code == HTTPStatus.NO_CONTENT:
        return
    wanted = response.request.headers["accept"]
    if wanted == "application/json":
        _require_json_object(response)
    elif response.headers.get("content-type", "").partition(";")[0] != wanted:
        raise foreign_answer(f"it is not {wanted}")


def _require_json_object(response: httpx2.Response) -> None:
    response.read()
    try:
        body = response.json()
    except ValueError:
        raise foreign_answer("its body is not JSON") from None
    if not isinstance(body, dict):
        raise foreign_answer("its body is not a JSON object")


def _http_url(text: str | None) -> str | None:
    if text is not None and not arguments.is_http_url(text):
        raise typer.BadParameter(
            "the base URL must start with http:// or https://, like http://127.0.0.1:8080/v1",
            param_hint="--base-url / INNOAI_BASE_URL",
        )
    return text
