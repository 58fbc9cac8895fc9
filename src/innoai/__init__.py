"""What an application imports: the clients, their errors, and the verification of webhooks and audit logs.

Every name is loaded on first use: `import innoai` costs nothing, and `webhooks` and `audit` need no openai.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from innoai.sdk import audit as audit
    from innoai.sdk import webhooks as webhooks
    from innoai.sdk.client import AsyncInnoAI as AsyncInnoAI
    from innoai.sdk.client import InnoAI as InnoAI
    from innoai.sdk.errors import Conflict as Conflict
    from innoai.sdk.errors import HeadersTooLarge as HeadersTooLarge
    from innoai.sdk.errors import InnoAIError as InnoAIError
    from innoai.sdk.errors import InsufficientPermissions as InsufficientPermissions
    from innoai.sdk.errors import InsufficientQuota as InsufficientQuota
    from innoai.sdk.errors import InternalError as InternalError
    from innoai.sdk.errors import InvalidApiKey as InvalidApiKey
    from innoai.sdk.errors import InvalidRequest as InvalidRequest
    from innoai.sdk.errors import IpNotAllowed as IpNotAllowed
    from innoai.sdk.errors import MethodNotAllowed as MethodNotAllowed
    from innoai.sdk.errors import MissingApiKey as MissingApiKey
    from innoai.sdk.errors import ModelNotAllowed as ModelNotAllowed
    from innoai.sdk.errors import ModelNotFound as ModelNotFound
    from innoai.sdk.errors import NotFound as NotFound
    from innoai.sdk.errors import PayloadTooLarge as PayloadTooLarge
    from innoai.sdk.errors import RateLimitExceeded as RateLimitExceeded
    from innoai.sdk.errors import ServiceUnavailable as ServiceUnavailable
    from innoai.sdk.errors import TokenExpired as TokenExpired
    from innoai.sdk.errors import UnreadableAnswer as UnreadableAnswer
    from innoai.sdk.errors import UnsupportedMediaType as UnsupportedMediaType
    from innoai.sdk.errors import UpstreamError as UpstreamError
    from innoai.sdk.errors import UpstreamTimeout as UpstreamTimeout

_MODULES = ("audit", "webhooks")
_CLIENTS = ("AsyncInnoAI", "InnoAI")
_ERRORS = (
    "Conflict",
    "HeadersTooLarge",
    "InnoAIError",
    "InsufficientPermissions",
    "InsufficientQuota",
    "InternalError",
    "InvalidApiKey",
    "InvalidRequest",
    "IpNotAllowed",
    "MethodNotAllowed",
    "MissingApiKey",
    "ModelNotAllowed",
    "ModelNotFound",
    "NotFound",
    "PayloadTooLarge",
    "RateLimitExceeded",
    "ServiceUnavailable",
    "TokenExpired",
    "UnreadableAnswer",
    "UnsupportedMediaType",
    "UpstreamError",
    "UpstreamTimeout",
)
_HOME = {
    **dict.fromkeys(_CLIENTS, "innoai.sdk.client"),
    **dict.fromkeys(_ERRORS, "innoai.sdk.errors"),
}


def __getattr__(name: str) -> object:
    """The exported object of that name (PEP 562); it is loaded once and then an ordinary attribute."""
    if name in _MODULES:
        value: object = import_module(f"innoai.sdk.{name}")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
