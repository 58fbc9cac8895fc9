"""What the API refused, said where it was typed."""

from __future__ import annotations

from innoai.errors import Refusal


def about_a_field(error: Refusal | None) -> Refusal | None:
    """The refusal with the name of the form's field: `allowed_ips` for the API's `allowed_ips[0]`."""
    if error is None:
        return None
    param = str(error.details.get("param", "")).partition("[")[0].partition(".")[0]
    message = error.message.removeprefix(f"{error.details.get('param')}: ")
    return Refusal(error.code, message[:1].upper() + message[1:], {**error.details, "param": param})
