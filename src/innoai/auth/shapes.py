"""The values that questions about credentials are made of."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from innoai.access.scopes import SCOPES
from innoai.access.tokens import MAX_TOKEN_BYTES

CustomerId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        # Python's $ also matches before a line feed at the end.
        # Neither . nor .., which a URL's path loses.
        pattern=r"^(?!\.{1,2}$)[A-Za-z0-9._~:@+=|-]+$(?!\n)",
        extra={"expected": "letters, digits and . _ ~ : @ + = | -, and neither . nor .. alone"},
        description="the account's own id of its customer",
    ),
]
Credential = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN_BYTES)]
Scope = Annotated[str, Meta(extra_json_schema={"enum": list(SCOPES)})]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=64, description="what it may do")]
