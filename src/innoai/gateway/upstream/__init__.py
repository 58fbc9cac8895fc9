"""The HTTP/1.1 client towards model servers: callbacks on pooled connections, no task per request.

All that is sent is POST with a whole body, since the gateway decides about whole requests.
"""

from __future__ import annotations

from innoai.gateway.upstream.answer import AnswerHead
from innoai.gateway.upstream.call import Call, Listener
from innoai.gateway.upstream.failures import Failure, FailureKind, Phase
from innoai.gateway.upstream.origin import Origin
from innoai.gateway.upstream.pool import Pool
from innoai.gateway.upstream.request import RequestHead
from innoai.gateway.upstream.timeouts import Timeouts

__all__ = [
    "AnswerHead",
    "Call",
    "Failure",
    "FailureKind",
    "Listener",
    "Origin",
    "Phase",
    "Pool",
    "RequestHead",
    "Timeouts",
]
