"""What can go wrong with a command: exit codes, and the sentence, hint and request id that a person reads.

Every exception ends here: `command_error` turns it into a CommandError, `main.run` prints that and exits.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openai


class ExitCode(IntEnum):
    """What the shell gets. EXIT_MEANINGS says it in words; `innoai --help` prints that table."""

    OK = 0
    UNEXPECTED = 1
    CHECK_FAILED = 1
    USAGE = 2
    AUTHENTICATION = 3
    PERMISSION = 4
    NOT_FOUND = 5
    CONFLICT = 6
    LIMIT = 7
    SERVER = 8
    INVALID_REQUEST = 9
    CONFIGURATION = 10
    INTERRUPTED = 130


EXIT_MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.OK: "done",
        ExitCode.UNEXPECTED: "unexpected error, or what was to be checked is not in order",
        ExitCode.USAGE: "wrong usage of the command line",
        ExitCode.AUTHENTICATION: "no credential, or one that is not accepted (401)",
        ExitCode.PERMISSION: "the credential may not do that (403)",
        ExitCode.NOT_FOUND: "not found (404)",
        ExitCode.CONFLICT: "conflict with what exists (409)",
        ExitCode.LIMIT: "rate limit or budget reached (429, 402)",
        ExitCode.SERVER: "server or store unreachable, failing (5xx), or not an innoai server",
        ExitCode.INVALID_REQUEST: "the server calls the request invalid (400, 413 and other 4xx)",
        ExitCode.CONFIGURATION: "configuration error, or doctor found one",
        ExitCode.INTERRUPTED: "interrupted, or a question was answered with no",
    }
)

_EXIT_BY_STATUS: Mapping[int, ExitCode] = MappingProxyType(
    {
        401: ExitCode.AUTHENTICATION,
        402: ExitCode.LIMIT,
        403: ExitCode.PERMISSION,
        404: ExitCode.NOT_FOUND,
        409: ExitCode.CONFLICT,
        429: ExitCode.LIMIT,
    }
)

WRONG_SERVER_HINT = (
    "the base URL ends in /v1: INNOAI_BASE_URL or --base-url must name an innoai server, like "
    "http://127.0.0.1:8080/v1"
)

_HINT_BY_CODE: Mapping[str, str] = MappingProxyType(
    {
        "invalid_api_key": "set INNOAI_API_KEY to a live key; the operator's `accounts new-key` makes one",
        "token_expired": "get a new token with `innoai tokens refresh` or `innoai tokens create`",
        "ip_not_allowed": "call from one of the key's allowed networks, or use a key without such a limit",
        "insufficient_quota": "raise the budget, or wait for its next period",
        "conflict": "look at what exists with the matching `list` or `show`",
        "not_found": "check the id; the matching `list` command shows what exists",
    }
)

_HINT_BY_EXIT: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.AUTHENTICATION: "set INNOAI_API_KEY to a live key",
        ExitCode.PERMISSION: "use a key with the rights for this; `innoai validate` shows what yours has",
        ExitCode.LIMIT: "try again later",
        ExitCode.SERVER: "try again shortly; the server's log says more under the request id",
        ExitCode.INVALID_REQUEST: "correct the options; `--help` after the command describes them",
    }
)


class CommandError(Exception):
    """A command that ends without doing its work: exit code, message, what to do, the server's request id."""

    def __init__(
        self, exit_code: ExitCode, message: str, *, hint: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message
        self.hint = hint
        self.request_id = request_id


def command_error(problem: Exception) -> CommandError:
    """The CommandError that `problem` is. Imports the HTTP client only for a problem that is not our own."""
    if isinstance(problem, CommandError):
        return problem
    if isinstance(problem, typer.TyperException):
        return _wrong_usage(problem)
    if isinstance(problem, typer.Abort):
        return CommandError(
            ExitCode.INTERRUPTED, "not confirmed; nothing was changed", hint="--yes answers beforehand"
        )
    if isinstance(problem, OSError) and problem.strerror is not None:
        return _no_room(problem)
    return _client_failure(problem) or _unexpected(problem)


def with_hint(problem: Exception, hint: str) -> CommandError:
    """The CommandError that `problem` is, with a hint that fits where it happened."""
    failure = command_error(problem)
    return CommandError(failure.exit_code, failure.message, hint=hint, request_id=failure.request_id)


def foreign_answer(detail: str) -> CommandError:
    """The peer answered with something that no innoai server says."""
    return CommandError(
        ExitCode.SERVER, f"this is not an innoai server's answer: {detail}", hint=WRONG_SERVER_HINT
    )


def _wrong_usage(problem: Any) -> CommandError:
    context = getattr(problem, "ctx", None)
    command = context.command_path if context is not None else "innoai"
    hint = f"see `{command} --help`"
    # typer does not export the class. An id may begin with a hyphen, and nobody knows then what `--` is for.
    if type(problem).__name__ == "NoSuchOption" and not problem.option_name.startswith("--"):
        hint += "; what begins with - and is no option stands behind --, at the end"
    return CommandError(ExitCode.USAGE, problem.format_message(), hint=hint)


def _client_failure(problem: Exception) -> CommandError | None:
    import openai

    if isinstance(problem, openai.APIStatusError):
        return _refusal(problem)
    if isinstance(problem, openai.APITimeoutError):
        address = _address(problem)
        return CommandError(
            ExitCode.SERVER, f"no answer from {address} in time", hint="--timeout SECONDS waits longer"
        )
    if isinstance(problem, openai.APIConnectionError):
        return _unreachable(problem)
    return None


def _refusal(problem: openai.APIStatusError) -> CommandError:
    """Any status but 2xx. The envelope says why, if the peer sent one."""
    status = problem.status_code
    default = ExitCode.INVALID_REQUEST if 400 <= status < 500 else ExitCode.SERVER
    exit_code = _EXIT_BY_STATUS.get(status, default)
    request_id = problem.response.headers.get("x-request-id")
    error = _error_member(problem.body)
    message, code = error.get("message"), error.get("code")
    if not isinstance(message, str) or not isinstance(code, str):
        return CommandError(
            exit_code,
            f"{_address(problem)} answered with status {status} and no explanation",
            hint=WRONG_SERVER_HINT,
            request_id=request_id,
        )
    return CommandError(
        exit_code,
        f"{message} ({code})",
        hint=_hint(code, exit_code, error) if "/v1/" in problem.request.url.path else WRONG_SERVER_HINT,
        request_id=request_id or error.get("request_id"),
    )


def _error_member(body: object) -> Mapping[str, Any]:
    """The `error` object of the envelope; openai's client hands over either the envelope or its member."""
    if not isinstance(body, dict):
        return {}
    inner = body.get("error", body)
    return inner if isinstance(inner, dict) else {}


def _hint(code: str, exit_code: ExitCode, error: Mapping[str, Any]) -> str | None:
    if scope := error.get("required_scope"):
        return f"this needs the scope {scope}; use a key that has it (`innoai validate` shows what yours has)"
    if seconds := error.get("retry_after"):
        return f"try again in {seconds} s"
    if member := error.get("param"):
        return f"the value at fault is `{member}`"
    return _HINT_BY_CODE.get(code, _HINT_BY_EXIT.get(exit_code))


def _unreachable(problem: openai.APIConnectionError) -> CommandError:
    """No HTTP answer. A cause is quoted only if of a kind that cannot quote a header, hence no secret."""
    cause = problem.__cause__
    if isinstance(cause, CommandError):
        return cause
    kind = type(cause).__name__
    address = _address(problem)
    if kind == "ConnectError":
        return CommandError(
            ExitCode.SERVER,
            f"cannot reach {address}: {cause}",
            hint="`innoai serve` starts a server here; INNOAI_BASE_URL or --base-url says where yours is",
        )
    if kind == "RemoteProtocolError":
        return CommandError(
            ExitCode.SERVER, f"{address} does not speak HTTP properly: {cause}", hint=WRONG_SERVER_HINT
        )
    return CommandError(
        ExitCode.SERVER, f"the connection to {address} failed ({kind})", hint=WRONG_SERVER_HINT
    )


def _address(problem: openai.APIError) -> str:
    """Scheme, host and port of the request, without the user part, which may be secret."""
    url = problem.request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _no_room(problem: OSError) -> CommandError:
    """The system refuses to write or read: a full disk, a device that is gone."""
    place = f"{problem.filename}: " if problem.filename is not None else ""
    return CommandError(
        ExitCode.UNEXPECTED,
        f"{place}{problem.strerror}",
        hint="make room or name another place, and repeat it",
    )


def _unexpected(problem: Exception) -> CommandError:
    return CommandError(
        ExitCode.UNEXPECTED,
        f"unexpected {type(problem).__name__}: {problem}",
        hint="this is a defect of innoai; please report it with the command and `innoai version`",
    )
