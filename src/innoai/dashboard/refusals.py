"""What the API refused, in words for people, and said where it was typed."""

from __future__ import annotations

import re

from innoai.errors import ERRORS, InnoError, Refusal

_NOT_FOR_ROLE = "Your role does not allow this. Ask an owner or an admin of the account."
_NOTHING = "Nothing is here. It may have been deleted, or the address may be mistyped."
_speaks_of_routes = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE)\b|/v1/").search


def about_a_field(error: Refusal | None) -> Refusal | None:
    """The refusal with the name of the form's field: `allowed_ips` for the API's `allowed_ips[0]`."""
    if error is None:
        return None
    said = for_people(error)
    param = str(error.details.get("param", ""))
    message = said.message.removeprefix(f"{param}: ")
    field = param.removeprefix("budgets.").partition("[")[0].partition(".")[0]
    return Refusal(error.code, message[:1].upper() + message[1:], {**error.details, "param": field})


def about_a_filter(error: InnoError) -> Refusal:
    """The same about what a list was to be narrowed to. Any other refusal is raised once more."""
    found = about_a_field(error.refusal)
    if found is None or found.code != "invalid_request":
        raise error
    return found


def for_people(error: Refusal) -> Refusal:
    """The refusal without what is for programs alone: keys that a member does not use, and routes."""
    if error.message == ERRORS["insufficient_permissions"].message:
        return Refusal(error.code, _NOT_FOR_ROLE, error.details)
    if error.message == ERRORS["not_found"].message:
        return Refusal(error.code, _NOTHING, error.details)
    sentences = re.split(r"(?<=[.!?]) ", error.message)
    plain = " ".join(sentence for sentence in sentences if not _speaks_of_routes(sentence))
    return Refusal(error.code, plain or error.message, error.details)
